"""The sheet of paper that a picture is composed on, and its file.

A picture is one matplotlib `Figure` with one pair of axes over all of it,
whose unit is 1/100 inch with (0, 0) at the top left. No part of this touches
pyplot, so that pictures need no display and threads do not disturb each other.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from delf_keras.atomic import atomic_path

UNITS_PER_INCH = 100
DOTS_PER_INCH = 150
# Units per point, the measure of type and lines.
POINT = UNITS_PER_INCH / 72

INK = "#222222"
FAINT_INK = "#777777"

_FORMATS = {".png": "png", ".jpg": "jpg", ".jpeg": "jpg", ".pdf": "pdf"}


@dataclass(frozen=True)
class Box:
    """A rectangle on the sheet, in its units.

    Attributes:
        left: float.
        top: float.
        width: float.
        height: float.
    """

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self):
        return self.left + self.width

    @property
    def bottom(self):
        return self.top + self.height

    @property
    def extent(self):
        """The order of sides in which matplotlib places an image."""
        return self.left, self.right, self.bottom, self.top

    def fit(self, image):
        """Returns the largest centred box that has the shape of an image."""
        height, width = image.shape[:2]
        scale = min(self.width / width, self.height / height)
        width, height = width * scale, height * scale
        return Box(
            self.left + (self.width - width) / 2,
            self.top + (self.height - height) / 2,
            width,
            height,
        )

    def points(self, locations, image):
        """Finds where locations lie when the box holds their photograph.

        Args:
            locations: float `[N, 2]`. (y, x) in pixels of the photograph,
                whole numbers being the centres of pixels.
            image: uint8 `[height, width, 3]`.

        Returns:
            float `[N, 2]`. (x, y) on the sheet.
        """
        height, width = image.shape[:2]
        shares = (locations[:, ::-1] + 0.5) / (width, height)
        return (self.left, self.top) + shares * (self.width, self.height)


def new_sheet(width, height):
    """Makes a white sheet.

    Args:
        width: float. Units, see the module.
        height: float.

    Returns:
        The `matplotlib.figure.Figure` and the `Axes` that fill it.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    try:
        import matplotlib.figure
    except ImportError as error:
        raise ImportError(
            "Pictures are drawn by matplotlib, which is not installed: "
            'pip install "delf-keras[visualization]"'
        ) from error
    figure = matplotlib.figure.Figure(
        figsize=(width / UNITS_PER_INCH, height / UNITS_PER_INCH)
    )
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
    axes.set_autoscale_on(False)
    return figure, axes


def place_image(axes, image, box):
    """Draws a photograph so that it fills a box."""
    axes.imshow(image, extent=box.extent, aspect="auto")


def place_frame(axes, box, *, edgecolor="none", facecolor="none", **style):
    """Draws a rectangle around a box."""
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(
            (box.left, box.top),
            box.width,
            box.height,
            edgecolor=edgecolor,
            facecolor=facecolor,
            **style,
        )
    )


def write_text(axes, x, y, text, **style):
    """Writes a line of text whose top left is at (x, y).

    Args:
        axes: `Axes` of the sheet.
        x: float.
        y: float.
        text: str, in which a dollar sign is just that.
        **style: Properties of a `matplotlib.text.Text`.
    """
    style = {"size": 8, "color": INK, "va": "top", **style}
    axes.text(x, y, _printable(text), parse_math=False, **style)


def shortened(text, width, size):
    """Cuts as much out of the middle of a text as it takes to fit a width.

    Names of photographs differ at their ends, so both are kept.

    Args:
        text: str.
        width: float. Units of the sheet.
        size: float. Points.

    Returns:
        The text, with an ellipsis for what was cut out.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size)
    for kept in range(len(text), -1, -1):
        tail = kept // 2
        middle = "…" if kept < len(text) else ""
        short = text[: kept - tail] + middle + text[len(text) - tail :]
        points, _, _ = text_to_path.get_text_width_height_descent(
            _printable(short), font, ismath=False
        )
        if points * POINT <= width:
            return short
    return "…"


def _printable(text):
    """Replaces control characters and bytes that are no text."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def save_sheet(figure, path):
    """Writes a sheet to a file in one step and empties it.

    Args:
        figure: `matplotlib.figure.Figure`. Holds nothing any more afterwards.
        path: str or `Path`. Its suffix names the format.
    """
    file_format = picture_format(path)
    options = {}
    if file_format == "jpg":
        # By default JPEG smears thin coloured lines.
        options["pil_kwargs"] = {"quality": 92, "subsampling": 0}
    try:
        with atomic_path(path) as temporary:
            figure.savefig(
                temporary,
                format=file_format,
                dpi=DOTS_PER_INCH,
                facecolor="white",
                **options,
            )
    finally:
        figure.clear()


def picture_format(path):
    """Returns the format that the suffix of a picture's path names.

    Args:
        path: str or `Path`.

    Returns:
        "png", "jpg" or "pdf".

    Raises:
        ValueError: if it names another.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise ValueError(
            f"The name of a picture must end in one of {', '.join(_FORMATS)}. "
            f"Received: path={str(path)!r}"
        )
    return _FORMATS[suffix]


def check_photograph(name, image):
    """Raises a `ValueError` for what is not a uint8 RGB photograph."""
    shape = np.shape(image)
    dtype = getattr(image, "dtype", type(image).__name__)
    if len(shape) != 3 or shape[2] != 3 or 0 in shape or dtype != np.uint8:
        raise ValueError(
            f"{name} must be a uint8 array [height, width, 3]. "
            f"Received: {name}.shape={shape}, {name}.dtype={dtype}"
        )


def checked_matches(names, locations_a, locations_b):
    """Returns the two ends of matches as float64 arrays.

    Args:
        names: What to call the two in an error.
        locations_a: float `[M, 2]`. (y, x) in pixels.
        locations_b: float `[M, 2]`.

    Returns:
        Two float64 arrays `[M, 2]`.

    Raises:
        ValueError: if they are not finite pairs or differ in length.
    """
    ends = []
    for name, locations in zip(names, (locations_a, locations_b), strict=True):
        end = np.asarray(locations, np.float64)
        if end.size == 0:  # An empty list has no second axis.
            end = end.reshape(0, 2)
        if end.ndim != 2 or end.shape[1] != 2 or not np.isfinite(end).all():
            raise ValueError(
                f"{name} must be finite (y, x) pairs of shape [M, 2]. "
                f"Received: {name}={end!r}"
            )
        ends.append(end)
    if len(ends[0]) != len(ends[1]):
        raise ValueError(
            f"{names[0]} and {names[1]} must pair up. Received: "
            f"{len(ends[0])} and {len(ends[1])} locations"
        )
    return ends
