"""Residuals are summed for each image and word."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from delf_keras.retrieval.aggregation import (
    Words,
    aggregate,
    pack_signs,
    train_codebook,
)


@pytest.fixture
def descriptors():
    return np.random.default_rng(0).normal(0, 1, (300, 12)).astype(np.float32)


@pytest.fixture
def images():
    return np.random.default_rng(1).integers(0, 7, 300)


@pytest.mark.parametrize("assignments", [1, 3])
def test_equals_the_sum_by_loops(descriptors, images, assignments):
    codebook = descriptors[:20] + 0.1
    words = Words(codebook).assign(descriptors, assignments)
    result = aggregate(descriptors, images, codebook, words, binary=False)
    sums = {}
    for descriptor, image in zip(descriptors, images, strict=True):
        distances = np.linalg.norm(codebook - descriptor, axis=1)
        for word in np.argsort(distances)[:assignments]:
            sums.setdefault((image, word), np.zeros(12))
            sums[image, word] += descriptor - codebook[word]
    keys = sorted(sums)

    assert [*zip(result.images, result.words, strict=True)] == keys
    expected = np.stack([sums[k] / np.linalg.norm(sums[k]) for k in keys])
    np.testing.assert_allclose(result.residuals, expected, atol=1e-5)


def test_signs_are_packed():
    vectors = np.array([[1.0, -1, 0, 2, 3, -4, 5, 6, 7]], np.float32)
    (bits,) = pack_signs(vectors)

    assert bits.dtype == np.uint8 and len(bits) == 8
    assert np.unpackbits(bits)[:10].tolist() == [1, 0, 0, 1, 1, 0, 1, 1, 1, 0]


def test_no_descriptor():
    nothing = np.zeros((0, 12), np.float32)
    for binary in (False, True):
        result = aggregate(
            nothing,
            np.zeros(0, int),
            np.eye(12, dtype="f4"),
            np.zeros((0, 2), int),
            binary,
        )
        assert len(result) == 0 and len(result.residuals) == 0


def test_codebook_is_as_good_as_that_of_scikit_learn(descriptors):
    """By the squared distance of descriptors from their words."""
    ours = train_codebook(descriptors, 16)
    theirs = KMeans(16, n_init=1, random_state=0).fit(descriptors)
    distances = np.linalg.norm(descriptors[:, None] - ours, axis=2).min(axis=1)

    assert np.sum(distances**2) < 1.05 * theirs.inertia_
    np.testing.assert_array_equal(ours, train_codebook(descriptors, 16))


def test_more_words_than_descriptors(descriptors):
    with pytest.raises(ValueError, match="num_words=301, 300 descriptors"):
        train_codebook(descriptors, 301)
