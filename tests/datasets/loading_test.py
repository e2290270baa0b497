"""The name of a data set says how its photographs are listed."""

import pytest
import tensorflow as tf

from delf_keras.datasets import loading
from delf_keras.datasets.loading import load_dataset


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_shard(path, *labels):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for label in labels:
            example = tf.train.Example()
            feature = example.features.feature
            feature["image/encoded"].bytes_list.value.append(b"photograph")
            feature["image/class/label"].int64_list.value.append(label)
            writer.write(example.SerializeToString())


def test_folder(folder):
    for part in ("train", "val"):
        (folder / part / "castle").mkdir(parents=True)
        (folder / part / "castle" / f"{part}.jpg").touch()
    splits = load_dataset(f"folder:{folder}")

    assert splits.train.name(0) == f"{folder}/train/castle/train.jpg"
    assert splits.validation.name(0) == f"{folder}/val/castle/val.jpg"


def test_place_with_a_colon(folder):
    (folder / "a:b" / "castle").mkdir(parents=True)
    (folder / "a:b" / "castle" / "c.jpg").touch()

    assert load_dataset("folder:a:b").train.name(0) == "a:b/castle/c.jpg"


def test_table(folder):
    (folder / "jpg").mkdir()
    (folder / "table.csv").write_text("file,label\na.jpg,castle\nb.jpg,tower\n")
    (folder / "other.csv").write_text("file,label\nc.jpg,tower\n")
    (folder / "relabeling.csv").write_text("new_label,old_label\n0,tower\n")

    splits = load_dataset("csv:table.csv", image_root="jpg")
    assert list(splits.train.paths) == ["jpg/a.jpg", "jpg/b.jpg"]
    assert splits.validation is None

    splits = load_dataset("csv:table.csv", validation="other.csv")
    assert splits.validation.class_names == ("castle", "tower")
    assert splits.validation.labels.tolist() == [1]

    splits = load_dataset(
        "csv:table.csv",
        validation="other.csv",
        image_root="jpg",
        relabeling="relabeling.csv",
    )
    assert list(splits.train.paths) == ["jpg/b.jpg"]
    assert list(splits.validation.paths) == ["jpg/c.jpg"]
    assert splits.train.class_names == ("tower",)
    assert splits.validation.class_names == ("tower",)


def test_table_for_validation_has_known_classes(folder):
    (folder / "table.csv").write_text("file,label\na.jpg,castle\n")
    (folder / "other.csv").write_text("file,label\nc.jpg,tower\n")
    with pytest.raises(ValueError, match="Received: tower, path=other.csv"):
        load_dataset("csv:table.csv", validation="other.csv")


def test_shards(folder):
    write_shard(folder / "train-0", 0, 2)
    write_shard(folder / "train-1", 1)
    write_shard(folder / "validation-0", 1)

    splits = load_dataset("tfrecord:train-*", validation="validation-*")
    assert splits.train.labels.tolist() == [0, 2, 1]
    assert splits.validation.labels.tolist() == [1]
    assert splits.train.class_names == splits.validation.class_names
    assert splits.train.class_names == ("0", "1", "2")
    assert load_dataset("tfrecord:train-*").validation is None


def test_classes_of_shards(folder):
    """Shards have new labels; a relabeling knows what they were."""
    write_shard(folder / "train-0", 1, 2)
    lines = "new_label,old_label\n0,17\n1,4676\n2,30\n"
    (folder / "relabeling.csv").write_text(lines)

    def class_names(**options):
        return load_dataset("tfrecord:train-*", **options).train.class_names

    assert class_names(num_classes=4) == ("0", "1", "2", "3")
    assert class_names(relabeling="relabeling.csv") == ("17", "4676", "30")
    with pytest.raises(ValueError, match=r"\[0, 2\). Received: .*label=2"):
        class_names(num_classes=2)
    with pytest.raises(ValueError, match="by relabeling or by num_classes"):
        class_names(num_classes=3, relabeling="relabeling.csv")


def test_validation_label_out_of_range(folder):
    write_shard(folder / "train-0", 0, 1)
    write_shard(folder / "validation-0", 2)
    with pytest.raises(ValueError, match=r"\[0, 2\). .* of validation-0"):
        load_dataset("tfrecord:train-0", validation="validation-0")


def test_tfds(monkeypatch):
    """Its name may have a colon; what is read is for `tfds_sets_test`."""
    calls = []

    def read_tfds(name, **options):
        calls.append((name, options["data_dir"]))
        return "train", "validation"

    monkeypatch.setattr(loading, "read_tfds", read_tfds)
    splits = load_dataset("tfds:landmarks/c:1.0.0", data_dir="sets")

    assert (splits.train, splits.validation) == ("train", "validation")
    assert calls == [("landmarks/c:1.0.0", "sets")]


@pytest.mark.parametrize("spec", ["", "folder", "folder:", "zip:a.zip", "/a/b"])
def test_what_is_no_data_set(spec):
    with pytest.raises(
        ValueError, match=f"tfds:NAME. Received: dataset={spec}$"
    ):
        load_dataset(spec)


@pytest.mark.parametrize(
    ("spec", "option"),
    [
        ("folder:a", "validation"),
        ("folder:a", "image_root"),
        ("csv:a", "num_classes"),
        ("csv:a", "data_dir"),
        ("tfrecord:a", "image_root"),
        ("tfds:a", "relabeling"),
    ],
)
def test_options_of_other_data_sets(spec, option):
    with pytest.raises(
        ValueError, match=f"^{option} is an .*: {option}=1 with"
    ):
        load_dataset(spec, **{option: 1})


def test_missing_data_sets(folder):
    for spec in ("folder:absent", "csv:absent", "tfrecord:absent*"):
        with pytest.raises(FileNotFoundError, match="absent"):
            load_dataset(spec)
