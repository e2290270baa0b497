"""Votes: one for each query descriptor and image, weighted by the margin."""

import numpy as np
import pytest

from delf_keras.retrieval.voting import sum_of_nearest, vote


def vote_one_by_one(distances, image_ids, num_images):
    """The definition, in Python floats."""
    votes = [0.0] * num_images
    for row, images in zip(distances.tolist(), image_ids.tolist(), strict=True):
        found = [d for d, i in zip(row, images, strict=True) if i >= 0]
        voted = set()
        for distance, image in zip(row, images, strict=True):
            if image >= 0 and image not in voted:
                voted.add(image)
                margin = (max(found) - distance) / 2
                votes[image] += margin**1.5
    return votes


def random_neighbors(rng, rows, columns, num_images, missing=0):
    """Neighbours of random images; the last few of a row may be missing."""
    distances = np.sort(rng.uniform(0, 4, (rows, columns)), axis=1)
    images = rng.integers(0, num_images, (rows, columns))
    absent = rng.integers(0, missing + 1, rows)
    absent = np.arange(columns) >= columns - absent[:, None]
    # What faiss puts where an inverted file has no more neighbours.
    distances[absent] = np.finfo(np.float32).max
    return distances.astype(np.float32), np.where(absent, -1, images)


@pytest.mark.parametrize(
    ("rows", "columns", "num_images", "missing"),
    [
        (1, 5, 3, 0),
        (40, 60, 25, 0),
        (40, 60, 25, 60),
        (7, 9, 1, 3),
        # More rows than are summed at once.
        (2000, 9, 25, 3),
    ],
)
def test_equals_the_definition(rows, columns, num_images, missing):
    rng = np.random.default_rng(rows)
    neighbors = random_neighbors(rng, rows, columns, num_images, missing)
    votes = vote(*neighbors, num_images)

    expected = vote_one_by_one(*neighbors, num_images)
    np.testing.assert_allclose(votes, expected, rtol=1e-5, atol=1e-9)
    assert votes.shape == (num_images,) and votes.dtype == np.float64
    assert votes.max() > 0


def test_an_image_gets_one_vote_of_a_descriptor():
    """For its nearest descriptor, however many of them are neighbours."""
    distances = np.array([[0.0, 0.5, 1.0, 2.0]], np.float32)
    votes = vote(distances, np.array([[1, 1, 1, 0]]), 2)

    np.testing.assert_allclose(votes, [0, 1], rtol=1e-6)


def test_descriptors_of_the_query_vote_each():
    distances = np.array([[0.0, 2.0], [1.0, 2.0]], np.float32)
    votes = vote(distances, np.array([[1, 0], [1, 0]]), 2)

    np.testing.assert_allclose(votes, [0, 1 + 0.5**1.5], rtol=1e-6)


def test_missing_neighbors_do_not_vote():
    """Nor are they the farthest, nor do they count for the last image."""
    distances = np.array([[0.0, 1.0, 3.4e38]], np.float32)
    votes = vote(distances, np.array([[0, 1, -1]]), 3)

    np.testing.assert_allclose(votes, [0.5**1.5, 0, 0], rtol=1e-6)


def test_equally_near_images_get_equal_votes():
    distances = np.array([[0.5, 0.5, 0.5, 1.5]], np.float32)
    votes = vote(distances, np.array([[2, 0, 2, 1]]), 3)

    np.testing.assert_allclose(votes, [0.5**1.5, 0, 0.5**1.5], rtol=1e-6)


def test_no_neighbors_at_all():
    distances = np.full((3, 4), 3.4e38, np.float32)
    assert vote(distances, np.full((3, 4), -1), 2).tolist() == [0, 0]
    assert vote(distances[:0], np.zeros((0, 4), int), 2).tolist() == [0, 0]


def test_a_descriptor_that_tells_nothing_apart_is_silent():
    distances = np.array([[0.7, 0.7], [0.0, 2.0]], np.float32)
    votes = vote(distances, np.array([[0, 1], [1, 0]]), 2)

    np.testing.assert_allclose(votes, [0, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ([[0], [0], [2]], [2, 0, 1]),
        ([[1, 1], [1, 2], [2, 0]], [1, 2, 2]),
        ([[1, -1], [-1, -1], [1, -1]], [0, 2, 0]),
    ],
)
def test_where_no_margin_tells_anything_votes_are_counted(images, expected):
    """As in a database of one descriptor, or with a single neighbour."""
    images = np.array(images)
    distances = np.where(images < 0, 3.4e38, 0.3).astype(np.float32)

    assert vote(distances, images, 3).tolist() == expected


def test_sums_of_many_columns_and_images():
    """Image and column together take more than 32 bits."""
    weights = np.linspace(1, 0.1, 1025, dtype=np.float32)[None]
    images = np.resize([4_999_999, 0, 4_999_999, 7], (1, 1025))
    sums = sum_of_nearest(weights, images, 5_000_000)

    assert sums.nonzero()[0].tolist() == [0, 7, 4_999_999]
    assert sums[[4_999_999, 0, 7]].tolist() == weights[0, [0, 1, 3]].tolist()
