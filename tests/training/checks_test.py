"""What is wrong with a data set is found before training, and named."""

import filecmp
import re
from itertools import combinations

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from delf_keras.datasets.folders import read_folder
from delf_keras.datasets.labelled_images import LabelledImages
from delf_keras.datasets.tfrecords import RecordKeys, read_tfrecords
from delf_keras.training.checks import check_dataset


@pytest.fixture
def write(tmp_path, make_photograph):
    """A function that writes photographs, different ones of each seed."""

    def write(seeds):
        for name, seed in seeds.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(make_photograph(24, 32, seed)).save(path)
        return tmp_path

    return write


@pytest.fixture
def sound(write):
    """Two classes of three and two photographs, and two for validation."""
    names = [
        "train/castle/a.jpg",
        "train/castle/b.png",
        "train/castle/c.jpg",
        "train/tower/d.jpg",
        "train/tower/e.webp",
        "val/castle/f.jpg",
        "val/tower/g.jpg",
    ]
    return write({name: seed for seed, name in enumerate(names)})


def check_folder(folder):
    return check_dataset(*read_folder(folder))


def test_sound_data_set(sound):
    train, validation = read_folder(sound)
    report = check_dataset(train, validation)

    for part, images in (("training", train), ("validation", validation)):
        found = report.parts[part]
        assert found.rows.tolist() == list(range(len(images)))
        assert found.images.paths.tolist() == images.paths.tolist()
        assert found.unreadable == found.copies == {}
    assert report.shared == {}
    assert report.single_classes == report.empty_classes == []
    assert report.train is report.parts["training"].images
    assert report.validation is report.parts["validation"].images
    assert report.parts["training"].counts.tolist() == [3, 2]
    assert report.table().splitlines() == [
        "                            training  validation",
        "photographs                        5           2",
        "unreadable                         0           0",
        "copies                             0           0",
        "classes                            2           2",
        "of a class, fewest                 2           1",
        "of a class, median               2.5           1",
        "of a class, most                   3           1",
    ]


def test_without_validation(sound):
    report = check_dataset(read_folder(sound)[0])

    assert report.validation is None
    assert [*report.parts] == ["training"]
    assert "validation" not in report.table()


