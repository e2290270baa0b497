"""The verb `train`, from labelled photographs to a preset that is searched."""

import csv
import json
import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from delf_keras.cli.training_progress import TrainingProgress
from delf_keras.datasets.synthetic import render_view, write_photographs
from delf_keras.features.extractor import Extractor
from delf_keras.models.delf import Delf

SIZE = (96, 128)
CLASSES = [f"landmark_{number:02}" for number in range(4)]
# What makes a run quick.
QUICK = (
    "--image_size=48",
    "--batch_size=8",
    "--epochs=2",
    "--pca_dimension=16",
    "--features=40",
    "--max_image_size=128",
)


@dataclass(frozen=True)
class Trained:
    """The preset folder of a run, and what the command printed."""

    folder: Path
    finished: object


@pytest.fixture(scope="module")
def landmarks(tmp_path_factory):
    """A folder of 5 rendered photographs of each of 4 landmarks."""
    folder = tmp_path_factory.mktemp("landmarks")
    paths = write_photographs(
        folder,
        num_landmarks=4,
        views_per_landmark=5,
        num_distractors=0,
        size=SIZE,
    )
    for path in paths:
        landmark = path.stem.split("_view_")[0]
        (folder / landmark).mkdir(exist_ok=True)
        path.rename(folder / landmark / path.name)
    return folder


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
def descriptors(finish, landmarks, tmp_path_factory):
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
        *QUICK,
    )
    assert finished.code == 0, finished.err
    return Trained(folder, finished)


@pytest.fixture(scope="module")
def attention_flags(landmarks, descriptors, tmp_path_factory):
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
        *QUICK,
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


@pytest.fixture
def refused(command, landmarks, tmp_path):
    """A function that runs what must be refused, and returns the message.

    The network is new if nothing else is said, the photographs are good.
    """

    def refused(*flags, network=("--depth=14", "--width=8"), leaves=()):
        output = tmp_path / "output" / "preset"
        finished = command(
            "train",
            f"--dataset=folder:{landmarks}",
            "--stage=attention",
            f"--output={output}",
            *QUICK,
            *network,
            *flags,
        )
        assert finished.code == 1
        *progress, message = finished.err.splitlines()
        assert all(line.startswith("check ") for line in progress)
        assert message.startswith("delf-keras train: ")
        left = files_in(output.parent) if output.parent.exists() else []
        assert left == [*leaves]
        return message

    return refused


@pytest.mark.parametrize(
    ("network", "received"),
    [
        ((), "preset=None, depth=None"),
        (("--depth=14", "--preset=mine"), "preset=mine, depth=14"),
    ],
)
def test_a_preset_or_a_new_network(refused, network, received):
    assert refused(network=network).endswith(f"Received: {received}")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("more.jpg",), ("no arguments", "more.jpg")),
        (("--dataset=files:a",), ("folder:PATH", "dataset=files:a")),
        (("--dataset=folder:/nowhere",), ("folder=/nowhere",)),
        (("--image_root=a",), ("image_root", "csv")),
        (("--depth=15",), ("depth=15",)),
        (("--image_size=64", "--resize_size=60"), ("resize_size=60",)),
        (("--epochs=2", "--steps=9"), ("not both",)),
        (("--validation_fraction=1",), ("fraction=1",)),
        (("--eval_set=/nowhere",), ("gnd_*.pkl", "/nowhere")),
    ],
)
def test_wrong_flags(refused, flags, words):
    """They are found before training, of which nothing is left."""
    message = refused(*flags)
    assert all(word in message for word in words)


def test_unknown_monitor(refused):
    """It is found before training, and what there is depends on the flags."""
    message = refused("--monitor=mAP_M", "--validation_fraction=0")
    assert message.endswith("one of loss, accuracy. Received: monitor=mAP_M")
    message = refused("--monitor=val_los", "--stage=joint")
    assert "attention_accuracy, val_loss, " in message


def test_unknown_preset(refused):
    message = refused(network=("--preset=delf_resnet18",))
    assert "a folder, or a URL" in message


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


def test_one_class(refused, landmarks, tmp_path):
    shutil.copytree(landmarks / CLASSES[2], tmp_path / "one" / "castle")
    message = refused(f"--dataset=folder:{tmp_path / 'one'}")
    assert message.endswith("all of castle") and "two classes" in message


def test_no_photographs(refused, tmp_path):
    (tmp_path / "empty" / "castle").mkdir(parents=True)
    message = refused(f"--dataset=folder:{tmp_path / 'empty'}")
    assert f"folder={tmp_path / 'empty'}, with no photograph" in message


def test_labels_out_of_range(refused, landmarks, tmp_path):
    shard = tmp_path / "train-00000-of-00001"
    photograph = landmarks / CLASSES[0] / f"{CLASSES[0]}_view_0.jpg"
    features = {
        "image/encoded": tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[photograph.read_bytes()])
        ),
        "image/class/label": tf.train.Feature(
            int64_list=tf.train.Int64List(value=[7])
        ),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    with tf.io.TFRecordWriter(str(shard)) as writer:
        writer.write(example.SerializeToString())
    message = refused(
        f"--dataset=tfrecord:{tmp_path}/train-*", "--num_classes=3"
    )
    assert "[0, 3)" in message and "7" in message and str(shard) in message


def test_a_loss_that_is_not_finite(refused, landmarks):
    """The photographs of the step are named, and the folder stays."""
    message = refused(
        "--learning_rate=1e30", "--clip_norm=0", leaves=["preset.partial"]
    )
    assert "The loss is no longer finite: lower the learning rate" in message
    assert "(epoch 1), of " in message
    assert message.count(f"{landmarks}/landmark_0") == 8
