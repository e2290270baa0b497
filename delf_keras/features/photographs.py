"""Finding photographs in folders, and queries in photographs."""

from pathlib import Path

import numpy as np

from delf_keras.features.decoding import read_image
from delf_keras.photograph_files import SUFFIXES, list_photographs


def find_photographs(folder):
    """Lists the photographs of a folder and its subfolders.

    Args:
        folder: str or `Path`.

    Returns:
        Names relative to the folder, with forward slashes, sorted. Hidden
        files and folders are left out.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it holds no photograph.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(
            f"There is no folder of photographs. Received: {folder}"
        )
    names = list_photographs(folder)
    if not names:
        raise ValueError(
            f"A folder with files of {', '.join(sorted(SUFFIXES))} is "
            f"expected. Received: {folder}, which has none"
        )
    return names


def read_query(path, box, upright=True):
    """Reads what a query of a benchmark shows: its photograph inside its box.

    Args:
        path: str or `Path`.
        box: (left, top, right, bottom) in pixels, rounded to whole ones. What
            is outside of the photograph is black.
        upright: bool. Whether the box is in the photograph as its EXIF
            orientation turns it, or as it is stored.

    Returns:
        uint8 array `[bottom - top, right - left, 3]`, RGB.

    Raises:
        ImageError: if the photograph cannot be used.
        ValueError: if the box is empty.
    """
    left, top, right, bottom = (round(float(side)) for side in box)
    if left >= right or top >= bottom:
        raise ValueError(
            "A box is left, top, right, bottom, in pixels, and not empty. "
            f"Received: {[left, top, right, bottom]} for {path}"
        )
    image = read_image(path, upright)
    height, width = image.shape[:2]
    query = np.zeros((bottom - top, right - left, 3), np.uint8)
    # A slice that ends before 0 would be counted from the other side.
    inside = image[
        max(top, 0) : max(min(bottom, height), 0),
        max(left, 0) : max(min(right, width), 0),
    ]
    row, column = max(-top, 0), max(-left, 0)
    query[row : row + inside.shape[0], column : column + inside.shape[1]] = (
        inside
    )
    return query
