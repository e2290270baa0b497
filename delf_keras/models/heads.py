"""Heads: what turns a feature map into logits of classes."""

import keras
from keras import ops

from delf_keras.models.resnet import ResNet


class DescriptorHead(keras.layers.Layer):
    """Block 4, global average pooling and a linear classifier.

    Args:
        backbone: Keras model. Block 4 is added to a `ResNet` without it.
        num_classes: int.

    Output shape:
        `[batch, num_classes]`, float32 logits.
    """

    def __init__(self, backbone, num_classes, **kwargs):
        super().__init__(dtype=backbone.dtype_policy, **kwargs)
        self.block_4 = (
            backbone.make_block(4, 32 // backbone.output_stride)
            if isinstance(backbone, ResNet) and backbone.output_block == 3
            else []
        )
        self.classifier = keras.layers.Dense(num_classes, dtype="float32")

    def build(self, input_shape):
        for unit in self.block_4:
            unit.build(input_shape)
            input_shape = (*input_shape[:-1], 4 * unit.filters)
        self.classifier.build((None, input_shape[-1]))

    def call(self, inputs, training=None):
        x = inputs
        for unit in self.block_4:
            x = unit(x, training=training)
        return self.classifier(ops.mean(ops.cast(x, "float32"), axis=(1, 2)))


class AttentionHead(keras.layers.Layer):
    """Features of unit length, pooled by attention, and a linear classifier.

    Args:
        attention: Layer from features to attention scores.
        num_classes: int.
        pooling: "sum" or "mean".

    Input:
        A pair: the features that are pooled, and those that are scored, both
        `[batch, height, width, channels]`.

    Output shape:
        `[batch, num_classes]`, float32 logits.
    """

    def __init__(self, attention, num_classes, pooling, **kwargs):
        super().__init__(dtype="float32", autocast=False, **kwargs)
        if pooling not in ("sum", "mean"):
            raise ValueError(
                f'pooling must be "sum" or "mean". Received: {pooling=}'
            )
        self.attention = attention
        self.pooling = pooling
        self.classifier = keras.layers.Dense(num_classes, dtype="float32")

    def build(self, input_shape):
        self.classifier.build((None, input_shape[-1]))

    def call(self, inputs, training=None):
        features, scored = inputs
        scores = self.attention(scored, training=training)
        # Unit length in float32: bfloat16 would lose a percent of it.
        unit = ops.normalize(ops.cast(features, "float32"), axis=-1)
        pool = ops.sum if self.pooling == "sum" else ops.mean
        return self.classifier(pool(scores[..., None] * unit, axis=(1, 2)))
