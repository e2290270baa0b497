"""The convolutions and residual units that ResNets are made of."""

from dataclasses import dataclass

import keras


@dataclass(frozen=True)
class Layout:
    """What differs between the published families of ResNet weights.

    Attributes:
        use_bias: Whether convolutions have biases beside their batch norms.
        epsilon: Of the batch norms.
        stem_padding: "symmetric", a margin alike on all sides, or "same", one
            that depends on the parity of the image's sides.
        pool_padding: These, or "none".
    """

    use_bias: bool
    epsilon: float
    stem_padding: str
    pool_padding: str


LAYOUTS = {
    # keras.applications: the first 1x1 convolution of a block strides.
    "first": Layout(True, 1.001e-5, "symmetric", "symmetric"),
    # TF-slim: the 3x3 convolution of a block's last unit strides.
    # TensorFlow 1 raises an epsilon of 1e-5 to the smallest that cuDNN takes.
    "last": Layout(False, 1.001e-5, "symmetric", "same"),
    # Keras in tensorflow/models: strides as "first".
    "tf2": Layout(True, 1e-3, "same", "none"),
}


class ConvBatchNorm(keras.layers.Layer):
    """A convolution and its batch norm.

    Args:
        filters: int. Output channels.
        kernel_size: int, odd.
        strides: int.
        layout: `Layout`.
        batch_norm: bool. Without it the convolution has a bias, into which
            a batch norm can be folded.
        relu: bool. Whether a ReLU follows.
        padding: "symmetric" or "same", see `Layout`.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides,
        layout,
        batch_norm,
        relu,
        padding="symmetric",
        **kwargs,
    ):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        # Keras' "same" pads a strided convolution by the parity of its input.
        explicit = strides > 1 and kernel_size > 1 and padding == "symmetric"
        self.pad = (
            keras.layers.ZeroPadding2D(
                kernel_size // 2, data_format="channels_last", dtype=policy
            )
            if explicit
            else None
        )
        self.conv = keras.layers.Conv2D(
            filters,
            kernel_size,
            strides,
            "valid" if explicit else "same",
            data_format="channels_last",
            use_bias=layout.use_bias or not batch_norm,
            dtype=policy,
            name=f"{self.name}_conv",
        )
        self.batch_norm = (
            keras.layers.BatchNormalization(
                epsilon=layout.epsilon, dtype=policy, name=f"{self.name}_bn"
            )
            if batch_norm
            else None
        )
        self.relu = keras.layers.ReLU(dtype=policy) if relu else None

    def build(self, input_shape):
        self.conv.build(input_shape)
        if self.batch_norm is not None:
            self.batch_norm.build((*input_shape[:-1], self.conv.filters))

    def call(self, inputs, training=None):
        x = self.conv(inputs if self.pad is None else self.pad(inputs))
        if self.batch_norm is not None:
            x = self.batch_norm(x, training=training)
        return x if self.relu is None else self.relu(x)


class Bottleneck(keras.layers.Layer):
    """A residual unit of a 1x1, a 3x3 and a 1x1 convolution.

    Args:
        filters: int. Channels of the first two convolutions; the last has
            four times as many.
        strides: int. Subsampling of the unit.
        stride_placement: "first", "last" or "tf2", see `ResNet`.
        projection: bool. Whether the shortcut is a 1x1 convolution (where the
            number of channels changes) or the input itself.
        batch_norm: bool. See `ConvBatchNorm`.
    """

    def __init__(
        self,
        filters,
        strides,
        stride_placement,
        projection,
        batch_norm,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = filters

        def convolution(index, filters, kernel_size, strides, relu):
            return ConvBatchNorm(
                filters,
                kernel_size,
                strides,
                LAYOUTS[stride_placement],
                batch_norm,
                relu,
                dtype=self.dtype_policy,
                name=f"{self.name}_{index}",
            )

        first = strides if stride_placement != "last" else 1
        middle = strides if stride_placement == "last" else 1
        self.residual = [
            convolution(1, filters, 1, first, relu=True),
            convolution(2, filters, 3, middle, relu=True),
            convolution(3, 4 * filters, 1, 1, relu=False),
        ]
        self.shortcut = None
        if projection:
            self.shortcut = convolution(0, 4 * filters, 1, strides, relu=False)
        elif strides > 1:
            self.shortcut = keras.layers.MaxPooling2D(
                1,
                strides,
                data_format="channels_last",
                dtype=self.dtype_policy,
            )
        self.relu = keras.layers.ReLU(dtype=self.dtype_policy)

    def convolutions(self):
        """Returns every `ConvBatchNorm` of the unit."""
        projection = isinstance(self.shortcut, ConvBatchNorm)
        return (
            [self.shortcut, *self.residual]
            if projection
            else list(self.residual)
        )

    def build(self, input_shape):
        if isinstance(self.shortcut, ConvBatchNorm):
            self.shortcut.build(input_shape)
        for layer in self.residual:
            layer.build(input_shape)
            input_shape = (*input_shape[:-1], layer.conv.filters)

    def call(self, inputs, training=None):
        x = inputs
        for layer in self.residual:
            x = layer(x, training=training)
        if isinstance(self.shortcut, ConvBatchNorm):
            inputs = self.shortcut(inputs, training=training)
        elif self.shortcut is not None:
            inputs = self.shortcut(inputs)
        return self.relu(x + inputs)
