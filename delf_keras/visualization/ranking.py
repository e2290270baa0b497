"""Pictures of a search: the query and the photographs it found."""

from dataclasses import dataclass

import numpy as np

from delf_keras.visualization.matches import (
    aspect,
    pair_height,
    pair_width,
    place_pair,
)
from delf_keras.visualization.sheet import (
    FAINT_INK,
    POINT,
    Box,
    check_photograph,
    checked_matches,
    new_sheet,
    picture_format,
    place_frame,
    place_image,
    save_sheet,
    shortened,
    write_text,
)

_WIDTH = 1500
_MARGIN = 24
_GAP = 14
_HEADING = 26
_CAPTION = 36
_TYPE = 7.5
_MAX_QUERY_WIDTH = 500
_MIN_QUERY_HEIGHT = 240
_NUM_PAIRS = 3
_MAX_PAIR_HEIGHT = 300

_VERIFIED = "#1a9850"
_UNVERIFIED = "#b0b0b0"
_CELL_COLOR = "#f2f2f2"


@dataclass(frozen=True, eq=False)
class RankedImage:
    """One photograph that a search found.

    Attributes:
        image: uint8 `[H, W, 3]`, RGB; None where it cannot be read, which
            leaves its place grey.
        title: What to call it, like its file name.
        query_locations: float64 `[M, 2]`. Where the inliers are in the query,
            (y, x) in pixels.
        image_locations: float64 `[M, 2]`. Where they are in `image`.
        score: float that it was ranked by; `None` is not written.
        verified: bool. Whether the inliers are enough to believe that both
            show one place. Without inliers a photograph is never verified.
    """

    image: np.ndarray | None
    title: str
    query_locations: np.ndarray = ()
    image_locations: np.ndarray = ()
    score: float | None = None
    verified: bool = True

    def __post_init__(self):
        if self.image is not None:
            check_photograph("image", self.image)
        names = "query_locations", "image_locations"
        ends = checked_matches(
            names, self.query_locations, self.image_locations
        )
        for name, end in zip(names, ends, strict=True):
            object.__setattr__(self, name, end)
        verified = self.verified and self.num_inliers > 0
        object.__setattr__(self, "verified", verified)

    @property
    def num_inliers(self):
        """Number of inliers, as an int."""
        return len(self.query_locations)


def draw_ranking(path, query_image, results, *, columns=5):
    """Draws a search: the query, what it found, and the best matches.

    The query is on the left. On the right are the results in their order,
    framed in green if verified and in grey if not. Below are the inliers of
    the first three verified results that there is a photograph of, drawn as
    `draw_matches` does.

    Args:
        path: str or `Path`. Where the picture shall appear; its suffix is
            .png, .jpg, .jpeg or .pdf.
        query_image: uint8 `[H, W, 3]`, RGB.
        results: Sequence of `RankedImage`, best first. It may be empty.
        columns: int. Results side by side.

    Raises:
        ValueError: if the suffix is another, the query is not uint8 RGB, or
            there is no column.
        ImportError: if matplotlib is not installed.
    """
    picture_format(path)
    check_photograph("query_image", query_image)
    if columns < 1:
        raise ValueError(
            f"columns must be at least 1. Received: columns={columns}"
        )
    save_sheet(_ranking_sheet(query_image, results, columns), path)


def _ranking_sheet(query_image, results, columns):
    ranked = list(enumerate(results, start=1))
    verified = [(rank, result) for rank, result in ranked if result.verified]
    query, cells, bottom = _top_layout(query_image, len(ranked), columns)
    shown = [each for each in verified if each[1].image is not None]
    best = shown[:_NUM_PAIRS]
    pairs = _pair_layout(query_image, [r.image for _, r in best], bottom)
    bottom = max([bottom, *(pair.bottom for pair in pairs)])

    figure, axes = new_sheet(_WIDTH, bottom + _MARGIN)
    _write_heading(axes, query.left, _MARGIN, "Query")
    place_image(axes, query_image, query)
    results_found = _counted(len(ranked), "result")
    heading = f"{results_found}, {len(verified)} verified"
    _write_heading(axes, query.right + 2 * _GAP, _MARGIN, heading)
    for cell, (rank, result) in zip(cells, ranked, strict=True):
        _place_result(axes, cell, rank, result)
    for pair, (rank, result) in zip(pairs, best, strict=True):
        _place_best(axes, pair, query_image, rank, result)
    return figure


