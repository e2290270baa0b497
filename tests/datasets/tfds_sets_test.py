"""Sets that TFDS has prepared are read as TFDS itself reads them."""

import sys

import numpy as np
import pytest

from delf_keras.datasets.tfds_sets import read_tfds
from delf_keras.features.decoding import decode_photograph

tfds = pytest.importorskip(
    "tensorflow_datasets", reason="tensorflow-datasets is not installed"
)

NAMES = ["tower", "castle", "abbey"]


@pytest.fixture(scope="module")
def make_set(tmp_path_factory):
    """A function that prepares a set and returns its `data_dir`."""

    def make_set(features, splits, **options):
        folder = tmp_path_factory.mktemp("tfds")
        tfds.dataset_builders.store_as_tfds_dataset(
            name="landmarks",
            version="1.2.0",
            features=tfds.features.FeaturesDict(features),
            split_datasets={
                name: list(enumerate(examples))
                for name, examples in splits.items()
            },
            data_dir=folder,
            **options,
        )
        return folder

    return make_set


@pytest.fixture(scope="module")
def features():
    return {
        "image": tfds.features.Image(shape=(None, None, 3)),
        "label": tfds.features.ClassLabel(names=NAMES),
        "file": tfds.features.Text(),
    }


def examples(count, seed=0):
    rng = np.random.default_rng(seed)
    shape = (20, 30, 3)
    return [
        {
            "image": rng.integers(0, 256, shape, np.uint8),
            "label": i % len(NAMES),
            "file": f"{i}.jpg",
        }
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def data_dir(make_set, features):
    """A set of 7 photographs for training and 4 for testing."""
    return make_set(features, {"train": examples(7), "test": examples(4, 1)})


@pytest.mark.parametrize(
    "name", ["landmarks", "landmarks:1.2.0", "landmarks:1.*.*"]
)
def test_same_as_tfds(data_dir, name):
    train, validation = read_tfds(name, data_dir=data_dir)

    assert train.class_names == validation.class_names == tuple(NAMES)
    for images, split in ((train, "train"), (validation, "test")):
        expected = tfds.load(name, split=split, data_dir=data_dir)
        expected = list(expected.as_numpy_iterator())
        assert len(images) == len(expected)
        for i, each in enumerate(expected):
            image = decode_photograph(images.read(i), images.name(i))
            np.testing.assert_array_equal(image, each["image"])
            assert images.labels[i] == each["label"]


def test_validation_goes_before_test(make_set, features):
    splits = {
        "test": examples(2),
        "validation": examples(3),
        "train": examples(4),
    }
    train, validation = read_tfds(
        "landmarks", data_dir=make_set(features, splits)
    )

    assert (len(train), len(validation)) == (4, 3)


def test_train_alone(make_set, features):
    folder = make_set(features, {"train": examples(4)})
    train, validation = read_tfds("landmarks", data_dir=folder)

    assert len(train) == 4
    assert validation is None


@pytest.mark.parametrize(
    "name", ["nowhere", "landmarks/config", "landmarks:9.9.9", "mnist", "a b"]
)
def test_set_that_is_not_prepared(data_dir, name):
    with pytest.raises(
        FileNotFoundError, match=f"delf-keras dataset --name={name}. Received"
    ) as error:
        read_tfds(name, data_dir=data_dir)
    assert "\n" not in str(error.value)


def test_set_without_train(make_set, features):
    folder = make_set(features, {"test": examples(2)})
    with pytest.raises(ValueError, match="split train. .* landmarks with test"):
        read_tfds("landmarks", data_dir=folder)


def test_which_features(make_set, features):
    """Of two labels it is not known which counts; without one there is none."""
    both = {**features, "style": tfds.features.ClassLabel(num_classes=2)}
    none = {"image": features["image"]}
    for kinds in (both, none):
        values = [
            {name: {**each, "style": 1}[name] for name in kinds}
            for each in examples(2)
        ]
        folder = make_set(kinds, {"train": values})
        with pytest.raises(ValueError, match="one Image and one ClassLabel"):
            read_tfds("landmarks", data_dir=folder)


def test_photographs_of_floats(make_set, features):
    kinds = {
        **features,
        "image": tfds.features.Image(shape=(None, None, 1), dtype=np.float32),
    }
    values = [
        {**each, "image": np.ones((20, 30, 1), np.float32)}
        for each in examples(2)
    ]
    folder = make_set(kinds, {"train": values})
    with pytest.raises(ValueError, match="image of float32"):
        read_tfds("landmarks", data_dir=folder)


def test_other_file_formats(data_dir, monkeypatch):
    file_format = tfds.core.FileFormat.ARRAY_RECORD
    monkeypatch.setattr(tfds.core.DatasetInfo, "file_format", file_format)
    with pytest.raises(ValueError, match="tfrecord. .* with array_record"):
        read_tfds("landmarks", data_dir=data_dir)


def test_shard_that_ends_early(make_set, features):
    """At the end of a record: no checksum tells."""
    folder = make_set(features, {"train": examples(4)})
    train, _ = read_tfds("landmarks", data_dir=folder)
    with open(train.paths[0], "r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        file.truncate(12 + size + 4)

    with pytest.raises(ValueError, match="whole. Received: 1 of 4 examples"):
        read_tfds("landmarks", data_dir=folder)


def test_own_sets_are_known(tmp_path):
    """By their default config, though this one is not prepared."""
    with pytest.raises(FileNotFoundError, match="its files are not there"):
        read_tfds("synthetic_landmarks", data_dir=tmp_path)


def test_without_tfds(monkeypatch):
    monkeypatch.delitem(sys.modules, "delf_keras.datasets.builders", False)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ImportError, match=r'pip install "delf-keras\[tfds\]"'):
        read_tfds("mnist")
