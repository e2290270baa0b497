"""Pictures of where a network looks."""

import numpy as np

from delf_keras.visualization.sheet import (
    FAINT_INK,
    Box,
    check_photograph,
    new_sheet,
    picture_format,
    place_image,
    save_sheet,
    write_text,
)

_SIDE = 800
_MARGIN = 10
_BAR_WIDTH = 12
_LABEL_WIDTH = 42

# Pixels across a circle at scale 1. Circles as wide as the receptive field
# would cover the photograph.
_DIAMETER = 24


def draw_attention(path, image, features):
    """Draws the selected features of a photograph as circles.

    A circle is as wide as its feature's scale and coloured by its attention
    score. The photograph is shown in dark grey, so that the colours tell.

    Args:
        path: str or `Path`. Where the picture shall appear; its suffix is
            .png, .jpg, .jpeg or .pdf.
        image: uint8 `[H, W, 3]`, RGB.
        features: `LocalFeatures` of the photograph.

    Raises:
        ValueError: if the suffix is another, or the photograph is not uint8
            RGB or not of the size that the features say.
        ImportError: if matplotlib is not installed.

    Reference:
        Noh et al., arXiv 1612.06321, section 4.2.
    """
    picture_format(path)
    check_photograph("image", image)
    if features.image_size not in ((0, 0), image.shape[:2]):
        raise ValueError(
            "features must be those of the image, whose shape is "
            f"{image.shape}. Received: features.image_size="
            f"{features.image_size}"
        )
    save_sheet(_attention_sheet(image, features), path)


def _attention_sheet(image, features):
    box = Box(_MARGIN, _MARGIN, _SIDE, _SIDE).fit(image)
    box = Box(_MARGIN, _MARGIN, box.width, box.height)
    bar_space = _MARGIN + _BAR_WIDTH + _LABEL_WIDTH if len(features) else 0
    figure, axes = new_sheet(
        box.right + bar_space + _MARGIN, box.bottom + _MARGIN
    )
    place_image(axes, _dark_grey(image), box)
    if not len(features):
        return figure
    # The strongest lie on top.
    _place_circles(axes, box, image, features[np.argsort(features.scores)])
    bar = Box(box.right + _MARGIN, box.top, _BAR_WIDTH, box.height)
    _place_bar(axes, bar, features.scores)
    return figure


def _dark_grey(image):
    luma = image @ np.array([0.299, 0.587, 0.114])
    return np.repeat((0.55 * luma).astype(np.uint8)[..., None], 3, axis=2)


def _place_circles(axes, box, image, features):
    from matplotlib.collections import EllipseCollection
    from matplotlib.transforms import Bbox, TransformedBbox

    diameters = _DIAMETER * features.scales * box.width / image.shape[1]
    circles = EllipseCollection(
        diameters,
        diameters,
        np.zeros(len(features)),
        units="xy",
        offsets=box.points(features.locations, image),
        offset_transform=axes.transData,
        array=features.scores,
        cmap=_heat(),
        facecolors="none",
        linewidths=1.2,
    )
    axes.add_collection(circles, autolim=False)
    corners = Bbox([[box.left, box.top], [box.right, box.bottom]])
    circles.set_clip_box(TransformedBbox(corners, axes.transData))


def _heat():
    """Returns a colour map whose low end still shows on dark grey."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["inferno"](np.linspace(0.4, 1, 256)))


def _place_bar(axes, bar, scores):
    axes.imshow(
        np.linspace(1, 0, 256)[:, None],
        cmap=_heat(),
        extent=bar.extent,
        aspect="auto",
    )
    style = {"color": FAINT_INK, "size": 8}
    x = bar.right + 6
    write_text(axes, x, bar.top, f"{scores.max():.3g}", **style)
    write_text(axes, x, bar.bottom, f"{scores.min():.3g}", va="bottom", **style)
    middle = bar.top + bar.height / 2
    write_text(
        axes, x, middle, "attention score", va="center", rotation=270, **style
    )
