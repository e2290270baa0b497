"""Batch norms folded into convolutions, for inference."""

import keras
import numpy as np

from delf_keras.models.attention import Attention
from delf_keras.models.delf import Delf
from delf_keras.models.resnet import ResNet
from delf_keras.models.weights import with_dtype


def fold_batch_norm(model, dtype=None):
    """Returns a model without batch norms that computes the same.

    Folding leaves convolution, bias and ReLU, which every backend runs as one
    operation, in bfloat16 too, where a batch norm would go back to float32.

    Args:
        model: `Delf`, built. Of a backbone that is no `ResNet`, batch norms are
            kept.
        dtype: A Keras dtype policy for the new model. Defaults to the global
            one.

    Returns:
        `Delf` for inference: its batch statistics are fixed.
    """
    folded = Delf(
        **model.get_config()
        | {
            "backbone": _fold_backbone(model.backbone, dtype),
            "attention_batch_norm": False,
            "dtype": dtype,
        }
    )
    folded.build((None, None, None, 3))
    if isinstance(model.attention, Attention):
        source, target = model.attention, folded.attention
        _fold(source.conv_1, source.bn_1, target.conv_1)
        target.conv_2.set_weights(source.conv_2.get_weights())
    if model.autoencoder is not None:
        folded.autoencoder.set_weights(model.autoencoder.get_weights())
    return folded


def _fold_backbone(backbone, dtype):
    if not isinstance(backbone, ResNet):
        return with_dtype(backbone, dtype)
    changed = {"batch_norm": False, "dtype": dtype}
    folded = ResNet.from_config(backbone.get_config() | changed)
    folded.build((None, None, None, 3))
    for source, target in zip(
        backbone.convolutions(), folded.convolutions(), strict=True
    ):
        _fold(source.conv, source.batch_norm, target.conv)
    return folded


def _fold(conv, batch_norm, target):
    """Sets the weights of `target` to those of `conv` then `batch_norm`."""
    kernel = _float64(conv.kernel)
    bias = _float64(conv.bias) if conv.use_bias else 0.0
    if batch_norm is not None:
        variance = _float64(batch_norm.moving_variance)
        gain = _float64(batch_norm.gamma) / np.sqrt(
            variance + batch_norm.epsilon
        )
        kernel = kernel * gain
        bias = (bias - _float64(batch_norm.moving_mean)) * gain
        bias = bias + _float64(batch_norm.beta)
    target.set_weights([kernel, bias])


def _float64(variable):
    return keras.ops.convert_to_numpy(variable).astype(np.float64)
