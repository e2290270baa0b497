"""An image that is near to everything has a high background."""

import numpy as np
import pytest

from delf_keras.features.local_features import LocalFeatures
from delf_keras.retrieval.background import background_votes
from delf_keras.retrieval.descriptor_index import DescriptorIndex
from delf_keras.retrieval.image_store import ImageStore

HUB = 4


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def make_store(count=60):
    """Random images of 20 descriptors, and one of 200, near to anything."""
    rng = np.random.default_rng(0)
    named = []
    for image in range(count):
        features = 200 if image == HUB else 20
        named.append(
            (
                f"{image}.jpg",
                LocalFeatures(
                    rng.uniform(0, 99, (features, 2)),
                    unit(rng.normal(0, 1, (features, 16))),
                    np.ones(features),
                    np.ones(features),
                ),
            )
        )
    return ImageStore.from_features(named)


@pytest.fixture(scope="module")
def store():
    return make_store()


def background_of(store, **options):
    index = DescriptorIndex.build(store.descriptors.astype(np.float32), "exact")
    return background_votes(index, store, **options)


def test_hub_stands_out(store):
    background = background_of(store)

    assert background.dtype == np.float32 and background.shape == (60,)
    assert background.mean() == pytest.approx(1, abs=1e-3)
    assert np.argmax(background) == HUB
    assert background[HUB] > 1.2 * np.delete(background, HUB).max()


def test_small_databases_are_told_little():
    """Of three images each gets nearly the same."""
    background = background_of(make_store(3))
    assert np.ptp(background) < 0.2


def test_image_without_features_and_without_foreign_votes():
    empty = LocalFeatures(
        np.zeros((0, 2)), np.zeros((0, 16)), np.zeros(0), np.zeros(0)
    )
    np.testing.assert_array_equal(background_of(make_store(1)), [1.0])
    store = ImageStore.from_features(
        [
            ("none.jpg", empty),
            (
                "one.jpg",
                LocalFeatures(
                    np.ones((2, 2)), np.eye(16)[:2], np.ones(2), np.ones(2)
                ),
            ),
        ]
    )
    assert np.isfinite(background_of(store)).all()


def test_seed_gives_the_same(store):
    np.testing.assert_array_equal(
        background_of(store, seed=1), background_of(store, seed=1)
    )
