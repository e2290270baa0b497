"""Flags of a training run, and what they say."""

import dataclasses
import math

from absl import flags as absl_flags

from delf_keras.cli.extraction_flags import are_numbers
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.training.options import (
    OPTIMIZERS,
    POOLINGS,
    SCHEDULES,
    STAGE_DEFAULTS,
    STAGES,
    TrainingOptions,
    with_stage_defaults,
)

_STRINGS = {
    "dataset": "folder:PATH (a subfolder for each class, or train/ and val/ "
    "with them), csv:PATH (columns file and label, or those of Google "
    "Landmarks), tfrecord:PATTERN (shards of tensorflow/models), or tfds:NAME.",
    "output": "Preset folder to write.",
    "preset": "Name, folder or URL of the preset to start from; without it "
    "--depth and --width describe a new network.",
    "weights": "Local file of ImageNet weights for the preset.",
    "validation": "Second PATH of csv or PATTERN of tfrecord, to validate on.",
    "image_root": "Folder that the photographs of csv are in; that of the "
    "table if not given.",
    "relabeling": "File new_label,old_label for csv and tfrecord.",
    "data_dir": "Folder of tfds; its own default if not given.",
    "eval_set": "Folder of jpg/ and gnd_*.pkl. mAP_E, mAP_M and mAP_H on it "
    "become metrics of each epoch.",
    "monitor": "Metric by which the best epoch is chosen; mAP_M with "
    "--eval_set, else the loss in validation, if not given.",
    "tensorboard": "Folder to write curves and attention maps to.",
    "description": "One sentence on the preset.",
    "licence": "Licence of its weights; that of the preset to start from if "
    "not given.",
}
_REQUIRED = ("dataset", "output", "stage")

# (default, lowest, help). None is for the stage to choose.
_INTEGERS = {
    "depth": (None, 1, "Layers of a new network: 14, 26, 50 or 101."),
    "width": (64, 1, "Channels of the first convolution of a new network."),
    "num_classes": (None, 2, "Classes of tfrecord; as many as seen if not."),
    "epochs": (
        None,
        1,
        "Epochs, each with validation and a checkpoint; 10 "
        "if neither this nor --steps is given.",
    ),
    "steps": (
        None,
        1,
        "Batches in all, in place of --epochs; rounded up to whole epochs.",
    ),
    "steps_per_epoch": (0, 0, "Batches of an epoch; 0 for all the data."),
    "batch_size": (None, 1, "Photographs of a batch."),
    "image_size": (None, 1, "Side of the crop that is trained on, in pixels."),
    "resize_size": (
        None,
        1,
        "Side of the square that it is cropped from; goes with image_size if "
        "not given.",
    ),
    "autoencoder": (0, 0, "Channels of the autoencoder of a joint stage."),
    "seed": (0, 0, "Of new weights, the order of photographs and views."),
    "pca_dimension": (40, 0, "Length of a descriptor; 0 for no PCA."),
    "features": (
        1000,
        1,
        "Features that nine of ten photographs keep at the "
        "score threshold of the preset.",
    ),
    "max_image_size": (
        ExtractionOptions.max_image_size,
        0,
        "Pixels to which a longer side is shrunk "
        "when the PCA is fitted; 0 for no limit.",
    ),
}
_FLOATS = {
    "validation_fraction": (
        0.1,
        0,
        "Share of each class to validate on, "
        "where the data set has no such part.",
    ),
    "min_area": (0.08, 0, "Least share of a photograph in a crop of area."),
    "colour": (0.0, 0, "Strength of changes of colour, 0 to 1."),
    "grey": (0.0, 0, "Probability of a view without colours."),
    "blur": (0.0, 0, "Probability of a view out of focus."),
    "learning_rate": (None, 0, "Highest learning rate."),
    "weight_decay": (None, 0, "Weight decay of kernels."),
    "clip_norm": (None, 0, "Length to clip the gradient to; 0 for none."),
    "label_smoothing": (0.0, 0, "Share of a label that goes to all classes."),
    "attention_weight": (1.0, 0, "Factor of the attention's loss (joint)."),
    "reconstruction_weight": (10.0, 0, "Factor of the autoencoder's loss."),
}
_ENUMS = {
    "stage": (
        None,
        STAGES,
        "What is trained: the backbone, the attention, or both at once.",
    ),
    "stride_placement": ("first", ("first", "last"), "Of a new network."),
    "crop": (None, ("centre", "area"), "How views are cropped."),
    "optimizer": (None, OPTIMIZERS, "Optimizer."),
    "schedule": (None, SCHEDULES, "Schedule of the learning rate."),
    "pooling": (None, POOLINGS, "Of features by attention."),
    "precision": ("float32", ("float32", "bfloat16"), "Of the model."),
    "strategy": ("none", ("none", "mirrored"), "tf.distribute strategy."),
    "keep": ("best", ("best", "last"), "Epoch that becomes the preset."),
}
_BOOLS = {
    "flip": "Whether half of the views are mirrored.",
    "whiten": "Whether the PCA whitens.",
    "half": "Whether weights are rounded to float16, and kept so.",
}