def test_unreadable_files(sound):
    """They are left out and named; the numbers of classes stay."""
    castle = sound / "train" / "castle"
    (castle / "b.png").write_text("Not a photograph at all.")
    (castle / "empty.jpg").touch()
    half = (castle / "c.jpg").read_bytes()
    (castle / "half.jpg").write_bytes(half[: len(half) // 2])
    Image.new("RGB", (40, 9)).save(castle / "small.png")
    (sound / "train" / "abbey").mkdir()
    (sound / "train" / "abbey" / "gone.jpg").symlink_to(sound / "nowhere")

    train, validation = read_folder(sound)
    report = check_dataset(train, validation)
    part = report.parts["training"]

    bad = {
        "abbey/gone.jpg": "cannot be read.*No such file",
        "castle/b.png": "a JPEG, PNG, WebP, GIF, BMP",
        "castle/empty.jpg": "is empty",
        "castle/half.jpg": "file that is whole",
        "castle/small.png": "at least 10 pixels .* 40x9",
    }
    assert [*part.unreadable] == [f"{sound}/train/{name}" for name in bad]
    for (name, reason), expected in zip(
        part.unreadable.items(), bad.values(), strict=True
    ):
        assert name in reason
        assert re.search(expected, reason)
    assert part.rows.tolist() == [1, 3, 7, 8]
    np.testing.assert_array_equal(report.train.labels, [1, 1, 2, 2])
    assert report.train.class_names == ("abbey", "castle", "tower")
    assert report.empty_classes == ["abbey"]
    assert len(report.validation) == 2

    table = report.table()
    assert "unreadable                         5           0\n" in table
    assert "Unreadable, left out: 5\n  The photograph cannot" in table
    assert "Classes without a photograph for training: 1\n  abbey" in table


def test_copies(write):
    """By their bytes, inside a part and across both, as filecmp finds them."""
    folder = write(
        {
            "train/castle/a.jpg": 0,
            "train/castle/b.jpg": 1,
            "train/tower/c.jpg": 0,
            "train/tower/d.jpg": 2,
            "train/tower/e.jpg": 0,
            "val/castle/f.jpg": 1,
            "val/castle/g.jpg": 3,
            "val/tower/h.jpg": 3,
            "val/tower/i.jpg": 0,
        }
    )
    report = check_folder(folder)
    copies = {part: found.copies for part, found in report.parts.items()}

    def path(name):
        return f"{folder}/{name}.jpg"

    assert copies["training"] == {
        path("train/tower/c"): path("train/castle/a"),
        path("train/tower/e"): path("train/castle/a"),
    }
    assert copies["validation"] == {path("val/tower/h"): path("val/castle/g")}
    assert report.shared == {
        path("val/castle/f"): path("train/castle/b"),
        path("val/tower/i"): path("train/castle/a"),
    }
    paths = [*report.train.paths, *report.validation.paths]
    alike = {
        second
        for first, second in combinations(paths, 2)
        if filecmp.cmp(first, second, shallow=False)
    }
    assert {*copies["training"], *copies["validation"], *report.shared} == alike
    # All are used.
    assert (len(report.train), len(report.validation)) == (5, 4)
    assert (
        "Photographs for validation that are also for training: 2\n"
        f"  {path('val/castle/f')} = {path('train/castle/b')}\n"
    ) in report.table()


def test_class_of_one_photograph(write):
    """It stays in training and is named."""
    report = check_folder(
        write({"castle/a.jpg": 0, "tower/b.jpg": 1, "tower/c.jpg": 2})
    )

    assert report.single_classes == ["castle"]
    assert report.train.labels.tolist() == [0, 1, 1]
    assert report.table().endswith(
        "\n\nClasses of one photograph for training: 1\n  castle"
    )


def test_photographs_of_shards(tmp_path, make_photograph):
    """A record that is whole may hold what is no photograph."""
    png = tf.io.encode_png(make_photograph(24, 32)).numpy()
    path = tmp_path / "shard"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for label, contents in enumerate(
            (png, b"no photograph", png[:-40], png)
        ):
            example = tf.train.Example()
            feature = example.features.feature
            feature["image"].bytes_list.value.append(contents)
            feature["label"].int64_list.value.append(label)
            writer.write(example.SerializeToString())
    images = read_tfrecords([path], keys=RecordKeys("image", "label"))
    report = check_dataset(images)

    part = report.parts["training"]
    assert part.rows.tolist() == [0, 3]
    assert [*part.unreadable] == [images.name(1), images.name(2)]
    assert part.copies == {images.name(3): images.name(0)}


def test_progress(sound):
    calls = []

    def progress(iterable, total, label):
        calls.append((label, total))
        return iterable

    train, validation = read_folder(sound)
    check_dataset(train, validation, progress=progress)
    assert calls == [("check training", 5), ("check validation", 2)]


def test_one_class(write):
    folder = write({"castle/a.jpg": 0, "castle/b.jpg": 1})
    with pytest.raises(
        ValueError, match="two classes.* 2 photographs, all of castle$"
    ):
        check_folder(folder)


def test_one_class_is_left(write):
    folder = write({"castle/a.jpg": 0})
    (folder / "tower").mkdir()
    (folder / "tower" / "b.jpg").write_text("no photograph")
    with pytest.raises(ValueError, match="1 photographs, all of castle$"):
        check_folder(folder)


@pytest.mark.parametrize("part", ["training", "validation"])
def test_nothing_of_use(sound, part):
    train, validation = read_folder(sound)
    bad = {"training": train, "validation": validation}[part]
    for path in bad.paths:
        with open(path, "wb"):
            pass
    with pytest.raises(
        ValueError,
        match=f"for {part} is needed. Received: {len(bad)}, none of use; the "
        f"first: The photograph is empty. Received: {bad.paths[0]}",
    ):
        check_dataset(train, validation)


def test_no_photographs():
    images = LabelledImages.from_files([], [], ["castle", "tower"])
    with pytest.raises(
        ValueError, match="Received: 0, none of .* there is none"
    ):
        check_dataset(images)


@pytest.mark.parametrize("label", [-1, 2])
def test_label_out_of_range(sound, label):
    train, validation = read_folder(sound)
    names = ("castle", "tower")
    other = LabelledImages.from_files(validation.paths, [0, label], names)
    with pytest.raises(
        ValueError, match=rf"\[0, 2\). Received: {label} for .*/g.jpg"
    ):
        check_dataset(train, other)


def test_other_classes_of_validation(sound):
    train, _ = read_folder(sound)
    other = LabelledImages.from_files([], [], ["castle", "gate"])
    with pytest.raises(ValueError, match="the same classes"):
        check_dataset(train, other)
