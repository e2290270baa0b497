"""Flags and steps of every verb that extracts features."""

import logging
import math

from absl import flags as absl_flags

from delf_keras.features.extraction_options import (
    PRECISIONS,
    ExtractionOptions,
)

logger = logging.getLogger(__name__)


# With --server or --saved_model they say nothing: the export has fixed them.
_FIXED_BY_EXPORT = (
    "weights",
    "max_features",
    "score_threshold",
    "iou_threshold",
    "max_image_size",
    "min_image_size",
    "global_power",
    "scales",
    "precision",
    "upright",
    "pca",
    "batch_size",
)
# And with --tfhub, what a module does not take.
_FIXED_IN_MODULE = (
    "weights",
    "iou_threshold",
    "global_power",
    "precision",
    "pca",
    "batch_size",
)


def define_extraction_flags(
    flags, default_preset=None, server=False, saved_model=False
):
    """Defines the flags that `make_extractor` reads.

    Args:
        flags: `absl.flags.FlagValues`.
        default_preset: str or None. None makes `--preset` required.
        server: bool. Whether `--server` or `--tfhub` may take the place of
            `--preset`.
        saved_model: bool. Whether `--saved_model` may, too.
    """
    strings = {
        "preset": (default_preset, "Name, folder or URL of a preset."),
        "weights": (None, "Local file of ImageNet weights for the preset."),
    }
    for name, (default, text) in strings.items():
        absl_flags.DEFINE_string(name, default, text, flag_values=flags)
    if server:
        define_other_sources(flags)
        sources = ["preset", "server", "tfhub"]
        if saved_model:
            _define_saved_model(flags)
            sources.append("saved_model")
        *names, last = (f"--{name}" for name in sources)
        absl_flags.register_multi_flags_validator(
            sources,
            lambda given: [*given.values()].count(None) == len(given) - 1,
            f"one of {', '.join(names)} and {last} is expected",
            flag_values=flags,
        )
    elif default_preset is None:
        absl_flags.mark_flag_as_required("preset", flag_values=flags)
    absl_flags.DEFINE_integer(
        "max_features",
        ExtractionOptions.max_features,
        "Features of highest attention score that are kept of a photograph.",
        lower_bound=1,
        flag_values=flags,
    )
    absl_flags.DEFINE_float(
        "score_threshold",
        None,
        "Lowest attention score; the preset's if not given.",
        flag_values=flags,
    )
    absl_flags.DEFINE_float(
        "iou_threshold",
        ExtractionOptions.iou_threshold,
        "Overlap of two receptive fields above which one is dropped.",
        flag_values=flags,
    )
    absl_flags.DEFINE_integer(
        "max_image_size",
        ExtractionOptions.max_image_size,
        "Pixels to which a longer side is shrunk; 0 for no limit.",
        lower_bound=0,
        flag_values=flags,
    )
    absl_flags.DEFINE_integer(
        "min_image_size",
        ExtractionOptions.min_image_size,
        "Pixels to which a longer side is enlarged, but not beyond "
        "--max_image_size; 0 for no enlargement.",
        lower_bound=0,
        flag_values=flags,
    )
    absl_flags.DEFINE_float(
        "global_power",
        ExtractionOptions.global_power,
        "Power of the generalised mean (GeM) of a descriptor of the whole "
        "photograph, such as 3; 0 for none.",
        lower_bound=0.0,
        flag_values=flags,
    )
    absl_flags.DEFINE_bool(
        "upright",
        True,
        "Whether photographs are turned as their EXIF orientation says; hloc "
        "and COLMAP take them as they are stored.",
        flag_values=flags,
    )
    absl_flags.DEFINE_list(
        "scales",
        None,
        "Scales of the image pyramid; 0.25 to 2.0 by the square root of two "
        "if not given.",
        flag_values=flags,
    )
    absl_flags.register_validator(
        "scales",
        are_numbers,
        "Numbers with commas between them are expected",
        flag_values=flags,
    )
    absl_flags.DEFINE_enum(
        "precision",
        ExtractionOptions.precision,
        [*PRECISIONS],
        "Precision in which the model computes; bfloat16 pays on a GPU and "
        "on a processor that has instructions for it.",
        flag_values=flags,
    )


