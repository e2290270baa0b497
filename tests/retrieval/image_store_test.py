"""The store knows which rows are whose, in memory and on disk."""

import ctypes

import numpy as np
import pytest

from delf_keras.features.local_features import LocalFeatures
from delf_keras.retrieval.image_store import (
    ImageStore,
    Names,
    merge_stores,
)

COUNTS = {"a.jpg": 3, "b/none.jpg": 0, "b/none too.jpg": 0, "ç.png": 2}


def make_features(count, seed):
    rng = np.random.default_rng(seed)
    return LocalFeatures(
        locations=rng.uniform(0, 100, (count, 2)),
        descriptors=rng.normal(0, 0.3, (count, 8)),
        scores=rng.uniform(0, 1, count),
        scales=np.ones(count),
        image_size=(100 + seed, 200),
    )


@pytest.fixture
def named_features():
    """Photographs, two of which, in the middle, have no features."""
    return [
        (name, make_features(count, seed))
        for seed, (name, count) in enumerate(COUNTS.items())
    ]


@pytest.fixture
def store(named_features):
    return ImageStore.from_features(named_features)


def test_features_of_each_image(store, named_features):
    assert len(store) == 4
    assert [*store.names] == list(COUNTS)
    assert store.sizes.tolist() == [[100 + i, 200] for i in range(4)]
    for image, (_, features) in enumerate(named_features):
        locations, scales, descriptors = store.features_of(image)
        np.testing.assert_array_equal(locations, features.locations)
        # Half precision has 11 bits.
        np.testing.assert_allclose(
            descriptors, features.descriptors, rtol=2**-11, atol=1e-7
        )
        assert descriptors.dtype == np.float32


def test_images_of_rows(store):
    assert store.image_of_rows.tolist() == [0, 0, 0, 3, 3]
    assert store.numbers.tolist() == [0, 1, 2, 3]


def test_names_are_as_they_were():
    """File names need not be text."""
    strings = ["a.jpg", "", "b/ç 漢.png", "\udcff.jpg"]
    names = Names.of(strings)

    assert [*names] == names[:] == strings
    assert names[-1] == "\udcff.jpg" and names[1:3] == strings[1:3]
    with pytest.raises(IndexError):
        names[4]
    assert len(Names.of([])) == 0


def test_loaded_store_is_equal_and_mapped(store, named_features, tmp_path):
    store.save(tmp_path)
    loaded = ImageStore.load(tmp_path)

    assert_same_store(loaded, store)
    assert isinstance(loaded.descriptors.base, ctypes.Array)


def assert_same_store(received, expected):
    assert [*received.names] == [*expected.names]
    for name in (
        "numbers",
        "sizes",
        "digests",
        "offsets",
        "locations",
        "scales",
        "descriptors",
    ):
        one, other = getattr(received, name), getattr(expected, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_merged_stores_are_one(named_features, tmp_path):
    """In blocks, and without what is not kept."""
    parts = [
        ImageStore.from_features(named_features[:2], 0, [b"a" * 32] * 2),
        ImageStore.from_features(named_features[2:], 2, [b"b" * 32] * 2),
    ]
    merge_stores(parts, [np.array([True, True])] * 2, tmp_path)
    digests = [b"a" * 32] * 2 + [b"b" * 32] * 2
    at_once = ImageStore.from_features(named_features, 0, digests)
    assert_same_store(ImageStore.load(tmp_path), at_once)

    merge_stores(parts, [np.array([False, True])] * 2, tmp_path)
    some = ImageStore.load(tmp_path)
    assert some.numbers.tolist() == [1, 3]
    assert [*some.names] == ["b/none.jpg", "ç.png"]
    for received, expected in zip(
        some.features_of(1), at_once.features_of(3), strict=True
    ):
        np.testing.assert_array_equal(received, expected)


@pytest.mark.parametrize("name", ["numbers", "scales", "name_ends", "offsets"])
def test_arrays_that_do_not_belong_together(store, tmp_path, name):
    store.save(tmp_path)
    array = np.load(tmp_path / f"{name}.npy")
    np.save(tmp_path / f"{name}.npy", array[:-1])

    with pytest.raises(ValueError, match="do not belong together"):
        ImageStore.load(tmp_path)


def test_descriptors_in_steps(named_features, tmp_path):
    store = ImageStore.from_features(named_features, step=0.01)
    store.save(tmp_path)
    loaded = ImageStore.load(tmp_path, 0.01)

    assert_same_store(loaded, store)
    assert loaded.descriptors.dtype == np.int8
    np.testing.assert_allclose(
        loaded.features_of(0)[2],
        np.clip(named_features[0][1].descriptors, -1.27, 1.27),
        atol=0.0051,
    )
    with pytest.raises(ValueError, match="do not belong together"):
        ImageStore.load(tmp_path)


def test_offsets_must_rise(store, tmp_path):
    store.save(tmp_path)
    np.save(tmp_path / "offsets.npy", np.array([0, 3, 2, 3, 5]))

    with pytest.raises(ValueError, match="do not belong together"):
        ImageStore.load(tmp_path)
