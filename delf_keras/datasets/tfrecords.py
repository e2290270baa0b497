"""Photographs in shards of TFRecords."""

import contextlib
import glob
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from delf_keras.datasets.labelled_images import LabelledImages

# A record is its length (8 bytes) and the length's checksum (4), the data,
# and the data's checksum (4).
_HEADER = 12
_FOOTER = 4

# A step of tf.data takes longer than a record.
_RECORDS_AT_ONCE = 64

# More classes than any set has: a label beyond is no number of a class.
_MOST_CLASSES = 1_000_000

_DAMAGED = (
    "A shard must be an uncompressed file of TFRecords that is whole. "
    "Received: path={path}, damaged in the record at byte {start}"
)


@dataclass(frozen=True)
class RecordKeys:
    """Names of the features of an example.

    Attributes:
        image: The encoded photograph. Defaults to that of tensorflow/models.
        label: The number of its class.
        name: The name of its file.
    """

    image: str = "image/encoded"
    label: str = "image/class/label"
    name: str = "image/filename"


def find_shards(pattern):
    """Lists the files that match a pattern.

    Args:
        pattern: str with the wildcards of a shell; ** is any depth.

    Returns:
        Paths, sorted.

    Raises:
        FileNotFoundError: if there is none.
    """
    paths = sorted(filter(os.path.isfile, glob.glob(pattern, recursive=True)))
    if not paths:
        raise FileNotFoundError(
            "A pattern must match files of TFRecords. Received: "
            f"pattern={pattern}, which matches none"
        )
    return paths


def read_tfrecords(
    paths,
    *,
    keys=None,
    class_names=None,
    progress=lambda iterable, total, label: iterable,
):
    """Lists the photographs of shards.

    Each shard is read once from its start to its end, and the checksums of
    its records are checked. What is kept is where each photograph lies.

    Args:
        paths: Paths of uncompressed files of TFRecords, whose records are
            `tf.train.Example`.
        keys: `RecordKeys`.
        class_names: Names of the classes. Default to the numbers up to the
            largest label.
        progress: Wraps an iterable, its length and a label, for a progress
            bar.

    Returns:
        `LabelledImages`, in the order of the paths and of their records.

    Raises:
        ValueError: if a record is damaged, lacks a feature or has a label out
            of range, with the file and the byte where the record starts.
    """
    keys = keys or RecordKeys()
    limit = _MOST_CLASSES if class_names is None else len(class_names)
    with ThreadPoolExecutor() as pool:
        scans = pool.map(lambda path: _scan(path, keys, limit), paths)
        scans = list(progress(scans, len(paths), "read shards"))
    offsets, lengths, labels = np.concatenate(scans, axis=1)
    if not len(labels):
        raise ValueError(
            "Shards must hold a photograph. Received: "
            f"{len(paths)} without records, the first {paths[0]}"
        )
    if class_names is None:
        class_names = map(str, range(labels.max() + 1))
    shards = np.array([os.fspath(path) for path in paths], object)
    return LabelledImages(
        paths=np.repeat(shards, [scan.shape[1] for scan in scans]),
        offsets=offsets,
        lengths=lengths,
        labels=labels,
        class_names=tuple(class_names),
    )


def scan_named_records(path, keys):
    """Finds the photographs of a shard and their names, whatever they show.

    Args:
        path: str or `Path` of an uncompressed file of TFRecords.
        keys: `RecordKeys`.

    Returns:
        list of (name, position, length), in bytes of the file.

    Raises:
        ValueError: see `read_tfrecords`.
    """

    def locate(record):
        features = _features(record)
        name = _only(features, keys.name, "bytes_list")
        # File names need not be text.
        name = name.decode("utf-8", "surrogateescape")
        return name, *_locate(record, features, keys)

    return [
        (name, start + position, length)
        for start, (name, position, length) in _scan_records(path, locate)
    ]


def _scan(path, keys, num_classes):
    """Returns offsets, lengths and labels of a shard, int64 `[3, N]`."""

    def locate(record):
        features = _features(record)
        label = _only(features, keys.label, "int64_list")
        if not 0 <= label < num_classes:
            raise ValueError(
                f"A label must be in [0, {num_classes}). "
                f"Received: {keys.label}={label}"
            )
        return *_locate(record, features, keys), label

    rows = [
        (start + position, length, label)
        for start, (position, length, label) in _scan_records(path, locate)
    ]
    return np.array(rows, np.int64).reshape(-1, 3).T


def _scan_records(path, locate):
    """Yields where each record's data start, and what is located in them."""
    start = 0
    for record in _records(os.fspath(path)):
        try:
            located = locate(record)
        except ValueError as error:
            raise ValueError(
                f"{error}, in the record at byte {start} of {path}"
            ) from error
        yield start + _HEADER, located
        start += _HEADER + len(record) + _FOOTER
    if start != os.path.getsize(path):
        # TensorFlow takes less than a header for the end.
        raise ValueError(_DAMAGED.format(path=path, start=start))


def _records(path):
    """Yields the data of the records of a shard, with checked checksums."""
    import tensorflow as tf

    shard = tf.data.TFRecordDataset(path)
    try:
        for records in shard.batch(_RECORDS_AT_ONCE).as_numpy_iterator():
            yield from records
    except tf.errors.DataLossError as error:
        start = 0
        with contextlib.suppress(tf.errors.DataLossError):
            for record in shard.as_numpy_iterator():
                start += _HEADER + len(record) + _FOOTER
        raise ValueError(_DAMAGED.format(path=path, start=start)) from error


def _features(record):
    """Returns the features of an example."""
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    try:
        return tf.train.Example.FromString(record).features.feature
    except DecodeError as error:
        raise ValueError(
            f"A record must be a tf.train.Example. Received: {error}"
        ) from error


def _locate(record, features, keys):
    """Returns where the photograph of an example starts, and its length."""
    image = _only(features, keys.image, "bytes_list")
    # Protocol buffers hold bytes as they are, so the photograph is in there.
    return record.index(image), len(image)


def _only(features, key, kind):
    """Returns the one value of a feature."""
    # Asking for an absent key would add it.
    values = getattr(features[key], kind).value if key in features else ()
    if len(values) != 1:
        raise ValueError(
            f"An example must have one value of {kind} at {key}. Received: "
            f"{len(values)}, with features {', '.join(sorted(features))}"
        )
    return values[0]
