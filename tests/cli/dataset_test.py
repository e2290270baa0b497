"""Data sets by the command line."""

import sys

import pytest
import tensorflow_datasets as tfds

from delf_keras.datasets.builders import (
    BUILDERS,
    Oxford5k,
    SyntheticLandmarks,
    SyntheticLandmarksConfig,
)


@pytest.fixture(scope="module", autouse=True)
def _few(request):
    """A config `hardly_any` with very few photographs."""
    config = SyntheticLandmarksConfig(
        name="hardly_any",
        description="Hardly any.",
        num_landmarks=1,
        train_views=2,
        validation_views=1,
        num_distractors=1,
        size=(96, 128),
    )
    with pytest.MonkeyPatch.context() as patch:
        configs = [*SyntheticLandmarks.BUILDER_CONFIGS, config]
        patch.setattr(SyntheticLandmarks, "BUILDER_CONFIGS", configs)
        patch.setattr(
            SyntheticLandmarks,
            "builder_configs",
            {each.name: each for each in configs},
        )
        yield


@pytest.fixture(scope="module")
def built(finish, tmp_path_factory):
    """A folder of data sets, and what building one said."""
    folder = tmp_path_factory.mktemp("datasets")
    finished = finish(
        "dataset",
        "--name=synthetic_landmarks/hardly_any",
        f"--data_dir={folder}",
        "--workers=1",
    )
    assert finished.code == 0
    return folder, finished


def test_building_describes(built):
    folder, finished = built
    lines = finished.out.splitlines()
    assert lines[0] == "synthetic_landmarks"
    assert lines[2] == "Views of buildings, rendered here: no download."
    home = folder / "synthetic_landmarks" / "hardly_any" / "1.0.0"
    for line in (
        "config    hardly_any: Hardly any.",
        "splits    train: 2 examples",
        "          validation: 1 examples",
        "          distractors: 1 examples",
        "classes   label: 1, landmark_0000 to landmark_0000",
        "features  image: Image(shape=(None, None, 3), dtype=uint8)",
        "          homography: Tensor(shape=(3, 3), dtype=float64)",
        "licence   Apache-2.0",
    ):
        assert line in lines
    (line,) = [line for line in lines if line.startswith("folder")]
    assert line.startswith(f"folder    {home} (")
    assert line.endswith("iB)")


def test_progress_is_plain_lines(built):
    """A line for each split, and nothing of what TFDS would write."""
    _, finished = built
    labels = [line.split(":")[0] for line in finished.err.splitlines()]
    assert labels == ["render train", "render validation", "render distractors"]
    assert "Downloading and preparing" not in finished.out


def test_what_is_built_is_left_alone(command, built):
    folder, first = built
    again = command(
        "dataset",
        "--name=synthetic_landmarks/hardly_any",
        f"--data_dir={folder}",
    )
    assert again.code == 0
    assert again.out == first.out
    assert again.err == ""


def test_tfds_finds_it(built):
    folder, _ = built
    data = tfds.load(
        "synthetic_landmarks/hardly_any", split="train", data_dir=folder
    )
    assert len(data) == 2


def test_own_photographs(command, tmp_path, write_photographs_of):
    photographs = write_photographs_of("bridge", "tower")
    arguments = (
        "dataset",
        "--name=landmarks_folder/castles",
        f"--data_dir={tmp_path / 'data'}",
        f"--manual_dir={photographs}",
    )
    finished = command(*arguments)
    assert finished.code == 0
    lines = finished.out.splitlines()
    assert "splits    train: 2 examples" in lines
    assert "classes   label: 2, bridge to tower" in lines
    home = tmp_path / "data" / "landmarks_folder" / "castles" / "1.0.0"
    assert (home / "dataset_info.json").is_file()


@pytest.fixture
def write_photographs_of(tmp_path, make_photograph):
    """A function that makes a folder with a photograph of each class."""
    from PIL import Image

    def write_photographs_of(*names):
        for name in names:
            folder = tmp_path / "photographs" / name
            folder.mkdir(parents=True)
            Image.fromarray(make_photograph(30, 40)).save(folder / "a.jpg")
        return tmp_path / "photographs"

    return write_photographs_of


def test_describing_builds_nothing(command, tmp_path):
    finished = command(
        "dataset", "--name=oxford5k", f"--data_dir={tmp_path}", "--describe"
    )
    assert finished.code == 0
    assert finished.err == ""
    lines = finished.out.splitlines()
    assert f"folder    {tmp_path}/oxford5k/1.0.0 (not built)" in lines
    assert f"files     {Oxford5k.MANUAL_DOWNLOAD_INSTRUCTIONS}" in lines
    assert f"homepage  {Oxford5k.HOMEPAGE}" in lines
    assert "citation  @inproceedings{philbin2007object," in lines
    assert not list(tmp_path.iterdir())


def test_data_sets_of_tfds_are_described_too(command, tmp_path):
    finished = command(
        "dataset", "--name=mnist", f"--data_dir={tmp_path}", "--describe"
    )
    assert finished.code == 0
    assert "classes   label: 10, 0 to 9" in finished.out.splitlines()


def test_list(command, monkeypatch):
    for builder in BUILDERS:
        # As where Python optimizes.
        monkeypatch.setattr(builder, "__doc__", None)
    finished = command("dataset", "--list")
    assert finished.code == 0
    lines = finished.out.splitlines()
    assert len(lines) == len(BUILDERS)
    for line, builder in zip(lines, BUILDERS, strict=True):
        assert line.startswith(builder.name)
        assert len(line.split("  ")) == 2
    assert "google_landmarks_v2/{full,clean}  " in finished.out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ((), ("--name", "none")),
        (("--name=oxfrod5k",), ("oxford5k", "name=oxfrod5k")),
        (("--name=synthetic_landmarks/huge",), ("tiny", "huge")),
        (("--name=oxford5k/huge",), ("none", "huge")),
        (("--name=landmarks_folder",), ("manual_dir",)),
        (
            ("--name=landmarks_folder", "--manual_dir=/nowhere"),
            ("manual_dir=/nowhere",),
        ),
    ],
)
def test_bad_input(refused, tmp_path, flags, words):
    message = refused("dataset", f"--data_dir={tmp_path}", *flags)
    assert all(word in message for word in words)


def test_photographs_without_classes(refused, tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    message = refused(
        "dataset",
        "--name=landmarks_folder",
        f"--data_dir={tmp_path / 'data'}",
        f"--manual_dir={folder}",
    )
    assert f"folder={folder}" in message


def test_no_worker(refused):
    assert "workers" in refused("dataset", "--workers=0", code=2)


def test_without_tfds_it_says_how_to_install_it(refused, monkeypatch):
    monkeypatch.delitem(sys.modules, "delf_keras.datasets.builders")
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    message = refused("dataset", "--list")
    assert 'pip install "delf-keras[tfds]"' in message
