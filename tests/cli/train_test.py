"""The verb `train`, from labelled photographs to a preset that is searched."""

import csv
import json
import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from delf_keras.cli.training_progress import TrainingProgress
from delf_keras.datasets.synthetic import render_view
from delf_keras.features.extractor import Extractor
from delf_keras.models.delf import Delf

SIZE = (96, 128)
CLASSES = [f"landmark_{number:02}" for number in range(4)]


@dataclass(frozen=True)
class Trained:
    """The preset folder of a run, and what the command printed."""

    folder: Path
    finished: object


@pytest.fixture(scope="module")
def another_view(tmp_path_factory):
    """A photograph of `landmark_01` that is not among them."""
    path = tmp_path_factory.mktemp("views") / "view.png"
    Image.fromarray(render_view(1, 5, SIZE).image).save(path)
    return path


@pytest.fixture(scope="module")
def eval_set(landmarks, tmp_path_factory):
    """A folder of one query, which a photograph of each landmark may show."""
    folder = tmp_path_factory.mktemp("eval_set")
    (folder / "jpg").mkdir()
    names = [f"{landmark}_view_0" for landmark in CLASSES]
    query = f"{CLASSES[0]}_view_1"
    for name in (*names, query):
        source = landmarks / name.split("_view_")[0] / f"{name}.jpg"
        shutil.copy(source, folder / "jpg")
    labels = {"easy": [0], "hard": [], "junk": []}
    content = {
        "imlist": names,
        "qimlist": [query],
        "gnd": [{"bbx": [0, 0, 128, 96], **labels}],
    }
    (folder / "gnd_views.pkl").write_bytes(pickle.dumps(content))
    return folder


@pytest.fixture(scope="module")
def descriptors(finish, landmarks, quick, tmp_path_factory):
    """What a descriptor stage left."""
    folder = tmp_path_factory.mktemp("descriptors") / "preset"
    finished = finish(
        "train",
        "--depth=14",
        "--width=8",
        f"--dataset=folder:{landmarks}",
        "--stage=descriptor",
        f"--output={folder}",
        "--half",
        *quick,
    )
    assert finished.code == 0, finished.err
    return Trained(folder, finished)


@pytest.fixture(scope="module")
def attention_flags(landmarks, quick, descriptors, tmp_path_factory):
    """Flags of an attention stage, in a file, as for the paper's."""
    file = tmp_path_factory.mktemp("flags") / "attention.flags"
    lines = [
        "# Crops of two sizes.",
        f"--preset={descriptors.folder}",
        f"--dataset=folder:{landmarks}",
        "--stage=attention",
        "--gammas=1,0.6667",
        "--keep=last",
        "--validation_fraction=0",
        *quick,
    ]
    file.write_text("\n".join(lines))
    return f"--flagfile={file}"


@pytest.fixture(scope="module")
def attention(finish, attention_flags, eval_set, tmp_path_factory):
    """What an attention stage left that was also evaluated and shown.

    A MirroredStrategy has one replica here, on the processor.
    """
    home = tmp_path_factory.mktemp("attention")
    finished = finish(
        "train",
        attention_flags,
        f"--output={home / 'preset'}",
        f"--tensorboard={home / 'board'}",
        f"--eval_set={eval_set}",
        "--strategy=mirrored",
        "--description=Trained.",
    )
    assert finished.code == 0, finished.err
    return Trained(home / "preset", finished)


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def info_of(preset):
    return json.loads((preset / "preset.json").read_text())


def rows_of(preset):
    """Returns the log of a run: a dict of metrics for each epoch."""
    with open(preset / "log.csv", newline="") as file:
        return [
            {name: float(value) for name, value in row.items()}
            for row in csv.DictReader(file)
        ]


def test_what_a_run_says(descriptors):
    folder, finished = descriptors.folder, descriptors.finished
    table = finished.out.splitlines()
    assert table[0].split() == ["training", "validation"]
    assert table[1].split() == ["photographs", "16", "4"]
    assert table[-1].startswith(f"{folder}: epoch ")
    assert "PCA to 16 dimensions, score threshold" in table[-1]
    labels = [line.split(":")[0] for line in finished.err.splitlines()]
    assert labels == [
        "check training",
        "check validation",
        "epoch 1 of 2",
        "epoch 2 of 2",
        "finish",
    ]


def test_what_a_run_leaves(descriptors):
    folder = descriptors.folder
    assert files_in(folder.parent) == ["preset"]
    assert files_in(folder) == [
        "config.json",
        "log.csv",
        "model.weights.h5",
        "pca.npz",
        "preset.json",
    ]
    assert [row["epoch"] for row in rows_of(folder)] == [1, 2]


def test_record(descriptors, landmarks):
    """All there is to do it again, what was not given on the line as well."""
    info = info_of(descriptors.folder)
    training = info["training"]
    given = {"depth": 14, "width": 8, "stage": "descriptor", "half": True}
    of_stage = {"image_size": 48, "resize_size": 54, "batch_size": 8}
    of_library = {"weight_decay": 1e-4, "pooling": "sum", "crop": "centre"}
    resolved = {"epochs": 2, "steps_per_epoch": 2, "gammas": [1.0]}
    options = training["options"]
    assert options.items() >= (given | of_stage | of_library).items()
    assert options.items() >= resolved.items()
    assert training["data"]["classes"] == CLASSES
    assert training["start"] == {} and "licence" not in info
    assert info["description"] == (
        f"a new network of depth 14, trained on folder:{landmarks} "
        "(stage descriptor)."
    )


