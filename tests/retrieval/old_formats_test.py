"""An index folder of format 1, as its version wrote it, is opened."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from delf_keras.features.local_features import LocalFeatures
from delf_keras.retrieval import (
    ImageIndex,
    add_photographs,
    compact_index,
    index_info,
)

FOLDER = Path(__file__).parent / "format_1"


def query_of(number):
    """The features of a photograph of the index, from its files."""
    rows = slice(12 * number, 12 * number + 12)
    return LocalFeatures(
        np.load(FOLDER / "locations.npy")[rows],
        np.load(FOLDER / "descriptors.npy")[rows],
        np.ones(12),
        np.ones(12),
        fingerprint="0123456789abcdef",
    )


def test_photographs_find_themselves(caplog):
    index = ImageIndex.load(FOLDER)

    assert len(index) == 6 and index.database.num_descriptors == 72
    assert index.root == Path("/photographs")
    assert index.extractor_source == "localhost:8500"
    assert index.extraction.max_features == 1000
    for number in range(6):
        best = index.search(query_of(number))[0]
        assert best.name == f"photograph_{number}.jpg"
        assert best.num_inliers == 12
    assert "index-compact" in caplog.text


def test_it_is_brought_up_to_date(tmp_path):
    ImageIndex.load(FOLDER).save(tmp_path / "new")
    compact_index(tmp_path / "new")

    assert index_info(tmp_path / "new")["photographs"] == 6
    best = ImageIndex.load(tmp_path / "new").search(query_of(4))[0]
    assert best.name == "photograph_4.jpg"


def test_it_is_read_only():
    for change in (
        compact_index,
        index_info,
        lambda folder: add_photographs(folder, []),
    ):
        with pytest.raises(ValueError, match="index-compact.*format 1"):
            change(FOLDER)
    assert not (FOLDER / "lock").exists()


@pytest.mark.parametrize("name", ["images.json", "descriptors.npy"])
def test_damaged_file(tmp_path, name):
    folder = tmp_path / "index"
    shutil.copytree(FOLDER, folder)
    (folder / name).write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match="is damaged: build it again"):
        ImageIndex.load(folder)