def define_other_sources(flags):
    """Defines `--server` and `--tfhub`."""
    texts = {
        "server": "Server that extracts: host:port for gRPC, http://host:port "
        "for REST; /models/NAME, and /versions/N or /labels/LABEL, may follow.",
        "tfhub": "TF-Hub module of DELF that extracts: URL or folder.",
    }
    for name, text in texts.items():
        absl_flags.DEFINE_string(name, None, text, flag_values=flags)


def _define_saved_model(flags):
    absl_flags.DEFINE_string(
        "saved_model",
        None,
        "Folder of a version that `delf-keras export` wrote, which extracts "
        "without a server.",
        flag_values=flags,
    )


def define_batch_flag(flags):
    """Defines `--batch_size`."""
    absl_flags.DEFINE_integer(
        "batch_size",
        1,
        "Photographs of one size that run together; larger pays on a GPU.",
        lower_bound=1,
        flag_values=flags,
    )


def are_numbers(values):
    """Whether the values of a list flag are finite numbers, if it is given."""
    try:
        return all(map(math.isfinite, map(float, values or ())))
    except ValueError:
        return False


def define_folder_flags(flags, output):
    """Defines `--photos` and `--output`, both required.

    Args:
        flags: `absl.flags.FlagValues`.
        output: str. What is written.
    """
    texts = {"photos": "Folder of photographs.", "output": output}
    for name, text in texts.items():
        absl_flags.DEFINE_string(name, None, text, flag_values=flags)
    absl_flags.mark_flags_as_required(list(texts), flag_values=flags)


def make_extractor(flags, **overrides):
    """Makes the `Extractor` that the flags describe.

    Args:
        flags: Parsed `absl.flags.FlagValues`.
        **overrides: Further arguments of `Extractor.from_preset`.

    Returns:
        `Extractor`, or what stands in for one: the `Client` of a server, a
        `SavedModelExtractor` or a `TfHubExtractor`.
    """
    from delf_keras.features.extractor import Extractor

    if "server" in flags and flags.server is not None:
        return _make_client(flags)
    if "saved_model" in flags and flags.saved_model is not None:
        return _open_saved_model(flags)
    options = {
        "weights": flags.weights,
        "max_features": flags.max_features,
        "score_threshold": flags.score_threshold,
        "iou_threshold": flags.iou_threshold,
        "max_image_size": flags.max_image_size,
        "min_image_size": flags.min_image_size,
        "global_power": flags.global_power,
        "precision": flags.precision,
        "upright": flags.upright,
        **overrides,
    }
    if flags.scales:
        options["scales"] = [float(scale) for scale in flags.scales]
    if "tfhub" in flags and flags.tfhub is not None:
        return _open_module(flags, options)
    return Extractor.from_preset(flags.preset, **options)


def _make_client(flags):
    from delf_keras.serving.client import Client

    _refuse(flags, _FIXED_BY_EXPORT, "the model was exported", "server")
    return Client(flags.server)


def _open_saved_model(flags):
    from delf_keras.serving.saved_model_extractor import SavedModelExtractor

    _refuse(flags, _FIXED_BY_EXPORT, "the model was exported", "saved_model")
    return SavedModelExtractor(flags.saved_model)


def _open_module(flags, options):
    from delf_keras.features.extractor import Extractor

    _refuse(flags, _FIXED_IN_MODULE, "the module was made", "tfhub")
    names = (
        "max_features",
        "max_image_size",
        "min_image_size",
        "scales",
        "score_threshold",
        "upright",
    )
    given = {
        name: options[name] for name in names if options.get(name) is not None
    }
    return Extractor.from_tfhub(flags.tfhub, **given)


def _refuse(flags, names, event, source):
    """Refuses flags that a source of features has fixed itself."""
    for name in names:
        if name in flags and flags[name].present:
            raise ValueError(
                f"--{name} was fixed when {event}, and cannot be given with "
                f"--{source}. Received: {flags[name].value}"
            )


def usable(results):
    """Passes on the features of photographs, and logs why others have none.

    Args:
        results: Iterable of pairs as `Extractor.extract_each` yields them.

    Yields:
        `LocalFeatures`.
    """
    from delf_keras.features.decoding import ImageError

    for _, result in results:
        if isinstance(result, ImageError):
            logger.warning("Skipped: %s", result)
        else:
            yield result
