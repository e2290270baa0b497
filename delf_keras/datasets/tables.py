"""Photographs listed in a table, Google Landmarks among them."""

import csv
import os
from pathlib import Path

import numpy as np

from delf_keras.datasets.labelled_images import LabelledImages

_FILES = ("file", "label")
_IDS = ("id", "landmark_id")
_CLEAN = ("images", "landmark_id")
_RELABELING = ("new_label", "old_label")

# What the tables of Google Landmarks say of a photograph without a landmark.
_NO_LANDMARK = ("", "None")

# A line of the clean Google Landmarks lists all photographs of a class, more
# than the csv module takes for sane.
_LONGEST_VALUE = 2**31 - 1


def read_table(path, *, image_root=None, class_names=None, relabeling=None):
    """Lists the photographs of a CSV file; none of them is looked at.

    Its first line names its columns, of which these are read:

    - `file,label`: files, relative to `image_root`, and any text;
    - `id,landmark_id`: Google Landmarks v1 and v2;
    - `landmark_id,images`: the clean Google Landmarks v2, many ids in a line.

    A photograph of Google Landmarks is the file a/b/c/abc....jpg of
    `image_root`, as in v2, or abc....jpg where there are no such folders, as
    in v1. Those without a landmark are left out.

    Args:
        path: str or `Path` of the CSV file.
        image_root: str or `Path`. Defaults to the folder of the file.
        class_names: Names of the classes, where they are known. Defaults to
            the labels, sorted.
        relabeling: str or `Path`. See `read_relabeling`: photographs of other
            classes are left out.

    Returns:
        `LabelledImages`.

    Raises:
        FileNotFoundError: if there is no such file or folder.
        ValueError: if the file is not such a table, lists nothing, or has a
            label that is not among `class_names`.
    """
    path = Path(path)
    root = path.parent if image_root is None else Path(image_root)
    if not root.is_dir():
        raise FileNotFoundError(
            f"There is no folder of photographs. Received: image_root={root}"
        )
    paths, labels = _paths_and_labels(path, root)
    if relabeling is not None:
        class_names = read_relabeling(relabeling)
    elif class_names is None:
        class_names = tuple(sorted(set(labels)))
    numbers = {name: number for number, name in enumerate(class_names)}
    images = LabelledImages.from_files(
        paths, [numbers.get(label, -1) for label in labels], class_names
    )
    known = images.labels >= 0
    if relabeling is None and not known.all():
        raise ValueError(
            f"A label must be one of {len(class_names)} known classes. "
            f"Received: {labels[np.argmin(known)]}, path={path}"
        )
    if not known.any():
        raise ValueError(
            "A table must list a photograph of a class. Received: path="
            f"{path}, with {len(images)} photographs, none of a listed class"
        )
    return images.select(known)


def read_relabeling(path):
    """Reads which classes of a table are used, and their numbers.

    Args:
        path: str or `Path` of a CSV file with the columns `new_label` (0 to
            the number of classes - 1) and `old_label`, such as the
            relabeling.csv that is written with shards of Google Landmarks.

    Returns:
        Old labels as tuple of str, in the order of the new ones.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if new labels are not 0, 1, ... each once, or an old one
            is there twice.
    """
    _, rows = _read_columns(path, [_RELABELING])
    old_labels = dict(rows)
    names = tuple(old_labels.get(str(new), "") for new in range(len(rows)))
    if not rows or "" in names or len(set(names)) < len(names):
        raise ValueError(
            "A relabeling has the new labels 0, 1, ... and different old ones. "
            f"Received: path={path}, with {len(rows)} lines"
        )
    return names


def _paths_and_labels(path, root):
    columns, rows = _read_columns(path, [_FILES, _IDS, _CLEAN])
    if columns == _FILES:
        unlabelled = next((file for file, label in rows if not label), None)
        if unlabelled is not None:
            raise ValueError(
                "Each file must have a label. Received: none for "
                f"{unlabelled}, path={path}"
            )
        paths = [os.path.join(root, file) for file, _ in rows]
        return paths, [label for _, label in rows]
    # A line holds one id or many.
    pairs = [
        (image, label)
        for ids, label in rows
        if label not in _NO_LANDMARK
        for image in ids.split()
    ]
    ids = [image for image, _ in pairs]
    return _landmark_paths(root, ids), [label for _, label in pairs]


def _landmark_paths(root, ids):
    """Returns where Google Landmarks v2 or v1 keeps its photographs."""
    if any((root / first).is_dir() for first in {each[0] for each in ids}):
        return [f"{root}/{i[:1]}/{i[1:2]}/{i[2:3]}/{i}.jpg" for i in ids]
    return [f"{root}/{each}.jpg" for each in ids]


def _read_columns(path, layouts):
    """Reads some columns of a CSV file.

    Args:
        path: str or `Path`.
        layouts: list of tuples of names of columns.

    Returns:
        The first of the layouts whose columns the file has, and a list of
        tuples of their values.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no table. Received: path={path}")
    limit = csv.field_size_limit(_LONGEST_VALUE)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            return _columns_of(csv.reader(file), layouts, path)
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(
            "A table is UTF-8 text with values between commas. Received: "
            f"path={path} ({error})"
        ) from error
    finally:
        csv.field_size_limit(limit)


def _columns_of(reader, layouts, path):
    header = [name.strip() for name in next(reader, [])]
    columns = next((each for each in layouts if {*each} <= {*header}), None)
    if columns is None:
        expected = " or ".join(",".join(each) for each in layouts)
        raise ValueError(
            f"The first line of a table must name the columns {expected}. "
            f"Received: {','.join(header)}, path={path}"
        )
    first, second = map(header.index, columns)
    rows = []
    for row in reader:
        if len(row) > max(first, second):
            rows.append((row[first].strip(), row[second].strip()))
        elif row:
            raise ValueError(
                f"Each line must have the columns {','.join(columns)}. "
                f"Received: {len(row)} values in line {reader.line_num}, "
                f"path={path}"
            )
    return columns, rows