def define_training_flags(flags):
    """Defines the flags of `delf-keras train`.

    Args:
        flags: `absl.flags.FlagValues`.
    """
    for name, text in _STRINGS.items():
        absl_flags.DEFINE_string(name, None, text, flag_values=flags)
    for name, (default, lowest, text) in _INTEGERS.items():
        absl_flags.DEFINE_integer(
            name, default, _help(name, text), lowest, flag_values=flags
        )
    for name, (default, lowest, text) in _FLOATS.items():
        absl_flags.DEFINE_float(
            name, default, _help(name, text), lowest, flag_values=flags
        )
    for name, (default, values, text) in _ENUMS.items():
        absl_flags.DEFINE_enum(
            name, default, values, _help(name, text), flag_values=flags
        )
    for name, text in _BOOLS.items():
        absl_flags.DEFINE_bool(name, False, text, flag_values=flags)
    absl_flags.DEFINE_list(
        "gammas",
        None,
        _help("gammas", "Factors of the image size; a batch draws one."),
        flag_values=flags,
    )
    absl_flags.register_validator(
        "gammas",
        are_numbers,
        "Numbers with commas between them are expected",
        flag_values=flags,
    )
    absl_flags.mark_flags_as_required(_REQUIRED, flag_values=flags)


def _help(name, text):
    """Adds the defaults of the stages to a text."""
    by_stage = {
        stage: defaults[name]
        for stage, defaults in STAGE_DEFAULTS.items()
        if name in defaults
    }
    shown = ", ".join(
        f"{stage}: {_shown(value)}" for stage, value in by_stage.items()
    )
    return f"{text} Default by stage: {shown}." if shown else text


def _shown(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else value


def training_options(flags):
    """Returns the `TrainingOptions` that flags describe.

    Raises:
        ValueError: if both `--epochs` and `--steps` are given.
    """
    if flags.epochs and flags.steps:
        raise ValueError(
            "A run is as long as --epochs or --steps says, not both. "
            f"Received: epochs={flags.epochs}, steps={flags.steps}"
        )
    return TrainingOptions(**_fields_of(TrainingOptions, flags))


def with_length(options, steps, num_images, batch_size):
    """Returns options with the epochs, and steps of each, of a whole run.

    Args:
        options: `TrainingOptions`.
        steps: int. Steps in all, for as many epochs as they take, or None for
            the epochs of the options.
        num_images: int. Photographs to train on.
        batch_size: int.

    Returns:
        `TrainingOptions`.
    """
    length = options.epoch_length(num_images, batch_size)
    epochs = options.epochs
    if steps:
        epochs = math.ceil(steps / length)
        length = math.ceil(steps / epochs)
    return dataclasses.replace(options, epochs=epochs, steps_per_epoch=length)


def pipeline_options(flags):
    """Returns the `PipelineOptions` that flags describe."""
    from delf_keras.datasets.augmentation import Augmentation
    from delf_keras.training.pipeline import PipelineOptions

    options = _fields_of(PipelineOptions, flags)
    return PipelineOptions.of_stage(
        flags.stage, **options | _fields_of(Augmentation, flags)
    )


def finishing_options(flags):
    """Returns the `FinishingOptions` that flags describe."""
    from delf_keras.features.pca_fitting import PcaOptions
    from delf_keras.training.finishing import FinishingOptions

    pca = PcaOptions(flags.pca_dimension, flags.whiten, flags.seed)
    return FinishingOptions(
        **_fields_of(FinishingOptions, flags) | {"pca": pca}
    )


def option_values(flags):
    """Returns the value of every flag, the stage's default if not given."""
    values = {name: flags[name].value for name in flags}
    if values["gammas"] is not None:
        values["gammas"] = tuple(map(float, values["gammas"]))
    return values | with_stage_defaults(flags.stage, values)


def _fields_of(kind, flags):
    """Returns the values of the flags that are named as fields of a class."""
    values = option_values(flags)
    names = {field.name for field in dataclasses.fields(kind)} & values.keys()
    return {name: values[name] for name in names if values[name] is not None}
