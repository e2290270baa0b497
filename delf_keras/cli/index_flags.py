"""Flags of every verb that builds an index, and what it says."""

import shutil

from absl import flags as absl_flags


def define_index_flags(flags):
    """Defines the flags that `build_options` reads.

    Args:
        flags: `absl.flags.FlagValues`.
    """
    absl_flags.DEFINE_string(
        "factory",
        None,
        "faiss factory string, or exact, or paper; chosen by the number of "
        "descriptors if not given.",
        flag_values=flags,
    )
    integers = {
        "probes": (None, 1, "Inverted lists that are probed."),
        "pca_dimension": (
            40,
            0,
            "Dimension of the PCA for a preset without one; 0 for none.",
        ),
        "words": (
            None,
            1,
            "Visual words of ASMK; chosen by the number of descriptors if "
            "not given.",
        ),
        "augmentation": (
            0,
            0,
            "Nearest photographs by which a global descriptor is augmented.",
        ),
        "seed": (
            0,
            None,
            "Of the samples that PCA and codebooks are learned on.",
        ),
    }
    for name, (default, least, text) in integers.items():
        absl_flags.DEFINE_integer(name, default, text, least, flag_values=flags)
    absl_flags.DEFINE_float(
        "recall",
        0.95,
        "Share of nearest neighbours that must be in the inverted lists that "
        "are probed, if --probes is not given.",
        0.0,
        1.0,
        flag_values=flags,
    )
    absl_flags.DEFINE_enum(
        "descriptor_type",
        "int8",
        ["int8", "float16"],
        "How descriptors are kept to match candidates with: float16 takes "
        "twice as much.",
        flag_values=flags,
    )
    switches = {
        "whiten": (False, "Whether that PCA whitens."),
        "binary": (
            None,
            "Whether ASMK keeps signs only: ASMK*; chosen by the number of "
            "descriptors if not given.",
        ),
    }
    for name, (default, text) in switches.items():
        absl_flags.DEFINE_bool(name, default, text, flag_values=flags)


def work_folder_of(output):
    """Returns the folder beside an index in which a build is kept.

    Args:
        output: `Path` of the index.

    Returns:
        `Path`.

    Raises:
        FileExistsError: if there is an index. What a build of it has left
            that was killed at its very end is removed.
    """
    from delf_keras.retrieval.manifest import MANIFEST_FILE

    folder = output.with_name(f"{output.name}.partial")
    if output.exists():
        if (output / MANIFEST_FILE).is_file():
            shutil.rmtree(folder, ignore_errors=True)
        raise FileExistsError(
            f"The index folder exists already. Received: {output}"
        )
    return folder


def build_options(flags):
    """Returns the options of `build_index` that the flags describe."""
    from delf_keras.features.pca_fitting import PcaOptions
    from delf_keras.retrieval import AsmkOptions

    return {
        "pca": PcaOptions(flags.pca_dimension, flags.whiten, flags.seed),
        "factory": flags.factory,
        "probes": flags.probes,
        "recall": flags.recall,
        "asmk": AsmkOptions(num_words=flags.words, binary=flags.binary),
        "descriptor_type": flags.descriptor_type,
        "augmentation": flags.augmentation,
        "seed": flags.seed,
    }


def print_build_report(output, report):
    """Prints what became of the photographs of a build.

    Args:
        output: `Path` of the index.
        report: `BuildReport`.
    """
    for name, first in report.copies.items():
        print(f"{name} has the same bytes as {first}.")
    database = report.index.database
    print(
        f"{output}: {len(database)} photographs, {database.num_descriptors} "
        f"descriptors, faiss index {database.factory}; "
        f"{len(report.skipped)} photographs skipped."
    )
