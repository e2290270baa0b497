"""Which pixels a cell of the feature map sees."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of the cells of a feature map.

    Cell `i` sees the pixels from `stride * i - padding` on, `size` of them.
    Since `size == 2 * padding + 1`, its center is at `stride * i` exactly;
    `ResNet.spatial_layers` tells where that is two or three pixels off.

    Attributes:
        size: Pixels on a side.
        stride: Pixels from one cell to the next.
        padding: Pixels by which the first cell reaches beyond the image.
    """

    size: int
    stride: int
    padding: int


def receptive_field(spatial_layers):
    """Derives the receptive field of a stack of convolutions and poolings.

    Args:
        spatial_layers: Pairs of kernel size and stride, each an int or
            (rows, columns), from the image on. Each layer is taken to pad its
            first side by `(kernel size - 1) // 2`.

    Returns:
        `ReceptiveField`.
    """
    size, stride, padding = 1, 1, 0
    for kernel, step in spatial_layers:
        kernel, step = _first(kernel), _first(step)
        size += (kernel - 1) * stride
        padding += (kernel - 1) // 2 * stride
        stride *= step
    return ReceptiveField(size, stride, padding)


def _first(value):
    return value if isinstance(value, int) else value[0]
