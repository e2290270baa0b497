"""Photographs of shards are read in place; damage is said where it is."""

import gzip
import struct

import numpy as np
import pytest
import tensorflow as tf

from delf_keras.datasets.tfrecords import (
    RecordKeys,
    find_shards,
    read_tfrecords,
    scan_named_records,
)


def feature(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def example(features):
    features = {name: feature(value) for name, value in features.items()}
    return tf.train.Example(
        features=tf.train.Features(feature=features)
    ).SerializeToString()


def landmark(photograph, label):
    """An example as tensorflow/models writes those of Google Landmarks."""
    return example(
        {
            "image/height": 480,
            "image/colorspace": b"RGB",
            "image/channels": 3,
            "image/class/label": label,
            "image/format": b"JPEG",
            "image/id": 17,
            "image/filename": b"0123456789abcdef",
            "image/encoded": photograph,
        }
    )


@pytest.fixture
def write(tmp_path):
    """A function that writes a shard of records and returns its path."""

    def write(records, name="train-00000-of-00001"):
        path = tmp_path / name
        with tf.io.TFRecordWriter(str(path)) as writer:
            for record in records:
                writer.write(record)
        return path

    return write


@pytest.fixture(scope="module")
def contents():
    """Bytes of photographs, some odd: short, or with zeros at the end."""
    rng = np.random.default_rng(0)
    long = [rng.bytes(length) for length in rng.integers(0, 9000, 150)]
    return [b"i", b"\0\0", b"image/encoded", b"\xff\xd8\0\0\0", *long]


def test_read(write, contents):
    """Labels and bytes are those that were written, in their order."""
    labels = np.arange(len(contents)) * 7 % 10
    records = list(map(landmark, contents, labels.tolist()))
    paths = [
        write(records[:100], "b"),
        write([], "c"),
        write(records[100:], "a"),
    ]
    images = read_tfrecords(paths)

    assert [images.read(i) for i in range(len(images))] == contents
    np.testing.assert_array_equal(images.labels, labels)
    assert images.class_names == tuple("0123456789")
    assert images.name(0) == f"{paths[0]}@{images.offsets[0]}"
    assert images.paths[99] == str(paths[0])
    assert images.paths[100] == str(paths[2])
    assert images.labels.dtype == images.offsets.dtype == np.int64


def test_other_keys(write):
    path = write([example({"image": b"photograph", "label": 1})])
    images = read_tfrecords([path], keys=RecordKeys("image", "label"))

    assert images.read(0) == b"photograph"
    assert images.labels.tolist() == [1]


def test_names_and_places_without_labels(write):
    names = ["a.jpg", "more/b.jpg"]
    path = write(
        [
            example({"image": name.encode() * 9, "id": name.encode()})
            for name in names
        ]
    )
    records = scan_named_records(path, RecordKeys("image", name="id"))

    assert [name for name, _, _ in records] == names
    contents = path.read_bytes()
    for name, position, length in records:
        assert contents[position : position + length] == name.encode() * 9
    with pytest.raises(ValueError, match="image/filename.*at byte 0 of"):
        scan_named_records(path, RecordKeys("image"))


def test_names_of_classes(write):
    path = write([landmark(b"photograph", 1)])

    images = read_tfrecords([path], class_names=["castle", "tower", "zoo"])
    assert images.class_names == ("castle", "tower", "zoo")


def test_progress(write):
    calls = []

    def progress(iterable, total, label):
        calls.append((total, label))
        return iterable

    paths = [write([landmark(b"a", 0)], name) for name in "abc"]
    assert len(read_tfrecords(paths, progress=progress)) == 3
    assert calls == [(3, "read shards")]


@pytest.mark.parametrize("label", [-1, 2, 2**40])
def test_label_out_of_range(write, label):
    records = [landmark(b"a" * 50, 1), landmark(b"b", label)]
    path = write(records)
    with pytest.raises(
        ValueError,
        match=rf"in \[0, 2\). Received: image/class/label={label}, in the "
        f"record at byte {16 + len(records[0])} of {path}$",
    ):
        read_tfrecords([path], class_names=["castle", "tower"])


def test_label_that_is_no_number_of_a_class(write):
    """Without names a million classes are the most."""
    path = write([landmark(b"a", 2**40)])
    with pytest.raises(ValueError, match=r"\[0, 1000000\)"):
        read_tfrecords([path])


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            {"image/encoded": b"a"},
            "int64_list at image/class/label. Received: 0",
        ),
        ({"image/class/label": 1}, "bytes_list at image/encoded. Received: 0"),
        (
            {"image/encoded": 1, "image/class/label": 1},
            "0, with features image/class/label, image/encoded, in the record "
            "at byte 0 of",
        ),
    ],
)
def test_missing_features(write, features, message):
    path = write([example(features)])
    with pytest.raises(ValueError, match=message):
        read_tfrecords([path])


def test_records_that_are_no_examples(write):
    path = write([landmark(b"a", 0), b"\xff\xff"])
    with pytest.raises(ValueError, match=f"tf.train.Example.* of {path}"):
        read_tfrecords([path])


@pytest.fixture
def shard(write, contents):
    """The path of a shard, and where its records start and end."""
    records = [landmark(each, 0) for each in contents]
    path = write(records)
    return path, np.cumsum([0, *(16 + len(record) for record in records)])


@pytest.mark.parametrize("record", [0, 1, 70, -1])
@pytest.mark.parametrize("place", ["length", "checksum", "data", "last byte"])
def test_flipped_bit(shard, record, place):
    path, ends = shard
    start, end = ends[:-1][record], ends[1:][record]
    position = {
        "length": start,
        "checksum": start + 8,
        "data": (start + end) // 2,
        "last byte": end - 1,
    }[place]
    contents = bytearray(path.read_bytes())
    contents[position] ^= 4
    path.write_bytes(contents)

    with pytest.raises(
        ValueError, match=f"path={path}, damaged in the record at byte {start}$"
    ):
        read_tfrecords([path])


@pytest.mark.parametrize("kept", [1, 8, 11, 12, 40, -1])
def test_truncated(shard, kept):
    path, ends = shard
    start = ends[-2]
    end = start + kept if kept > 0 else ends[-1] + kept
    path.write_bytes(path.read_bytes()[:end])

    with pytest.raises(
        ValueError, match=f"path={path}, damaged in the record at byte {start}$"
    ):
        read_tfrecords([path])


def test_what_is_no_shard(shard):
    path, _ = shard
    contents = path.read_bytes()
    absurd = struct.pack("<Q", 2**60) + contents[8:]
    for other in (gzip.compress(contents), b"id,label\n", b"\0" * 99, absurd):
        path.write_bytes(other)
        with pytest.raises(ValueError, match="whole.*damaged .* at byte 0$"):
            read_tfrecords([path])


def test_shards_without_records(write):
    paths = [write([], "a"), write([], "b")]
    with pytest.raises(ValueError, match=f"2 without .* first {paths[0]}"):
        read_tfrecords(paths)


def test_shards_of_a_pattern(tmp_path):
    for name in ("train-1", "train-0", "validation-0", "deep/train-2"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "train-folder").mkdir()

    assert find_shards(f"{tmp_path}/train-*") == [
        f"{tmp_path}/train-0",
        f"{tmp_path}/train-1",
    ]
    assert f"{tmp_path}/deep/train-2" in find_shards(f"{tmp_path}/**/train-*")
    with pytest.raises(FileNotFoundError, match="pattern=.*/x, which matches"):
        find_shards(f"{tmp_path}/x")
