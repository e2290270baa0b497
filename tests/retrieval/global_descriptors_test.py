"""Whitening, augmentation and expansion of global descriptors."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from delf_keras.retrieval.global_descriptors import (
    GlobalDescriptors,
    GlobalSpace,
)


def make(descriptors, sample, augmentation=0):
    space = GlobalSpace.fit(sample)
    descriptors = GlobalDescriptors(space.project(descriptors), space)
    return descriptors.augmented(augmentation)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def descriptors():
    """Five views each of 20 places, among noise that all share."""
    rng = np.random.default_rng(0)
    places = np.repeat(rng.normal(0, 1, (20, 32)), 5, axis=0)
    shared = 5 * np.eye(32)[0]
    return unit(places + 0.8 * rng.normal(0, 1, (100, 32)) + shared).astype(
        np.float32
    )


def test_cosines_equal_those_of_scikit_learn(descriptors):
    """Whitened by the fourth root of the variance."""
    ours = make(descriptors, descriptors)
    pca = PCA(32, svd_solver="full").fit(descriptors.astype(np.float64))
    scale = pca.explained_variance_**0.25
    expected = unit(pca.transform(descriptors) / scale)

    np.testing.assert_allclose(
        ours.similarities(descriptors[3]), expected @ expected[3], atol=2e-4
    )


def precision(index, descriptors, **options):
    """Share of the five best images that show the query's place."""
    found = [
        np.argsort(-index.similarities(each, **options))[:5] // 5
        for each in descriptors
    ]
    return np.mean(np.stack(found) == np.repeat(np.arange(20), 5)[:, None])


def test_augmentation_and_expansion_find_more(descriptors):
    plain = make(descriptors, descriptors)
    augmented = make(descriptors, descriptors, 4)

    before = precision(plain, descriptors)
    assert before < 0.9
    assert precision(augmented, descriptors) > before
    assert precision(plain, descriptors, expansion="alpha") > before


def test_expansion_of_a_small_database(descriptors):
    index = make(descriptors[:3], descriptors)
    for expansion in ("none", "average", "alpha"):
        similarities = index.similarities(descriptors[1], expansion)
        assert np.argmax(similarities) == 1
        assert similarities.shape == (3,)


def test_saved_is_the_same(descriptors, tmp_path):
    index = make(descriptors, descriptors)
    index.space.save(tmp_path / "global")
    space = GlobalSpace.load(tmp_path / "global")
    loaded = GlobalDescriptors(index.vectors, space)

    np.testing.assert_array_equal(
        loaded.similarities(descriptors[0]), index.similarities(descriptors[0])
    )
