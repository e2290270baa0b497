"""Which pixels a cell of the feature map sees."""

import bisect
from dataclasses import dataclass

import keras

# Pixels on a side of which every backbone has a cell.
_LARGEST = 1024


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of the cells of a feature map.

    Cell `i` sees the pixels from `stride * i - padding` on, `size` of them.
    Of a `ResNet`, `size == 2 * padding + 1`, and so its center is at
    `stride * i` exactly; `ResNet.spatial_layers` tells where that is two or
    three pixels off.

    Attributes:
        size: Pixels on a side.
        stride: Pixels from one cell to the next.
        padding: Pixels by which the first cell reaches beyond the image.
    """

    size: int
    stride: int
    padding: int

    def behind(self, kernel, stride, padding):
        """Returns the field of the cells of a layer that sees these.

        Args:
            kernel: int. Cells that it sees.
            stride: int. Cells from one to the next.
            padding: int. Cells by which the first reaches beyond the map.
        """
        return ReceptiveField(
            self.size + (kernel - 1) * self.stride,
            self.stride * stride,
            self.padding + padding * self.stride,
        )


def receptive_field_of(backbone):
    """Returns the receptive field of a backbone.

    Args:
        backbone: Keras model, functional or with a method `spatial_layers()`,
            see `receptive_field`. What pads "same" is taken to see sides that
            its stride divides. Global pooling, as in squeeze and excitation,
            is overlooked.

    Returns:
        `ReceptiveField`.

    Raises:
        ValueError: if it cannot be derived.
    """
    if hasattr(backbone, "spatial_layers"):
        return receptive_field(backbone.spatial_layers())
    try:
        field = _derived(backbone)
        # Upsampling, or what else is not known here.
        side = 8 * field.size // field.stride * field.stride
        cells = [
            backbone.compute_output_shape((1, each, each, 3))[1]
            for each in (side, side + 8 * field.stride)
        ]
        known = cells[1] - cells[0] == 8
    except (AttributeError, KeyError, TypeError, ValueError):
        known = False
    if not known:
        raise ValueError(
            "The receptive field of a backbone is derived from the layers of "
            "a functional model without another inside, or else from its "
            "method `spatial_layers()`, which returns the kernel size and the "
            f"stride of each layer. Received: {backbone.name}"
        )
    return field


def _derived(model):
    """Follows the widest path through the layers of a functional model."""
    fields = {id(model.inputs[0]): ReceptiveField(1, 1, 0)}
    for layer in getattr(model, "operations", None) or model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        inputs = keras.tree.flatten(layer.input)
        seen = max((fields[id(each)] for each in inputs), key=lambda f: f.size)
        fields[id(layer.output)] = seen.behind(*_window(layer))
    return fields[id(model.outputs[0])]


def _window(layer):
    """Returns the kernel, stride and padding of a layer, in its rows."""
    if isinstance(layer, keras.Model):
        field = _derived(layer)
        return field.size, field.stride, field.padding
    padding = getattr(layer, "padding", "valid")
    if isinstance(layer, keras.layers.ZeroPadding2D):
        return 1, 1, padding[0][0]
    if isinstance(layer, keras.layers.Cropping2D):
        return 1, 1, -layer.cropping[0][0]
    size = getattr(layer, "kernel_size", getattr(layer, "pool_size", 1))
    dilation = _first(getattr(layer, "dilation_rate", 1))
    kernel = (_first(size) - 1) * dilation + 1
    stride = _first(getattr(layer, "strides", 1))
    same = padding == "same"
    return kernel, stride, max(kernel - stride, 0) // 2 if same else 0


def least_side(backbone):
    """Returns the side of the smallest image of which a backbone has a cell.

    Args:
        backbone: Keras model.

    Returns:
        int, pixels.
    """

    def has_cell(side):
        try:
            shape = backbone.compute_output_shape((1, side, side, 3))
        # As a convolution without padding does.
        except ValueError:
            return False
        return all(shape)

    return 1 + bisect.bisect_left(range(1, _LARGEST), True, key=has_cell)


def receptive_field(spatial_layers):
    """Derives the receptive field of a stack of convolutions and poolings.

    Args:
        spatial_layers: Pairs of kernel size and stride, each an int or
            (rows, columns), from the image on. Each layer is taken to pad its
            first side by `(kernel size - 1) // 2`.

    Returns:
        `ReceptiveField`.
    """
    field = ReceptiveField(1, 1, 0)
    for kernel, stride in spatial_layers:
        kernel = _first(kernel)
        field = field.behind(kernel, _first(stride), (kernel - 1) // 2)
    return field


def _first(value):
    return value if isinstance(value, int) else value[0]
