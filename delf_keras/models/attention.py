"""Attention: how much each cell of a feature map matters for retrieval."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="delf_keras")
class Attention(keras.layers.Layer):
    """Two 1x1 convolutions that score each cell of a feature map.

    The scores are `softplus(conv(relu(batch_norm(conv(features)))))`, of the
    features as they are, not normalised.

    Args:
        filters: int. Channels of the hidden convolution.
        batch_norm: bool. Whether the hidden convolution is batch-normalised,
            as in Google's code; the paper does not mention it.

    Input shape:
        `[batch, height, width, channels]`.

    Output shape:
        `[batch, height, width]`, float32, greater than 0.

    Reference:
        Noh et al., arXiv 1612.06321, section 4.2.
    """

    def __init__(self, filters=512, batch_norm=True, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.batch_norm = batch_norm
        policy = self.dtype_policy
        self.conv_1 = keras.layers.Conv2D(
            filters, 1, data_format="channels_last", dtype=policy
        )
        self.bn_1 = (
            keras.layers.BatchNormalization(epsilon=1e-3, dtype=policy)
            if batch_norm
            else None
        )
        self.conv_2 = keras.layers.Conv2D(
            1, 1, data_format="channels_last", dtype=policy
        )

    def build(self, input_shape):
        self.conv_1.build(input_shape)
        hidden = (*input_shape[:-1], self.filters)
        if self.bn_1 is not None:
            self.bn_1.build(hidden)
        self.conv_2.build(hidden)

    def call(self, inputs, training=None):
        x = self.conv_1(inputs)
        if self.bn_1 is not None:
            x = self.bn_1(x, training=training)
        x = self.conv_2(ops.relu(x))
        return ops.softplus(ops.cast(x[..., 0], "float32"))

    def compute_output_shape(self, input_shape):
        return input_shape[:-1]

    def compute_output_spec(self, inputs, training=None):
        return keras.KerasTensor(inputs.shape[:-1], "float32")

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "batch_norm": self.batch_norm,
        }


@keras.saving.register_keras_serializable(package="delf_keras")
class NormAttention(keras.layers.Layer):
    """The L2 norm of a feature as its attention score.

    It needs no training, so that a backbone without trained attention can be
    searched with at once.

    Input shape:
        `[batch, height, width, channels]`.

    Output shape:
        `[batch, height, width]`, float32, at least 0.

    Reference:
        Tolias et al., "Learning and aggregating deep local descriptors for
        instance-level recognition", arXiv 2007.13172, section 3.
    """

    def call(self, inputs, training=None):
        features = ops.cast(inputs, "float32")
        return ops.sqrt(ops.sum(ops.square(features), axis=-1))

    def compute_output_shape(self, input_shape):
        return input_shape[:-1]

    def compute_output_spec(self, inputs, training=None):
        return keras.KerasTensor(inputs.shape[:-1], "float32")
