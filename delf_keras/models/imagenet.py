"""ImageNet weights of keras.applications for our backbones."""

from pathlib import Path

import keras

from delf_keras.models.weights import keras_downloads
from delf_keras.system_errors import is_of_system


def load_imagenet_weights(backbone, path=None):
    """Gives a `ResNet` the ImageNet weights of keras.applications.

    Args:
        backbone: `ResNet` of depth 50 or 101, width 64 and stride placement
            "first", built.
        path: str or `Path`. A local file: the published `*_notop.h5`, or
            weights that Keras saved of that model, or of it up to
            `conv4_block<last>_out`. Downloaded by Keras if None.

    Raises:
        ValueError: if the file holds something else.
        FileNotFoundError: if there is no such file, or no network.
    """
    source, _ = _find(backbone, path)
    _copy(source, backbone.convolutions())


def load_imagenet_block(units, backbone, path=None):
    """Gives a block 4 that follows a `ResNet` its ImageNet weights.

    Args:
        units: list of `Bottleneck`, built: `backbone.make_block(4, ...)`.
        backbone: `ResNet`, see `load_imagenet_weights`.
        path: See `load_imagenet_weights`.

    Returns:
        bool. False if the file ends before block 4, and nothing was loaded.

    Raises:
        ValueError, FileNotFoundError: see `load_imagenet_weights`.
    """
    source, whole = _find(backbone, path)
    if whole:
        _copy(source, [conv for unit in units for conv in unit.convolutions()])
    return whole


def _find(backbone, path):
    """Returns the model of keras.applications, and if all of it was loaded."""
    _check_backbone(backbone)
    if path is None:
        return _download(backbone), True
    if Path(path).is_file():
        return _load(backbone, str(path))
    raise FileNotFoundError(
        f"There is no file of ImageNet weights. Received: weights={path}"
    )


def _copy(source, convolutions):
    for layer in convolutions:
        for part in (layer.conv, layer.batch_norm):
            part.set_weights(source.get_layer(part.name).get_weights())


def _check_backbone(backbone):
    if (
        backbone.depth not in (50, 101)
        or backbone.width != 64
        or backbone.stride_placement != "first"
    ):
        raise ValueError(
            "ImageNet weights exist for ResNets of depth 50 and 101, width 64 "
            'and stride placement "first". '
            f"Received: depth={backbone.depth}, width={backbone.width}, "
            f"stride_placement={backbone.stride_placement!r}"
        )


def _keras_application(backbone, weights=None):
    applications = {
        50: keras.applications.ResNet50,
        101: keras.applications.ResNet101,
    }
    # Weights are the same in both formats.
    channels_last = keras.config.image_data_format() == "channels_last"
    return applications[backbone.depth](
        weights=weights,
        include_top=False,
        input_shape=(None, None, 3) if channels_last else (3, None, None),
    )


def _download(backbone):
    try:
        with keras_downloads():
            return _keras_application(backbone, weights="imagenet")
    # Keras raises a plain Exception where a download fails.
    except Exception as error:
        raise FileNotFoundError(
            "The ImageNet weights could not be downloaded: give a local copy "
            f"of the file with `weights` (--weights on the command line). "
            f"Received: {error}"
        ) from error


def _load(backbone, path):
    """Loads `path` into the whole model or into it up to the output block."""
    source = _keras_application(backbone)
    last = f"{backbone.units[-1].name}_out"
    truncated = keras.Model(source.input, source.get_layer(last).output)
    models = {len(model.weights): model for model in (source, truncated)}
    try:
        count = _count_arrays(path)
        # Keras overlooks what a file holds beyond the model: the first units
        # of a deeper ResNet would pass for all of this one.
        if count not in models:
            raise ValueError(f"{count} arrays, not {sorted(models)}")
        models[count].load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        if is_of_system(error):
            raise
        reason = str(error).split("\n")[0]
        raise ValueError(
            f"{path} does not hold the weights of ResNet{backbone.depth} of "
            f"keras.applications. Received: {reason}"
        ) from error
    return source, count == len(source.weights)


def _count_arrays(path):
    import h5py

    arrays = []
    with h5py.File(path) as file:
        file.visititems(
            lambda _, item: arrays.append(isinstance(item, h5py.Dataset))
        )
    return sum(arrays)
