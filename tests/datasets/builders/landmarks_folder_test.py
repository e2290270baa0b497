"""Photographs of one's own."""

import pytest
import tensorflow_datasets as tfds

from delf_keras.datasets.builders import LandmarksFolder


@pytest.fixture
def folder(tmp_path, write_photograph):
    """Two classes, one with a PNG file in a folder of its own."""
    folder = tmp_path / "photographs"
    write_photograph(folder / "tower" / "a.jpg", 0)
    write_photograph(folder / "tower" / "more" / "b.png", 1)
    write_photograph(folder / "bridge" / "a.jpg", 2)
    (folder / "bridge" / "notes.txt").write_text("no photograph")
    return folder


def test_a_class_for_each_folder(build, folder, examples):
    builder = build(LandmarksFolder, folder)
    assert builder.info.features["label"].names == ["bridge", "tower"]
    found = {each["file"].decode(): each for each in examples(builder, "train")}
    assert {name: each["label"] for name, each in found.items()} == {
        "bridge/a.jpg": 0,
        "tower/a.jpg": 1,
        "tower/more/b.png": 1,
    }
    for name, each in found.items():
        assert each["image"] == (folder / name).read_bytes()
    assert list(builder.info.splits) == ["train"]


def test_names_that_are_no_text(build, folder, examples):
    (folder / "bridge" / "a.jpg").rename(folder / "bridge" / "caf\udce9.jpg")
    files = {
        each["file"]
        for each in examples(build(LandmarksFolder, folder), "train")
    }
    assert b"bridge/caf\xe9.jpg" in files


def test_photographs_are_decoded(build, folder):
    images = build(LandmarksFolder, folder).as_dataset("train")
    assert {tuple(each["image"].shape) for each in images} == {(30, 40, 3)}


def test_parts_become_splits(build, tmp_path, write_photograph, examples):
    folder = tmp_path / "parts"
    for part in ("train", "val"):
        for name in ("tower", "bridge"):
            write_photograph(folder / part / name / "a.jpg")
    builder = build(LandmarksFolder, folder)
    files = [each["file"].decode() for each in examples(builder, "validation")]
    assert sorted(files) == ["val/bridge/a.jpg", "val/tower/a.jpg"]
    assert builder.info.splits["train"].num_examples == 2


def test_a_name_of_its_own(build, folder, tmp_path):
    config = tfds.core.BuilderConfig(name="castles")
    build(LandmarksFolder, folder, config=config)
    # It is found again by that name alone.
    again = tfds.builder("landmarks_folder/castles", data_dir=tmp_path / "data")
    assert again.info.features["label"].names == ["bridge", "tower"]
    assert again.info.splits["train"].num_examples == 3


def test_without_a_folder(build):
    with pytest.raises(FileNotFoundError, match="as manual_dir.*Received"):
        build(LandmarksFolder)


def test_a_folder_without_classes(build, tmp_path, write_photograph):
    write_photograph(tmp_path / "flat" / "a.jpg")
    with pytest.raises(ValueError, match="subfolder"):
        build(LandmarksFolder, tmp_path / "flat")
