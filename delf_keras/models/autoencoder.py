"""The autoencoder: a learned reduction of the features' dimension."""

import keras


@keras.saving.register_keras_serializable(package="delf_keras")
class Autoencoder(keras.layers.Layer):
    """A 1x1 convolution to fewer channels, and one that restores them.

    Args:
        dimension: int. Channels of the reduced features.
        channels: int. Channels of the features.

    Input shape:
        `[batch, height, width, channels]`.

    Output:
        A pair: the reduced features `[batch, height, width, dimension]`, and
        the restored ones, `[batch, height, width, channels]`, at least 0.

    Reference:
        Cao et al., "Unifying Deep Local and Global Features for Image
        Search", arXiv 2001.05027, section 3.3.
    """

    def __init__(self, dimension, channels, **kwargs):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.dimension = dimension
        self.channels = channels
        self.encoder = keras.layers.Conv2D(
            dimension, 1, data_format="channels_last", dtype=policy
        )
        self.decoder = keras.layers.Conv2D(
            channels,
            1,
            data_format="channels_last",
            activation="relu",
            dtype=policy,
        )

    def build(self, input_shape):
        self.encoder.build(input_shape)
        self.decoder.build((*input_shape[:-1], self.dimension))

    def call(self, inputs):
        reduced = self.encoder(inputs)
        return reduced, self.decoder(reduced)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.dimension), input_shape

    def get_config(self):
        return super().get_config() | {
            "dimension": self.dimension,
            "channels": self.channels,
        }
