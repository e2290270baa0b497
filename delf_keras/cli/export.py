"""Exports an extractor as a version that TensorFlow Serving serves.

    delf-keras export --preset=my_preset --output=models/delf

Writes models/delf/1 (or the next number; --version chooses one): a SavedModel
from the bytes of photographs to descriptors, which runs without Python. What
is extracted is fixed by these flags. `delf-keras serve` serves it on a laptop,
the folder export/ of the project shows how TensorFlow Serving does.
"""

from absl import flags as absl_flags

from delf_keras.cli.extraction_flags import (
    define_extraction_flags,
    make_extractor,
)


def define_flags(flags):
    """Defines the flags of this verb."""
    define_extraction_flags(flags)
    absl_flags.DEFINE_string(
        "output",
        None,
        "Folder of the versions of the model.",
        flag_values=flags,
    )
    absl_flags.mark_flag_as_required("output", flag_values=flags)
    absl_flags.DEFINE_integer(
        "version",
        None,
        "Version; one more than the highest if not given.",
        lower_bound=1,
        flag_values=flags,
    )
    absl_flags.DEFINE_float(
        "max_image_mb",
        32.0,
        "Megabytes of a file above which a photograph is not taken.",
        lower_bound=0.001,
        flag_values=flags,
    )
    absl_flags.DEFINE_float(
        "max_megapixels",
        50.0,
        "Millions of pixels above which a photograph is not decoded.",
        lower_bound=0.001,
        flag_values=flags,
    )


def run(flags, args):
    """Writes the version."""
    from delf_keras.serving.admission import Limits
    from delf_keras.serving.exporting import export, next_version

    if args:
        raise ValueError(f"export takes no arguments. Received: {args}")
    extractor = make_extractor(flags)
    folder = export(
        extractor,
        flags.output,
        flags.version or next_version(flags.output),
        Limits(
            max_image_bytes=round(flags.max_image_mb * 2**20),
            max_pixels=round(flags.max_megapixels * 1e6),
        ),
        flags.preset,
    )
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    print(f"{folder}: descriptor space {extractor.fingerprint}, {size} bytes.")
    return 0
