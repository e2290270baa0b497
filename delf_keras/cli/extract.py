"""Extracts the local features of a folder of photographs into files.

    delf-keras extract --photos=photographs --preset=delf_resnet50_imagenet \\
        --format=delf --output=features

The formats are delf (one file a photograph, as tensorflow/models writes it),
npz (one file a photograph) and h5 (one file for all, in hloc's layout).
Photographs whose features are there already are left alone, so that an
interrupted run goes on where it was; --overwrite extracts them again. They
are kept whatever preset made them: give another preset another --output.
--server=host:port in place of --preset extracts through a server that
`delf-keras serve` or TensorFlow Serving runs, --tfhub=URL with Google's DELF
of TF-Hub.
"""

import contextlib
from pathlib import Path, PurePosixPath

from absl import flags as absl_flags

from delf_keras.cli.extraction_flags import (
    define_batch_flag,
    define_extraction_flags,
    define_folder_flags,
    make_extractor,
    usable,
)
from delf_keras.cli.progress import show_progress

FORMATS = ("delf", "npz", "h5")


def define_flags(flags):
    """Defines the flags of this verb."""
    define_extraction_flags(flags, server=True)
    define_batch_flag(flags)
    define_folder_flags(flags, "Folder to write, or file for h5.")
    absl_flags.DEFINE_enum(
        "format", "npz", FORMATS, "Format of the files.", flag_values=flags
    )
    absl_flags.DEFINE_bool(
        "pca", True, "Whether to use the preset's PCA.", flag_values=flags
    )
    absl_flags.DEFINE_bool(
        "overwrite", False, "Whether to extract again.", flag_values=flags
    )


def run(flags, args):
    """Extracts and writes the features."""
    from delf_keras.features.photographs import find_photographs

    if args:
        raise ValueError(f"extract takes no arguments. Received: {args}")
    names = find_photographs(flags.photos)
    extractor = make_extractor(flags, pca=flags.pca)
    opened = _h5_output if flags.format == "h5" else _folder_output
    with opened(flags, names) as (known, write):
        missing = [n for n in names if flags.overwrite or n not in known]
        paths = [Path(flags.photos) / name for name in missing]
        results = extractor.extract_each(paths, flags.batch_size)
        written = 0
        named = zip(missing, results, strict=True)
        for name, result in show_progress(named, len(missing), "extract"):
            for features in usable([result]):
                write(name, features)
                written += 1
    kept = len(names) - len(missing)
    print(
        f"{flags.output}: {written} photographs extracted, {kept} kept, "
        f"{len(missing) - written} skipped."
    )
    return 0 if written or kept else 1


@contextlib.contextmanager
def _h5_output(flags, names):
    """Yields the names in the file, and a function that adds to it."""
    from delf_keras.features.files import names_h5, open_h5, write_h5

    with open_h5(flags.output, "a") as file:
        yield (
            set(names_h5(file)),
            lambda name, features: write_h5(file, name, features),
        )


@contextlib.contextmanager
def _folder_output(flags, names):
    """Yields the names that have a file, and a function that writes one."""
    from delf_keras.features.files import save_features

    output = Path(flags.output)
    files = {
        name: output / PurePosixPath(name).with_suffix(f".{flags.format}")
        for name in names
    }
    owners = {}
    for name, file in files.items():
        if owners.setdefault(file, name) != name:
            raise ValueError(
                "Photographs that differ only in their suffix would have the "
                f"same file of features. Received: {owners[file]} and {name}"
            )
    yield (
        {name for name, file in files.items() if file.is_file()},
        lambda name, features: save_features(files[name], features),
    )
