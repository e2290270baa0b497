"""Photographs of a data set, in files and in parts of files."""

import numpy as np
import pytest
from PIL import Image

from delf_keras.datasets.labelled_images import LabelledImages
from delf_keras.features.decoding import ImageError
from delf_keras.training.photographs import load_photograph


@pytest.fixture
def photograph(tmp_path, make_photograph):
    """The path of a PNG file."""
    path = tmp_path / "a.png"
    Image.fromarray(make_photograph(40, 50)).save(path)
    return path


def test_a_file(photograph):
    images = LabelledImages.from_files([str(photograph)], [0], ("castle",))
    contents, pixels = load_photograph(images, 0)
    assert contents == photograph.read_bytes()
    np.testing.assert_array_equal(pixels, np.asarray(Image.open(photograph)))


def test_a_part_of_a_file(photograph, tmp_path):
    contents = photograph.read_bytes()
    shard = tmp_path / "shard"
    shard.write_bytes(b"before" + contents + b"after")
    images = LabelledImages(
        np.array([str(shard)], object),
        np.array([len(b"before")]),
        np.array([len(contents)]),
        np.array([0]),
        ("castle",),
    )
    assert load_photograph(images, 0)[0] == contents


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read. Received: .*a.jpg .No such file"),
        (b"", "is empty. Received: .*a.jpg"),
        (b"no image", "is whole. Received: .*a.jpg .Unknown image"),
    ],
)
def test_what_is_wrong_and_with_which(tmp_path, content, reason):
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    images = LabelledImages.from_files([str(path)], [0], ("castle",))
    with pytest.raises(ImageError, match=reason):
        load_photograph(images, 0)
