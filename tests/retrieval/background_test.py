"""An image that is near to everything has a high background."""

import dataclasses

import numpy as np
import pytest

from delf_keras.features.local_features import LocalFeatures
from delf_keras.retrieval.background import (
    BackgroundQueries,
    choose_background_queries,
)
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


@pytest.fixture
def background_of(make_descriptor_index):
    def background(store, **options):
        index = make_descriptor_index(store)
        return choose_background_queries(index, store, **options)[1]

    return background


def test_hub_stands_out(background_of, store):
    background = background_of(store)

    assert background.dtype == np.float32 and background.shape == (60,)
    assert background.mean() == pytest.approx(1, abs=1e-3)
    assert np.argmax(background) == HUB
    assert background[HUB] > 1.2 * np.delete(background, HUB).max()


def test_small_databases_are_told_little(background_of):
    """Of three images each gets nearly the same."""
    background = background_of(make_store(3))
    assert np.ptp(background) < 0.2


def test_image_without_features_and_without_foreign_votes(background_of):
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


def test_seed_gives_the_same(background_of, store):
    np.testing.assert_array_equal(
        background_of(store, seed=1), background_of(store, seed=1)
    )


def test_photographs_that_are_added_are_measured_alike(
    store, make_descriptor_index, tmp_path
):
    """Those of the database get what they got."""
    index = make_descriptor_index(store)
    queries, background = choose_background_queries(index, store)
    queries.save(tmp_path / "background")
    queries = BackgroundQueries.load(tmp_path / "background")

    np.testing.assert_allclose(
        queries.background_of(index, store.numbers), background, rtol=1e-5
    )
    copy = dataclasses.replace(store, numbers=store.numbers + 60)
    added = queries.background_of(make_descriptor_index(copy), copy.numbers)
    # A query votes for its copy, which is not itself, and at full weight.
    np.testing.assert_allclose(
        np.corrcoef(added, background)[0, 1], 1, atol=0.1
    )
    assert np.argmax(added) == HUB
