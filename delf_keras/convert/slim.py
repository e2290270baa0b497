"""DELF of TensorFlow 1: slim's ResNet v1 and its attention."""

import re

import numpy as np

from delf_keras.models.delf import Delf
from delf_keras.models.residual import LAYOUTS
from delf_keras.models.resnet import UNITS, ResNet

_STEM = re.compile(r"^(.*?)resnet_v1_(\d+)/conv1/weights$")
_ATTENTION = re.compile(
    r"^(.*(?:attonly|attention_block)/attention/compute)/conv2/weights$"
)
_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def is_slim(names):
    """Whether variables are of a slim ResNet v1."""
    return _first_match(_STEM, names) is not None


def convert_slim(variables, pool_padding):
    """Makes a `Delf` of the variables of a slim network.

    Without an attention among them, they are those of a classifier trained on
    ImageNet, which has other pixels and gets norm attention.

    Args:
        variables: `Variables`.
        pool_padding: See `ResNet`.

    Returns:
        `Delf`, built.

    Raises:
        ValueError: if a variable is missing or of another shape.
    """
    stem = _first_match(_STEM, variables.shapes)
    attention = _first_match(_ATTENTION, variables.shapes)
    scope = f"{stem[1]}resnet_v1_{stem[2]}"
    backbone = ResNet(
        depth=_depth(variables.shapes, scope, int(stem[2])),
        width=variables.shapes[stem[0]][-1],
        stride_placement="last",
        output_stride=32,
        pool_padding=pool_padding,
    )
    if attention is None:
        model = Delf(backbone)
    else:
        batch_norm = f"{attention[1]}/conv1/BatchNorm/gamma" in variables.shapes
        model = Delf(
            backbone,
            attention="conv",
            attention_batch_norm=batch_norm,
            scaling="tf_models",
            resampling="tf1",
        )
    model.build((None, None, None, 3))
    _fill_backbone(backbone, variables, scope)
    if attention is None:
        _take_blue_first(backbone.stem.conv)
    else:
        _fill_attention(model.attention, variables, attention[1])
    return model


def _first_match(pattern, names):
    return next(filter(None, map(pattern.match, sorted(names))), None)


def _depth(names, scope, declared):
    """Returns the depth, which the units that are there must have."""
    counts = tuple(
        len(
            {
                match[1]
                for name in names
                if (
                    match := re.match(
                        rf"{scope}/block{block}/(unit_\d+)/", name
                    )
                )
            }
        )
        for block in (1, 2, 3)
    )
    if declared not in UNITS or UNITS[declared][:3] != counts:
        raise ValueError(
            f"A ResNet of depth {declared} has "
            f"{UNITS.get(declared, 'unknown')[:3]} units in blocks 1 to 3; "
            f"depths are {sorted(UNITS)}. Received: {scope} with {counts}"
        )
    return declared


def _fill_backbone(backbone, variables, scope):
    _fill(backbone.stem, variables, f"{scope}/conv1")
    units = iter(backbone.units)
    for block, count in enumerate(UNITS[backbone.depth][:3], start=1):
        for number in range(1, count + 1):
            unit = next(units)
            name = f"{scope}/block{block}/unit_{number}/bottleneck_v1"
            for part, convolution in enumerate(unit.residual, start=1):
                _fill(convolution, variables, f"{name}/conv{part}")
            if number == 1:
                _fill(unit.shortcut, variables, f"{name}/shortcut")


def _fill(convolution, variables, name):
    """Gives a `ConvBatchNorm` the variables of a scope."""
    kernel = f"{name}/weights"
    convolution.conv.set_weights(
        [variables.take(kernel, convolution.conv.kernel.shape)]
    )
    convolution.batch_norm.set_weights(
        _batch_norm(variables, name, convolution.conv.filters)
    )


def _batch_norm(variables, name, channels):
    return [
        variables.take(f"{name}/BatchNorm/{part}", (channels,))
        for part in _BATCH_NORM
    ]


def _fill_attention(attention, variables, scope):
    shape = attention.conv_1.kernel.shape
    kernel = variables.take(f"{scope}/conv1/weights", shape)
    if attention.bn_1 is None:
        bias = variables.take(f"{scope}/conv1/biases", shape[-1:])
    else:
        bias = np.zeros(shape[-1], np.float32)
        gamma, beta, mean, variance = _batch_norm(
            variables, f"{scope}/conv1", shape[-1]
        )
        # The same gain from the epsilon that our layer has.
        ours = variance.astype(np.float64) + attention.bn_1.epsilon
        gamma = gamma * np.sqrt(ours / (variance + LAYOUTS["last"].epsilon))
        attention.bn_1.set_weights([gamma, beta, mean, variance])
    attention.conv_1.set_weights([kernel, bias])
    attention.conv_2.set_weights(
        [
            variables.take(f"{scope}/conv2/weights", (1, 1, shape[-1], 1)),
            variables.take(f"{scope}/conv2/biases", (1,)),
        ]
    )


def _take_blue_first(conv):
    """Turns a kernel for RGB into one for BGR.

    Slim's classifiers take the same mean off their pixels as
    keras.applications', but in the other order of channels.
    """
    (kernel,) = conv.get_weights()
    conv.set_weights([kernel[:, :, ::-1]])