def _top_layout(query_image, count, columns):
    """Returns the box of the query, those of the results, and their bottom."""
    top = _MARGIN + _HEADING
    height = _matching_height(
        aspect(query_image), -(-count // columns), columns
    )
    height = max(height, _MIN_QUERY_HEIGHT)
    query = Box(_MARGIN, top, _MAX_QUERY_WIDTH, height).fit(query_image)
    query = Box(_MARGIN, top, query.width, query.height)
    left = query.right + 2 * _GAP
    step = (_WIDTH - _MARGIN - left + _GAP) / columns
    width = step - _GAP
    height = 0.75 * width
    cells = [
        Box(
            left + index % columns * step,
            top + index // columns * (height + _CAPTION + _GAP),
            width,
            height,
        )
        for index in range(count)
    ]
    bottoms = [cell.bottom + _CAPTION for cell in cells]
    return query, cells, max([query.bottom, *bottoms])


def _matching_height(query_aspect, rows, columns):
    """Returns the height at which the query is as high as all rows of results.

    The higher the query the wider it is, and the smaller are the results, so
    the width of a result follows from the width of the sheet.
    """
    spacing = rows * _CAPTION + (rows - 1) * _GAP
    width = _WIDTH - 2 * _MARGIN - (columns + 1) * _GAP
    width -= query_aspect * spacing
    width /= columns + 0.75 * rows * query_aspect
    return 0.75 * rows * width + spacing


def _pair_layout(query_image, images, top):
    """Returns a box for each picture of matches, side by side below `top`."""
    width = (_WIDTH - 2 * _MARGIN - (_NUM_PAIRS - 1) * 2 * _GAP) / _NUM_PAIRS
    boxes = []
    for index, image in enumerate(images):
        left = _MARGIN + index * (width + 2 * _GAP)
        height = min(pair_height(query_image, image, width), _MAX_PAIR_HEIGHT)
        used = pair_width(query_image, image, height)
        boxes.append(Box(left, top + _MARGIN + _HEADING, used, height))
    return boxes


def _place_result(axes, cell, rank, result):
    color = _VERIFIED if result.verified else _UNVERIFIED
    place_frame(axes, cell, facecolor=_CELL_COLOR, zorder=-1)
    if result.image is None:
        x, y = cell.left + cell.width / 2, cell.top + cell.height / 2
        style = {"size": 7, "color": FAINT_INK, "ha": "center", "va": "center"}
        write_text(axes, x, y, "cannot be read", **style)
    else:
        place_image(axes, result.image, cell.fit(result.image))
    place_frame(axes, cell, edgecolor=color, linewidth=2)
    x = _write_name(axes, cell.left, cell.bottom + 5, cell.width, rank, result)
    details = _details(result)
    write_text(axes, x, cell.bottom + 19, details, size=7, color=FAINT_INK)


def _place_best(axes, box, query_image, rank, result):
    y = box.top - _HEADING + 6
    _write_name(axes, box.left, y, box.width - 80, rank, result)
    style = {"size": _TYPE, "color": FAINT_INK, "ha": "right"}
    inliers = _counted(result.num_inliers, "inlier")
    write_text(axes, box.right, y, inliers, **style)
    place_pair(
        axes,
        box,
        query_image,
        result.image,
        result.query_locations,
        result.image_locations,
        linewidth=0.6,
    )


def _write_heading(axes, x, y, text):
    write_text(axes, x, y, text, size=10, weight="bold")


def _write_name(axes, x, y, width, rank, result):
    """Writes rank and title, and returns where the title begins."""
    write_text(axes, x, y, f"{rank}", size=_TYPE, weight="bold")
    indent = (0.7 * len(f"{rank}") + 0.4) * _TYPE * POINT
    title = shortened(result.title, width - indent, _TYPE)
    write_text(axes, x + indent, y, title, size=_TYPE)
    return x + indent


def _details(result):
    inliers = _counted(result.num_inliers, "inlier")
    parts = [inliers if result.num_inliers else "not verified"]
    if result.score is not None:
        digits = ".0f" if abs(result.score) >= 1000 else ".3g"
        parts.append(f"score {result.score:{digits}}")
    return "  ·  ".join(parts)


def _counted(count, noun):
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
