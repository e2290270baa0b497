"""A look at every photograph of a data set before it is trained on."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from delf_keras.features.decoding import ImageError
from delf_keras.parallel import ordered_map, usable_cores
from delf_keras.training.dataset_report import (
    TRAINING,
    VALIDATION,
    DatasetReport,
    PartReport,
)
from delf_keras.training.photographs import load_photograph


def check_dataset(
    train,
    validation=None,
    progress=lambda iterable, total, label: iterable,
):
    """Reads and decodes every photograph of a data set.

    Args:
        train: `LabelledImages`.
        validation: `LabelledImages` of the same classes.
        progress: Wraps an iterable, its length and a label, for a progress
            bar.

    Returns:
        `DatasetReport`.

    Raises:
        ValueError: if a label is out of range, if no photograph of a part can
            be used, or if fewer than two classes are left for training.
    """
    given = {TRAINING: train}
    if validation is not None:
        given[VALIDATION] = validation
    for images in given.values():
        _check_labels(images, train.class_names)
    parts, digests = {}, []
    for name, images in given.items():
        parts[name], part_digests = _check_part(images, name, progress)
        digests.append(part_digests)
    report = DatasetReport(parts, _shared([*parts.values()], digests))
    if np.count_nonzero(parts[TRAINING].counts) < 2:
        raise ValueError(
            "Training needs photographs of two classes. Received: "
            f"{len(report.train)} photographs, all of "
            f"{report.train.class_names[report.train.labels[0]]}"
        )
    return report


def _check_labels(images, class_names):
    if images.class_names != class_names:
        raise ValueError(
            "Training and validation must have the same classes. Received: "
            f"{len(class_names)} and {images.num_classes}, or other names"
        )
    outside = (images.labels < 0) | (images.labels >= images.num_classes)
    if outside.any():
        index = np.argmax(outside)
        raise ValueError(
            f"A label must be in [0, {images.num_classes}). Received: "
            f"{images.labels[index]} for {images.name(index)}"
        )


def _check_part(images, name, progress):
    """Returns a `PartReport`, and a digest of each usable photograph."""
    digests = np.empty((len(images), 4), np.uint64)
    usable = np.zeros(len(images), bool)
    unreadable = {}
    cores = usable_cores()
    with ThreadPoolExecutor(cores) as pool:
        looks = ordered_map(
            pool, lambda i: _look(images, i), range(len(images)), 4 * cores
        )
        looks = progress(looks, len(images), f"check {name}")
        for index, (digest, reason) in enumerate(looks):
            if reason is None:
                digests[index] = np.frombuffer(digest, np.uint64)
                usable[index] = True
            else:
                unreadable[images.name(index)] = reason
    if not usable.any():
        reason = next(iter(unreadable.values()), "there is none")
        raise ValueError(
            f"A photograph for {name} is needed. Received: {len(images)}, "
            f"none of use; the first: {reason}"
        )
    rows = np.flatnonzero(usable)
    images, digests = images.select(rows), digests[rows]
    first = _first_alike(digests)
    copies = {
        images.name(row): images.name(first[row])
        for row in np.flatnonzero(first != np.arange(len(rows)))
    }
    return PartReport(images, rows, unreadable, copies), digests


def _look(images, index):
    """Returns the SHA-256 of a photograph, or None and what is wrong."""
    try:
        contents, _ = load_photograph(images, index)
    except ImageError as error:
        return None, str(error)
    return hashlib.sha256(contents).digest(), None


def _first_alike(digests):
    """Returns for each row the first one that is equal."""
    _, first, groups = np.unique(
        digests, axis=0, return_index=True, return_inverse=True
    )
    return first[groups.ravel()]


def _shared(parts, digests):
    """Finds photographs for validation that are also for training."""
    first = _first_alike(np.concatenate(digests))
    size = len(digests[0])
    return {
        parts[1].images.name(row): parts[0].images.name(first[size + row])
        for row in np.flatnonzero(first[size:] < size)
    }
