"""Fits a PCA on photographs and writes a preset that has it.

    delf-keras fit-pca --photos=photographs --preset=delf_resnet50_imagenet \\
        --dimension=40 --output=my_preset

The PCA belongs to the weights of the preset: with other weights it is
refused.
"""

from pathlib import Path

from absl import flags as absl_flags

from delf_keras.cli.extraction_flags import (
    define_batch_flag,
    define_extraction_flags,
    define_folder_flags,
    make_extractor,
    usable,
)
from delf_keras.cli.progress import show_progress


def define_flags(flags):
    """Defines the flags of this verb."""
    define_extraction_flags(flags)
    define_batch_flag(flags)
    define_folder_flags(flags, "Preset folder to write.")
    absl_flags.DEFINE_integer(
        "dimension", 40, "Length of a descriptor.", 1, flag_values=flags
    )
    absl_flags.DEFINE_bool(
        "whiten", False, "Whether to whiten.", flag_values=flags
    )
    absl_flags.DEFINE_integer(
        "seed", 0, "Of the sample of photographs.", flag_values=flags
    )


def run(flags, args):
    """Fits the PCA and writes the preset."""
    from delf_keras.features.pca_fitting import (
        PcaOptions,
        fit_pca_on_features,
        sample_photographs,
    )
    from delf_keras.features.photographs import find_photographs

    if args:
        raise ValueError(f"fit-pca takes no arguments. Received: {args}")
    if Path(flags.output).exists():
        raise FileExistsError(
            f"The preset folder exists already. Received: {flags.output}"
        )
    options = PcaOptions(flags.dimension, flags.whiten, flags.seed)
    names = sample_photographs(find_photographs(flags.photos), options)
    extractor = make_extractor(flags, pca=False)
    results = extractor.extract_each(
        [Path(flags.photos) / name for name in names], flags.batch_size
    )
    features = list(usable(show_progress(results, len(names), "extract")))
    if not any(map(len, features)):
        raise ValueError(
            "A PCA is fitted on photographs with features. "
            f"Received: {flags.photos}, which has none"
        )
    pca = fit_pca_on_features(features, options, extractor.model_fingerprint)
    extractor.with_pca(pca).save_to_preset(
        flags.output,
        f"{flags.preset} with a PCA to {pca.dimension} dimensions.",
    )
    print(
        f"{flags.output}: PCA to {pca.dimension} dimensions, fitted on "
        f"{len(features)} photographs."
    )
    return 0
