"""Folders of photographs."""

import numpy as np
import pytest
from PIL import Image

from delf_keras.datasets.synthetic import (
    render_distractor,
    render_view,
    write_photographs,
)

FEW = {
    "num_landmarks": 2,
    "views_per_landmark": 2,
    "num_distractors": 1,
    "size": (120, 160),
}


def test_writes_every_photograph_under_its_name(tmp_path):
    paths = write_photographs(tmp_path / "new" / "photographs", **FEW)
    names = [
        "landmark_00_view_0.jpg",
        "landmark_00_view_1.jpg",
        "landmark_01_view_0.jpg",
        "landmark_01_view_1.jpg",
        "distractor_00.jpg",
    ]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in paths[0].parent.iterdir()) == sorted(
        names
    )


def test_the_files_are_the_photographs_in_rgb(tmp_path):
    paths = write_photographs(tmp_path, **FEW)
    shown = [render_view(1, 0, FEW["size"]).image]
    shown.append(render_distractor(0, FEW["size"]))
    for path, expected in zip((paths[2], paths[4]), shown, strict=True):
        with Image.open(path) as file:
            assert file.format == "JPEG"
            decoded = np.asarray(file.convert("RGB")).astype(float)
        # JPEG loses some; exchanged colour channels would lose far more.
        assert np.abs(decoded - expected).mean() < 6


def test_writes_the_same_bytes_again(tmp_path):
    first = write_photographs(tmp_path / "first", **FEW)
    second = write_photographs(tmp_path / "second", **FEW)
    for here, there in zip(first, second, strict=True):
        assert here.read_bytes() == there.read_bytes()


def test_another_seed_has_other_photographs(tmp_path):
    first = write_photographs(tmp_path / "first", **FEW)
    second = write_photographs(tmp_path / "second", **FEW, seed=1)
    for here, there in zip(first, second, strict=True):
        assert here.read_bytes() != there.read_bytes()


def test_replaces_what_was_there(tmp_path):
    stale = tmp_path / "distractor_00.jpg"
    stale.write_bytes(b"stale")
    write_photographs(tmp_path, **{**FEW, "num_landmarks": 0})
    assert stale.read_bytes()[:2] == b"\xff\xd8"
    assert list(tmp_path.iterdir()) == [stale]


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_landmarks": -1},
        {"views_per_landmark": -1},
        {"num_distractors": 1.5},
        {"size": (8, 8)},
        {"seed": -1},
    ],
)
def test_refuses_what_it_cannot_write(tmp_path, wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"Received: {name}="):
        write_photographs(tmp_path / "photographs", **{**FEW, **wrong})
    assert not (tmp_path / "photographs").exists()