def test_descriptor_stage(descriptors):
    delf = Delf.from_preset(descriptors.folder)
    config = delf.get_config()
    assert (delf.backbone.depth, delf.backbone.width) == (14, 8)
    assert (config["attention"], config["scaling"]) == ("norm", "tf_models")
    # --half
    for weight in delf.get_weights():
        np.testing.assert_array_equal(weight, np.float16(weight))


def test_attention_stage(attention, descriptors):
    """The backbone is as it was, to the bit."""
    delf = Delf.from_preset(attention.folder)
    start = Delf.from_preset(descriptors.folder)
    assert delf.get_config()["attention"] == "conv"
    for weight, before in zip(
        delf.backbone.get_weights(), start.backbone.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(weight, before)
    info = info_of(attention.folder)
    assert info["description"] == "Trained."
    start = info["training"]["start"]
    assert start["sha256"] == info_of(descriptors.folder)["sha256"]


def test_tensorboard(attention):
    board = attention.folder.parent / "board"
    assert files_in(board) == ["attention", "train"]
    assert all(files_in(folder) for folder in board.iterdir())


def test_the_preset_can_be_searched_with(
    finish, attention, landmarks, another_view, tmp_path
):
    """Another view of a landmark is found, by descriptors of its PCA."""
    index = tmp_path / "index"
    built = finish(
        "index",
        f"--preset={attention.folder}",
        f"--photos={landmarks}",
        f"--output={index}",
        "--max_image_size=128",
    )
    assert built.code == 0
    found = finish(
        "search", f"--index={index}", f"--query={another_view}", "--top=1"
    )
    assert found.code == 0
    assert f"{landmarks}/landmark_01/" in found.out

    extractor = Extractor.from_preset(attention.folder)
    assert extractor.pca.dimension == 16
    assert extractor.options.score_threshold > 0


class InterruptAt:
    """Stands in for a user who interrupts in the middle of a step."""

    def __init__(self, step):
        self.steps_left = step

    def __call__(self, batch, logs=None):
        if self.steps_left == 0:
            raise KeyboardInterrupt
        self.steps_left -= 1


def test_an_interrupted_run_goes_on(
    command, attention, attention_flags, tmp_path, monkeypatch
):
    """To the weights and the metrics of the one that was not interrupted."""
    output = tmp_path / "preset"
    arguments = ("train", attention_flags, f"--output={output}")
    with monkeypatch.context() as patch:
        # An epoch has two steps.
        interrupt = InterruptAt(3)
        patch.setattr(
            TrainingProgress,
            "on_train_batch_begin",
            lambda self, batch, logs=None: interrupt(batch),
        )
        finished = command(*arguments)
    assert finished.code == 130
    assert finished.err.splitlines()[-1] == (
        "delf-keras train: interrupted; the same command goes on from where "
        "it was."
    )
    assert files_in(tmp_path) == ["preset.partial"]
    assert files_in(tmp_path / "preset.partial") == [
        "epoch_00001.weights.h5",
        "log.csv",
        "run.json",
        "state.json",
    ]

    other = command(*arguments, "--batch_size=4", "--seed=3")
    assert other.code == 1
    assert other.err.endswith("Received: another batch_size, seed\n")

    # How it ends may be changed.
    assert command(*arguments, "--description=Resumed.").code == 0
    assert files_in(tmp_path) == ["preset"]
    assert info_of(output)["description"] == "Resumed."
    for row, expected in zip(
        rows_of(output), rows_of(attention.folder), strict=True
    ):
        expected = {name: expected[name] for name in row}
        assert row == pytest.approx(expected, rel=1e-5)
    weights, expected = (
        Delf.from_preset(folder).get_weights()
        for folder in (output, attention.folder)
    )
    for received, weight in zip(weights, expected, strict=True):
        np.testing.assert_allclose(received, weight, rtol=1e-4, atol=1e-6)


def test_evaluation(attention):
    """mAP is a metric of each epoch, by which the best can be chosen."""
    rows = rows_of(attention.folder)
    for row in rows:
        assert 0 < row["mAP_E"] == row["mAP_M"] <= 1
    last = f"epoch 2 of 2, mAP_M {rows[-1]['mAP_M']:.4g};"
    assert last in attention.finished.out


def test_existing_output(command, landmarks, descriptors):
    folder = descriptors.folder
    before = files_in(folder)
    finished = command(
        "train",
        "--depth=14",
        f"--dataset=folder:{landmarks}",
        "--stage=joint",
        f"--output={folder}",
    )
    assert finished.code == 1
    assert finished.err == (
        "delf-keras train: The preset folder exists already. "
        f"Received: {folder}\n"
    )
    assert files_in(folder) == before
