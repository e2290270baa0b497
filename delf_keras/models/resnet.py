"""ResNet backbones in the two layouts that DELF weights come in."""

from dataclasses import dataclass

import keras

# Bottleneck units of blocks 1 to 4 (conv2 to conv5 in Keras' layer names).
UNITS = {
    14: (1, 1, 1, 1),
    26: (2, 2, 2, 2),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
}


@dataclass(frozen=True)
class Layout:
    """What differs between the two published families of ResNet weights."""

    use_bias: bool
    epsilon: float
    pool_padding: str


LAYOUTS = {
    # keras.applications: the first 1x1 convolution of a block strides.
    "first": Layout(use_bias=True, epsilon=1.001e-5, pool_padding="valid"),
    # TF-slim: the 3x3 convolution of a block's last unit strides.
    "last": Layout(use_bias=False, epsilon=1e-5, pool_padding="same"),
}


class Bottleneck(keras.layers.Layer):
    """A residual unit of a 1x1, a 3x3 and a 1x1 convolution.

    Args:
        filters: int. Channels of the first two convolutions; the last has
            four times as many.
        strides: int. Subsampling of the unit.
        stride_placement: "first" or "last", see `ResNet`.
        projection: bool. Whether the shortcut is a 1x1 convolution (where the
            number of channels changes) or the input itself.
        name: str. Prefix of the names of the layers inside.
    """

    def __init__(
        self,
        filters,
        strides=1,
        stride_placement="first",
        projection=False,
        name=None,
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.filters = filters
        self.strides = strides
        self.stride_placement = stride_placement
        self.projection = projection

        first = strides if stride_placement == "first" else 1
        middle = strides if stride_placement == "last" else 1
        self.conv_1 = self._conv("1_conv", filters, 1, first)
        self.bn_1 = self._batch_norm("1_bn")
        # "same" would pad a strided convolution by the parity of its input.
        policy = self.dtype_policy
        self.pad_2 = (
            keras.layers.ZeroPadding2D(1, dtype=policy) if middle > 1 else None
        )
        self.conv_2 = self._conv(
            "2_conv", filters, 3, middle, "valid" if middle > 1 else "same"
        )
        self.bn_2 = self._batch_norm("2_bn")
        self.conv_3 = self._conv("3_conv", 4 * filters, 1, 1)
        self.bn_3 = self._batch_norm("3_bn")
        self.conv_0 = self.bn_0 = self.pool_0 = None
        if projection:
            self.conv_0 = self._conv("0_conv", 4 * filters, 1, strides)
            self.bn_0 = self._batch_norm("0_bn")
        elif strides > 1:
            self.pool_0 = keras.layers.MaxPooling2D(1, strides, dtype=policy)
        self.relu = keras.layers.ReLU(dtype=policy)

    def _conv(self, suffix, filters, size, strides, padding="valid"):
        return keras.layers.Conv2D(
            filters,
            size,
            strides,
            padding,
            use_bias=LAYOUTS[self.stride_placement].use_bias,
            dtype=self.dtype_policy,
            name=f"{self.name}_{suffix}",
        )

    def _batch_norm(self, suffix):
        return keras.layers.BatchNormalization(
            epsilon=LAYOUTS[self.stride_placement].epsilon,
            dtype=self.dtype_policy,
            name=f"{self.name}_{suffix}",
        )

    def build(self, input_shape):
        if self.conv_0 is not None:
            self.conv_0.build(input_shape)
            self.bn_0.build(self.conv_0.compute_output_shape(input_shape))
        shape = input_shape
        for conv, batch_norm in self.convolutions():
            conv.build(shape)
            shape = (*shape[:-1], conv.filters)
            batch_norm.build(shape)

    def convolutions(self):
        """Returns the (convolution, batch norm) pairs of the residual path."""
        return (
            (self.conv_1, self.bn_1),
            (self.conv_2, self.bn_2),
            (self.conv_3, self.bn_3),
        )

    def call(self, inputs, training=None):
        shortcut = inputs
        if self.conv_0 is not None:
            shortcut = self.bn_0(self.conv_0(inputs), training=training)
        elif self.pool_0 is not None:
            shortcut = self.pool_0(inputs)
        x = self.relu(self.bn_1(self.conv_1(inputs), training=training))
        if self.pad_2 is not None:
            x = self.pad_2(x)
        x = self.relu(self.bn_2(self.conv_2(x), training=training))
        x = self.bn_3(self.conv_3(x), training=training)
        return self.relu(x + shortcut)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return (
            batch,
            None if height is None else -(-height // self.strides),
            None if width is None else -(-width // self.strides),
            4 * self.filters,
        )

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "strides": self.strides,
            "stride_placement": self.stride_placement,
            "projection": self.projection,
        }


@keras.saving.register_keras_serializable(package="delf_keras")
class ResNet(keras.Model):
    """A ResNet up to block 3 or 4, without a head.

    Args:
        depth: 14, 26, 50 or 101 layers.
        width: int. Channels of the first convolution. Block `n` has
            `width * 2**(n - 1) * 4` channels.
        stride_placement: "first" for the layout of keras.applications (a
            block strides in its first 1x1 convolution), "last" for that of
            TF-slim, the one of Google's DELF (a block strides in the 3x3
            convolution of its last unit, whose shortcut is max-pooled).
        output_block: 3 or 4. The block whose feature map is returned.
        output_stride: Pixels of the image per cell of the feature map: 16 or
            32 for block 3, 32 for block 4.

    Input shape:
        `[batch, height, width, 3]`, any height and width, scaled as the
        weights expect.

    Output shape:
        `[batch, ceil(height / output_stride), ceil(width / output_stride),
        channels]`.

    Reference:
        He et al., arXiv 1512.03385.
    """

    def __init__(
        self,
        depth=50,
        width=64,
        stride_placement="first",
        output_block=3,
        output_stride=16,
        **kwargs,
    ):
        super().__init__(**kwargs)
        _check_arguments(depth, stride_placement, output_block, output_stride)
        self.depth = depth
        self.width = width
        self.stride_placement = stride_placement
        self.output_block = output_block
        self.output_stride = output_stride

        layout = LAYOUTS[stride_placement]
        policy = self.dtype_policy
        self.conv_pad = keras.layers.ZeroPadding2D(3, dtype=policy)
        self.conv = keras.layers.Conv2D(
            width,
            7,
            2,
            use_bias=layout.use_bias,
            dtype=policy,
            name="conv1_conv",
        )
        self.bn = keras.layers.BatchNormalization(
            epsilon=layout.epsilon, dtype=policy, name="conv1_bn"
        )
        self.relu = keras.layers.ReLU(dtype=policy)
        self.pool_pad = (
            keras.layers.ZeroPadding2D(1, dtype=policy)
            if layout.pool_padding == "valid"
            else None
        )
        self.pool = keras.layers.MaxPooling2D(
            3, 2, layout.pool_padding, dtype=policy
        )
        self.units = [
            unit
            for block, strides in enumerate(self._block_strides(), start=1)
            for unit in self._block(block, strides)
        ]
        # Of a block that strides at its start, only every second cell is kept.
        total = 4
        for strides in self._block_strides():
            total *= strides
        self.subsample = (
            keras.layers.MaxPooling2D(1, output_stride // total, dtype=policy)
            if total < output_stride
            else None
        )

    @property
    def channels(self):
        """Channels of the feature map."""
        return self.width * 2 ** (self.output_block - 1) * 4

    def _block_strides(self):
        """Returns the stride of each block up to the output."""
        if self.stride_placement == "first":
            return (1, 2, 2, 2)[: self.output_block]
        if self.output_block == 3 and self.output_stride == 16:
            return (2, 2, 1)
        return (2, 2, 2, 1)[: self.output_block]

    def _block(self, block, strides):
        count = UNITS[self.depth][block - 1]
        striding = 0 if self.stride_placement == "first" else count - 1
        return [
            Bottleneck(
                self.width * 2 ** (block - 1),
                strides if i == striding else 1,
                self.stride_placement,
                projection=i == 0,
                dtype=self.dtype_policy,
                name=f"conv{block + 1}_block{i + 1}",
            )
            for i in range(count)
        ]

    def build(self, input_shape):
        self.conv.build(input_shape)
        shape = (*input_shape[:-1], self.width)
        self.bn.build(shape)
        for unit in self.units:
            unit.build(shape)
            shape = (*shape[:-1], 4 * unit.filters)
        self.built = True

    def call(self, inputs, training=None):
        x = self.conv(self.conv_pad(inputs))
        x = self.relu(self.bn(x, training=training))
        x = self.pool(x if self.pool_pad is None else self.pool_pad(x))
        for unit in self.units:
            x = unit(x, training=training)
        return x if self.subsample is None else self.subsample(x)

    def spatial_layers(self):
        """Returns the (kernel size, stride) of each layer on the deepest path.

        Every layer pads by `(kernel size - 1) // 2` on its first side, so
        this is all that the receptive field depends on.
        """
        layers = [self.conv, self.pool]
        for unit in self.units:
            layers += [conv for conv, _ in unit.convolutions()]
        if self.subsample is not None:
            layers.append(self.subsample)
        return [
            (
                getattr(layer, "kernel_size", None) or layer.pool_size,
                layer.strides,
            )
            for layer in layers
        ]

    def named_layers(self):
        """Returns the layers that have weights, by keras.applications' name."""
        layers = [self.conv, self.bn]
        for unit in self.units:
            if unit.conv_0 is not None:
                layers += [unit.conv_0, unit.bn_0]
            layers += [layer for pair in unit.convolutions() for layer in pair]
        return {layer.name: layer for layer in layers}

    def get_config(self):
        return super().get_config() | {
            "depth": self.depth,
            "width": self.width,
            "stride_placement": self.stride_placement,
            "output_block": self.output_block,
            "output_stride": self.output_stride,
        }


def _check_arguments(depth, stride_placement, output_block, output_stride):
    if depth not in UNITS:
        raise ValueError(
            f"depth must be one of {sorted(UNITS)}. Received: depth={depth}"
        )
    if stride_placement not in LAYOUTS:
        raise ValueError(
            f"stride_placement must be one of {sorted(LAYOUTS)}. "
            f"Received: stride_placement={stride_placement!r}"
        )
    strides = {3: (16, 32), 4: (32,)}.get(output_block)
    if strides is None:
        raise ValueError(
            "output_block must be 3 or 4. "
            f"Received: output_block={output_block}"
        )
    if output_stride not in strides:
        raise ValueError(
            f"output_stride of block {output_block} must be one of "
            f"{strides}. Received: output_stride={output_stride}"
        )
