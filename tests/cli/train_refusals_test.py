"""What `train` refuses: in one line, and before it has cost anything."""

import shutil

import pytest
import tensorflow as tf


@pytest.fixture
def refused(command, landmarks, quick, tmp_path):
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
            *quick,
            *network,
            *flags,
        )
        assert finished.code == 1
        *progress, message = finished.err.splitlines()
        assert all(line.startswith("check ") for line in progress)
        assert message.startswith("delf-keras train: ")
        left = output.parent.glob("*")
        assert [path.name for path in left] == [*leaves]
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


def test_one_class(refused, landmarks, tmp_path):
    shutil.copytree(landmarks / "landmark_02", tmp_path / "one" / "castle")
    message = refused(f"--dataset=folder:{tmp_path / 'one'}")
    assert message.endswith("all of castle") and "two classes" in message


def test_no_photographs(refused, tmp_path):
    (tmp_path / "empty" / "castle").mkdir(parents=True)
    message = refused(f"--dataset=folder:{tmp_path / 'empty'}")
    assert f"folder={tmp_path / 'empty'}, with no photograph" in message


def test_labels_out_of_range(refused, landmarks, tmp_path):
    shard = tmp_path / "train-00000-of-00001"
    photograph = landmarks / "landmark_00/landmark_00_view_0.jpg"
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
