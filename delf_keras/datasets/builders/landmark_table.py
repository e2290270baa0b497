"""Which landmark each of millions of photographs shows."""

import csv
from array import array
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote

import numpy as np

_ID_LENGTH = 16


@dataclass(frozen=True, eq=False)
class LandmarkTable:
    """Photographs and their landmarks, 20 bytes for each photograph.

    Attributes:
        ids: bytes16 `[N]`, sorted.
        labels: int32 `[N]`, indices into `landmark_ids`.
        landmark_ids: int64 `[C]`, sorted.
    """

    ids: np.ndarray
    labels: np.ndarray
    landmark_ids: np.ndarray

    def __len__(self):
        return len(self.ids)

    def find(self, ids):
        """Returns the labels of photographs.

        Args:
            ids: list of str.

        Returns:
            int32 `[len(ids)]`, -1 for a photograph that is not in the table.
        """
        wanted = np.array(ids, self.ids.dtype)
        places = np.searchsorted(self.ids, wanted)
        places = np.minimum(places, len(self.ids) - 1)
        return np.where(self.ids[places] == wanted, self.labels[places], -1)


def read_train_table(path):
    """Reads `train.csv` of Google Landmarks v2: id,url,landmark_id.

    Args:
        path: str or `Path`.

    Returns:
        `LandmarkTable`.

    Raises:
        ValueError: if it is not such a table.
    """
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        _check_header(next(rows, []), ["id", "url", "landmark_id"], path)
        return _table(((row[2], row[0]) for row in rows), path)


def read_clean_table(path):
    """Reads `train_clean.csv`: landmark_id,images with many ids in a line.

    Args:
        path: str or `Path`.

    Returns:
        `LandmarkTable`.

    Raises:
        ValueError: if it is not such a table.
    """
    with open(path, encoding="utf-8") as file:
        # Some lines are longer than the csv module takes for sane.
        rows = (line.rstrip("\r\n").split(",") for line in file)
        _check_header(next(rows, []), ["landmark_id", "images"], path)
        return _table(((row[0], row[1]) for row in rows), path)


def read_landmark_names(path):
    """Reads `train_label_to_category.csv`: landmark_id,category.

    Args:
        path: str or `Path`.

    Returns:
        dict of landmark id to name. A category is an address such as
        http://commons.wikimedia.org/wiki/Category:Eiffel_Tower, whose name is
        Eiffel_Tower.

    Raises:
        ValueError: if it is not such a table.
    """
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        _check_header(next(rows, []), ["landmark_id", "category"], path)
        try:
            return {
                int(landmark): "_".join(
                    unquote(category.rsplit("Category:", 1)[-1]).split()
                )
                for landmark, category in rows
            }
        except ValueError as error:
            raise ValueError(
                "Each line must have a landmark and its category. Received: "
                f"path={path} ({error})"
            ) from error


def photograph_id(name):
    """Returns the id of a photograph by its file, "" for another file."""
    stem = PurePosixPath(name).stem
    return stem if len(stem) == _ID_LENGTH and stem.isascii() else ""


def _check_header(header, columns, path):
    if header != columns:
        raise ValueError(
            f"The first line of a table must be {','.join(columns)}. Received: "
            f"{','.join(header)}, path={path}"
        )


def _table(rows, path):
    """Makes a table of pairs of a landmark and the ids of photographs."""
    ids, landmarks = bytearray(), array("q")
    try:
        for landmark, images in rows:
            for image in images.split():
                if len(image) != _ID_LENGTH:
                    raise ValueError(f"{image} is no id")
                ids += image.encode("ascii")
                landmarks.append(int(landmark))
    except (ValueError, IndexError) as error:
        raise ValueError(
            "Each line must have a landmark and ids of 16 characters. "
            f"Received: path={path} ({error})"
        ) from error
    if not landmarks:
        raise ValueError(
            f"A table must list photographs. Received: path={path}"
        )
    ids = np.frombuffer(ids, f"S{_ID_LENGTH}")
    landmark_ids, labels = np.unique(
        np.frombuffer(landmarks, np.int64), return_inverse=True
    )
    order = np.argsort(ids)
    return LandmarkTable(ids[order], np.int32(labels[order]), landmark_ids)
