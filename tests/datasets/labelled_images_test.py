"""A photograph is read alike from a file and from a part of one."""

import numpy as np
import pytest

from delf_keras.datasets.labelled_images import LabelledImages


@pytest.fixture
def images(tmp_path):
    """A file `a.jpg`, and two parts of a file `shard`."""
    (tmp_path / "a.jpg").write_bytes(b"all of a")
    (tmp_path / "shard").write_bytes(b"..first....second.")
    return LabelledImages(
        paths=np.array([f"{tmp_path}/{n}" for n in ("a.jpg", *2 * ["shard"])]),
        offsets=np.array([0, 2, 11]),
        lengths=np.array([-1, 5, 6]),
        labels=np.array([1, 0, 1]),
        class_names=("castle", "tower"),
    )


def test_read(images):
    assert len(images) == 3
    assert images.num_classes == 2
    contents = [images.read(i) for i in range(3)]
    assert contents == [b"all of a", b"first", b"second"]


def test_names_tell_parts_of_a_file_apart(images, tmp_path):
    assert [images.name(i) for i in range(3)] == [
        f"{tmp_path}/a.jpg",
        f"{tmp_path}/shard@2",
        f"{tmp_path}/shard@11",
    ]


@pytest.mark.parametrize("indices", ([2, 0], np.array([True, False, True]), []))
def test_selection(images, indices):
    selected = images.select(np.array(indices, getattr(indices, "dtype", int)))
    rows = np.arange(3)[indices] if len(indices) else []

    assert len(selected) == len(rows)
    assert selected.class_names == images.class_names
    for i, row in enumerate(rows):
        assert selected.read(i) == images.read(row)
        assert selected.name(i) == images.name(row)
        assert selected.labels[i] == images.labels[row]


def test_files(tmp_path):
    (tmp_path / "b.png").write_bytes(b"all of b")
    images = LabelledImages.from_files([f"{tmp_path}/b.png"], [0], ["castle"])

    assert images.read(0) == b"all of b"
    assert images.name(0) == f"{tmp_path}/b.png"
    assert images.class_names == ("castle",)
    assert images.labels.dtype == images.offsets.dtype == np.int64
    assert images.paths.dtype == object


def test_missing_file():
    images = LabelledImages.from_files(["/absent/a.jpg"], [0], ["castle"])

    with pytest.raises(FileNotFoundError, match="/absent/a.jpg"):
        images.read(0)


def test_lengths_that_differ():
    with pytest.raises(ValueError, match=r"label each\. .*'labels': 1"):
        LabelledImages.from_files(["a.jpg", "b.jpg"], [0], ["castle"])
