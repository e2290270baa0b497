"""DELF and DELG of TensorFlow 2: Keras' ResNet50 in tensorflow/models.

Written from the names in its code; no published file has been tried.
"""

import re

from delf_keras.models.delf import Delf
from delf_keras.models.resnet import ResNet

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_STEM = re.compile(rf"^(.*)backbone/conv1/kernel{_VALUE}$")
_BLOCKS = {"l2": "abc", "l3": "abcd", "l4": "abcdef"}


def is_tf2(names):
    """Whether variables are of a DELF that TensorFlow 2 saved."""
    return any(map(_STEM.match, names))


def convert_tf2(variables, output_stride=32):
    """Makes a `Delf` of the variables of a Keras DELF or DELG.

    Args:
        variables: `Variables`.
        output_stride: 32, or 16 for a model without `block3_strides`.

    Returns:
        `Delf`, built.

    Raises:
        ValueError: if a variable is missing or of another shape.
    """
    stem = next(filter(None, map(_STEM.match, sorted(variables.shapes))))
    root = stem[1]
    encoder = f"{root}autoencoder/conv1/kernel{_VALUE}"
    backbone = ResNet(
        width=variables.shapes[stem[0]][-1],
        stride_placement="tf2",
        output_stride=output_stride,
    )
    model = Delf(
        backbone,
        attention="conv",
        scaling="tf_models",
        autoencoder=variables.shapes[encoder][-1]
        if encoder in variables.shapes
        else None,
        resampling="tf2",
    )
    model.build((None, None, None, 3))
    for layer, name in _layers(model, root):
        layer.set_weights(
            [
                variables.take(f"{name}/{weight.name}{_VALUE}", weight.shape)
                for weight in layer.weights
            ]
        )
    return model


def _layers(model, root):
    """Yields pairs of a layer and the name of its object."""
    backbone = model.backbone
    yield backbone.stem.conv, f"{root}backbone/conv1"
    yield backbone.stem.batch_norm, f"{root}backbone/bn_conv1"
    units = iter(backbone.units)
    for block, letters in _BLOCKS.items():
        for letter in letters:
            unit = next(units)
            name = f"{root}backbone/{block}{letter}"
            for part, convolution in zip("abc", unit.residual, strict=True):
                yield convolution.conv, f"{name}/conv2{part}"
                yield convolution.batch_norm, f"{name}/bn2{part}"
            if letter == "a":
                yield unit.shortcut.conv, f"{name}/conv_shortcut"
                yield unit.shortcut.batch_norm, f"{name}/bn_shortcut"
    yield model.attention.conv_1, f"{root}attention/conv1"
    yield model.attention.bn_1, f"{root}attention/bn_conv1"
    yield model.attention.conv_2, f"{root}attention/conv2"
    if model.autoencoder is not None:
        yield model.autoencoder.encoder, f"{root}autoencoder/conv1"
        yield model.autoencoder.decoder, f"{root}autoencoder/conv2"
