"""Pictures of the matches between two photographs."""

import numpy as np

from delf_keras.visualization.sheet import (
    Box,
    check_photograph,
    checked_matches,
    new_sheet,
    picture_format,
    place_image,
    save_sheet,
    write_text,
)

_HEIGHT = 480
_MAX_WIDTH = 2400
_MARGIN = 10
_TITLE_HEIGHT = 26
_GAP = 8


def draw_matches(path, image_a, image_b, locations_a, locations_b, *, title=""):
    """Draws the matches between two photographs as lines from one to the other.

    The photographs stand side by side at one height. The colour of a line
    tells where in photograph a it begins, so that under the right transform
    the colours arrive in photograph b in the same order.

    Args:
        path: str or `Path`. Where the picture shall appear; its suffix is
            .png, .jpg, .jpeg or .pdf.
        image_a: uint8 `[H, W, 3]`, RGB. Drawn on the left.
        image_b: uint8 `[H', W', 3]`, RGB. Drawn on the right.
        locations_a: float `[M, 2]`. One end of each match, (y, x) in pixels
            of photograph a. There may be none.
        locations_b: float `[M, 2]`. The other end, in pixels of photograph b.
        title: Line of text above the photographs, like "73 inliers". There is
            no such line if it is empty.

    Raises:
        ValueError: if the suffix is another, a photograph is not uint8 RGB,
            or the locations are not finite or do not pair up.
        ImportError: if matplotlib is not installed.
    """
    picture_format(path)
    check_photograph("image_a", image_a)
    check_photograph("image_b", image_b)
    locations_a, locations_b = checked_matches(
        ("locations_a", "locations_b"), locations_a, locations_b
    )
    figure = _matches_sheet(image_a, image_b, locations_a, locations_b, title)
    save_sheet(figure, path)


def _matches_sheet(image_a, image_b, locations_a, locations_b, title):
    top = _MARGIN + (_TITLE_HEIGHT if title else 0)
    height = min(_HEIGHT, pair_height(image_a, image_b, _MAX_WIDTH))
    width = pair_width(image_a, image_b, height)
    pair = Box(_MARGIN, top, width, height)
    figure, axes = new_sheet(pair.right + _MARGIN, pair.bottom + _MARGIN)
    if title:
        write_text(axes, _MARGIN, _MARGIN, title, size=11, weight="bold")
    place_pair(axes, pair, image_a, image_b, locations_a, locations_b)
    return figure


def pair_width(image_a, image_b, height):
    """Returns how wide two photographs side by side are at a given height."""
    return height * (aspect(image_a) + aspect(image_b)) + _GAP


def pair_height(image_a, image_b, width):
    """Returns how high two photographs side by side are at a given width."""
    return (width - _GAP) / (aspect(image_a) + aspect(image_b))


def aspect(image):
    """Returns the width of a photograph in units of its height."""
    return image.shape[1] / image.shape[0]


def place_pair(
    axes, box, image_a, image_b, locations_a, locations_b, *, linewidth=0.9
):
    """Draws two photographs and their matches into a box.

    Args:
        axes: `Axes` of the sheet.
        box: `Box` as wide as `pair_width` says for its height.
        image_a: uint8 `[H, W, 3]`.
        image_b: uint8 `[H', W', 3]`.
        locations_a: float `[M, 2]`. (y, x) in pixels of photograph a.
        locations_b: float `[M, 2]`. The same of photograph b.
        linewidth: float. Points.
    """
    width_a = box.height * aspect(image_a)
    left = Box(box.left, box.top, width_a, box.height)
    right_edge = left.right + _GAP
    right = Box(right_edge, box.top, box.right - right_edge, box.height)
    place_image(axes, image_a, left)
    place_image(axes, image_b, right)
    if not len(locations_a):
        return

    from matplotlib.collections import LineCollection

    ends = np.stack(
        [left.points(locations_a, image_a), right.points(locations_b, image_b)],
        axis=1,
    )
    colors = position_colors(locations_a)
    axes.add_collection(
        LineCollection(ends, colors=colors, linewidths=linewidth, alpha=0.75),
        autolim=False,
    )
    axes.scatter(
        *ends.transpose(2, 1, 0).reshape(2, -1),
        s=(3 * linewidth) ** 2,
        c=np.concatenate([colors, colors]),
        linewidths=0,
        zorder=2.5,
    )


def position_colors(locations):
    """Gives locations colours that tell where they are among each other.

    The hue runs from red for the leftmost to violet for the rightmost; the
    colour is light for the topmost and dark for the lowest.

    Args:
        locations: float `[N, 2]`. (y, x); at least one.

    Returns:
        float `[N, 3]`. RGB, 0 to 1.
    """
    from matplotlib.colors import hsv_to_rgb

    first = locations.min(axis=0)
    extent = np.ptp(locations, axis=0)
    y, x = ((locations - first) / np.where(extent > 0, extent, 1)).T
    hue, saturation, value = 0.8 * x, 0.6 + 0.4 * y, 1 - 0.3 * y
    return hsv_to_rgb(np.stack([hue, saturation, value], axis=1))
