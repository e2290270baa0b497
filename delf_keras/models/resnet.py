"""ResNet backbones in the layouts that DELF weights come in."""

import keras

from delf_keras.models.residual import LAYOUTS, Bottleneck, ConvBatchNorm

# Bottleneck units of blocks 1 to 4 (conv2 to conv5 in Keras' layer names).
UNITS = {
    14: (1, 1, 1, 1),
    26: (2, 2, 2, 2),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
}

# Pixels on a side of which pooling without padding makes one cell. Of fewer,
# TensorFlow makes an error, or its process dies.
_LEAST_UNPADDED = 5


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
            convolution of its last unit, whose shortcut is max-pooled), "tf2"
            for Keras in tensorflow/models ("first", with other padding).
        output_block: 3 or 4. The block whose feature map is returned.
        output_stride: Pixels of the image per cell of the feature map: 16 or
            32 for block 3, 32 for block 4.
        batch_norm: bool. Without it, convolutions have biases into which
            `fold_batch_norm` has put the batch norms.
        pool_padding: "symmetric", "same" (by the parity of its input) or
            "none": how the max-pooling pads. Defaults to that of the layout,
            "same" for "last"; Google's exports of it are symmetric.

    Input shape:
        `[batch, height, width, 3]`, any height and width, scaled as the
        weights expect.

    Output shape:
        `[batch, ceil(height / output_stride), ceil(width / output_stride),
        channels]`. "tf2" has a cell less where its pooling, which does not
        pad, leaves a part of a window, and none on a side of fewer than five
        pixels.

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
        batch_norm=True,
        pool_padding=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        _check_arguments(depth, stride_placement, output_block, output_stride)
        self.depth = depth
        self.width = width
        self.stride_placement = stride_placement
        self.output_block = output_block
        self.output_stride = output_stride
        self.batch_norm = batch_norm

        layout = LAYOUTS[stride_placement]
        self.pool_padding = pool_padding or layout.pool_padding
        policy = self.dtype_policy
        self.stem = ConvBatchNorm(
            width,
            7,
            2,
            layout,
            batch_norm,
            relu=True,
            padding=layout.stem_padding,
            dtype=policy,
            name="conv1",
        )
        self.pool_pad = (
            keras.layers.ZeroPadding2D(
                1, data_format="channels_last", dtype=policy
            )
            if self.pool_padding == "symmetric"
            else None
        )
        self.pool = keras.layers.MaxPooling2D(
            3,
            2,
            "same" if self.pool_padding == "same" else "valid",
            data_format="channels_last",
            dtype=policy,
        )
        self.units = [
            unit
            for block, strides in enumerate(self._block_strides(), start=1)
            for unit in self.make_block(block, strides)
        ]
        # Of a block that strides at its start, only every second cell is kept.
        total = 4
        for strides in self._block_strides():
            total *= strides
        self.subsample = (
            keras.layers.MaxPooling2D(
                1,
                output_stride // total,
                data_format="channels_last",
                dtype=policy,
            )
            if total < output_stride
            else None
        )

    @property
    def channels(self):
        """Channels of the feature map."""
        return self.width * 2 ** (self.output_block - 1) * 4

    def _block_strides(self):
        """Returns the stride of each block up to the output."""
        if self.stride_placement != "last":
            return (1, 2, 2, 2)[: self.output_block]
        if self.output_block == 3 and self.output_stride == 16:
            return (2, 2, 1)
        return (2, 2, 2, 1)[: self.output_block]

    def make_block(self, block, strides):
        """Returns new residual units of a block in the layout of this one.

        Args:
            block: int, 1 to 4.
            strides: int. Subsampling of the block.

        Returns:
            list of `Bottleneck`, not built and no part of this model.
        """
        count = UNITS[self.depth][block - 1]
        striding = count - 1 if self.stride_placement == "last" else 0
        return [
            Bottleneck(
                self.width * 2 ** (block - 1),
                strides if i == striding else 1,
                self.stride_placement,
                projection=i == 0,
                batch_norm=self.batch_norm,
                dtype=self.dtype_policy,
                name=f"conv{block + 1}_block{i + 1}",
            )
            for i in range(count)
        ]

    def build(self, input_shape):
        self.stem.build(input_shape)
        shape = (*input_shape[:-1], self.width)
        for unit in self.units:
            unit.build(shape)
            shape = (*shape[:-1], 4 * unit.filters)
        self.built = True

    def call(self, inputs, training=None):
        sides = keras.ops.shape(inputs)[1:3]
        unpadded = self.pool_padding == "none"
        x = _padded(inputs, sides) if unpadded else inputs
        x = self.stem(x, training=training)
        x = self.pool(x if self.pool_pad is None else self.pool_pad(x))
        for unit in self.units:
            x = unit(x, training=training)
        if self.subsample is not None:
            x = self.subsample(x)
        if unpadded:
            rows, columns = map(self._cells, sides)
            x = x[:, :rows, :columns]
        return x

    def compute_output_shape(self, input_shape):
        batch, *sides, _ = input_shape
        rows_columns = (
            side if side is None else self._cells(side) for side in sides
        )
        return (batch, *rows_columns, self.channels)

    def _cells(self, side):
        """Returns how many cells a side of the image has."""
        if self.pool_padding != "none":
            return -(-side // self.output_stride)
        pooled = (-(-side // 2) - 1) // 2
        return -(-pooled // (self.output_stride // 4))

    def convolutions(self):
        """Returns every `ConvBatchNorm`, from the image on."""
        return [
            self.stem,
            *(conv for unit in self.units for conv in unit.convolutions()),
        ]

    def spatial_layers(self):
        """Returns the (kernel size, strides) of each layer on the deepest path.

        The receptive field is derived from these as if every layer padded its
        first side by `(kernel size - 1) // 2`. "first" does. What pads "same"
        pads a side of even length by one less there, and what pads nothing by
        nothing: the field of "last" begins two pixels later than is said on
        sides that are even after the first convolution, unless its pooling is
        "symmetric", and that of "tf2" two pixels later on odd sides and three
        on even ones. Google's code overlooks this as well, and published
        features have the same locations.
        """
        path = [layer.conv for unit in self.units for layer in unit.residual]
        if self.subsample is not None:
            path.append(self.subsample)
        return [
            (layer.pool_size, layer.strides)
            if isinstance(layer, keras.layers.MaxPooling2D)
            else (layer.kernel_size, layer.strides)
            for layer in [self.stem.conv, self.pool, *path]
        ]

    def get_config(self):
        default = LAYOUTS[self.stride_placement].pool_padding
        # Left out, it leaves the fingerprints of older models as they are.
        padding = (
            {}
            if self.pool_padding == default
            else {"pool_padding": self.pool_padding}
        )
        return super().get_config() | {
            **padding,
            "depth": self.depth,
            "width": self.width,
            "stride_placement": self.stride_placement,
            "output_block": self.output_block,
            "output_stride": self.output_stride,
            "batch_norm": self.batch_norm,
        }


def _padded(images, sides):
    """Pads images at their ends to the least that can be pooled."""
    missing = [
        max(_LEAST_UNPADDED - side, 0)
        if isinstance(side, int)
        else keras.ops.maximum(_LEAST_UNPADDED - side, 0)
        for side in sides
    ]
    return keras.ops.pad(
        images, [[0, 0], *([0, each] for each in missing), [0, 0]]
    )


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
