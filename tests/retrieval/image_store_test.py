"""The store knows which rows are whose, in memory and on disk."""

import numpy as np
import pytest

from delf_keras.features.local_features import LocalFeatures
from delf_keras.retrieval.image_store import ImageStore

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
    assert store.names == list(COUNTS)
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
    rows = np.array([[0, 2, 3], [4, -1, -1]])

    assert store.image_ids(rows).tolist() == [[0, 0, 3], [3, -1, -1]]


def test_no_images_at_the_ends():
    """Photographs without features may be the first and the last."""
    counts = [0, 0, 2, 1, 0]
    store = ImageStore.from_features(
        [(str(i), make_features(count, i)) for i, count in enumerate(counts)]
    )

    assert store.image_ids(np.array([0, 1, 2, -1])).tolist() == [2, 2, 3, -1]
    assert [len(store.features_of(i)[0]) for i in range(5)] == counts


def test_loaded_store_is_equal_and_mapped(store, tmp_path):
    store.save(tmp_path)
    loaded = ImageStore.load(tmp_path)

    assert loaded.names == store.names
    for name in ("sizes", "offsets", "locations", "descriptors"):
        array = getattr(loaded, name)
        assert isinstance(array, np.memmap)
        assert array.dtype == getattr(store, name).dtype
        np.testing.assert_array_equal(array, getattr(store, name))
    rows = np.array([0, 3, -1])
    assert loaded.image_ids(rows).tolist() == store.image_ids(rows).tolist()
    for received, expected in zip(
        loaded.features_of(3), store.features_of(3), strict=True
    ):
        np.testing.assert_array_equal(received, expected)
