"""Verification finds the transform of the query in the right image."""

import numpy as np
import pytest

from delf_keras.features.local_features import LocalFeatures
from delf_keras.retrieval.image_store import ImageStore
from delf_keras.retrieval.reranking import (
    SearchOptions,
    VerifiedMatches,
    combine_scores,
    verify_candidates,
)

# (y, x, 1) of the query to the image: turned, enlarged and moved.
TRANSFORM = np.array([[1.2, -0.5, 40.0], [0.4, 1.1, -25.0], [0.0, 0.0, 1.0]])
VOTES = np.array([0.5, 3.0, 0.0, 2.0])
WRONG, RIGHT, UNVOTED, EMPTY = range(4)


def make_features(locations, descriptors):
    count = len(locations)
    return LocalFeatures(
        locations, descriptors, np.ones(count), np.ones(count), (480, 640)
    )


@pytest.fixture
def query():
    rng = np.random.default_rng(0)
    return make_features(
        rng.uniform(0, 480, (80, 2)), rng.normal(0, 1, (80, 16))
    )


@pytest.fixture
def store(query):
    """The query transformed, the same jumbled, others, and one of nothing."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.05, query.descriptors.shape)
    moved = query.locations @ TRANSFORM[:2, :2].T + TRANSFORM[:2, 2]
    # Every fourth match is wrong.
    moved[::4] = rng.uniform(0, 480, (20, 2))
    jumbled = rng.uniform(0, 480, (80, 2))
    return ImageStore.from_features(
        [
            ("wrong", make_features(jumbled, query.descriptors + noise)),
            ("right", make_features(moved, query.descriptors + noise)),
            ("unvoted", query),
            ("empty", query[:0]),
        ]
    )


@pytest.mark.parametrize("model", ["affine", "homography"])
def test_transform_is_found(query, store, model):
    options = SearchOptions(model=model, threshold=4.0)
    matches = verify_candidates(query, VOTES, store, options)[RIGHT]

    assert 60 <= len(matches) <= 63
    np.testing.assert_allclose(matches.transform, TRANSFORM, rtol=0, atol=0.05)
    points = np.pad(
        matches.query_locations, ((0, 0), (0, 1)), constant_values=1
    )
    mapped = points @ matches.transform.T
    distances = np.linalg.norm(mapped[:, :2] - matches.image_locations, axis=1)
    assert distances.max() <= 4.0


def test_homography_explains_what_an_affine_map_does_not(query):
    """A facade seen aslant, with a vanishing point."""
    aslant = np.array([[1.0, 0.1, 5.0], [0.0, 1.2, 9.0], [0.002, 0.001, 1.0]])
    points = np.hstack([query.locations, np.ones((80, 1))]) @ aslant.T
    image = make_features(points[:, :2] / points[:, 2:], query.descriptors)
    store = ImageStore.from_features([("aslant", image)])
    affine, homography = (
        verify_candidates(
            query,
            np.ones(1),
            store,
            SearchOptions(model=model, threshold=3.0),
        )[0]
        for model in ("affine", "homography")
    )

    assert len(homography) == 80 > 2 * len(affine)
    np.testing.assert_allclose(homography.transform, aslant, atol=0.01)


def test_distant_descriptors_do_not_match(query, store):
    """Those of the right image are about 0.2 away."""
    inliers = {
        distance: len(
            verify_candidates(
                query, VOTES, store, SearchOptions(max_distance=distance)
            )[RIGHT]
        )
        for distance in (0.05, 0.2, 0.5)
    }
    assert inliers[0.05] == 0 < inliers[0.2] < 60 <= inliers[0.5]


def test_wrong_image_has_fewer_inliers(query, store):
    verified = verify_candidates(query, VOTES, store, SearchOptions())

    assert len(verified[WRONG]) < 15 < 60 <= len(verified[RIGHT])


def test_image_without_features(query, store):
    matches = verify_candidates(query, VOTES, store, SearchOptions())[EMPTY]

    assert len(matches) == 0 and matches.transform is None
    assert matches.query_locations.shape == (0, 2)


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        (0, set()),
        (1, {RIGHT}),
        (2, {RIGHT, EMPTY}),
        # An image without votes is no candidate.
        (100, {RIGHT, EMPTY, WRONG}),
    ],
)
def test_most_voted_images_are_verified(query, store, candidates, expected):
    options = SearchOptions(candidates=candidates)
    assert set(verify_candidates(query, VOTES, store, options)) == expected


def test_same_seed_gives_the_same(query, store):
    first, second = (
        verify_candidates(query, VOTES, store, SearchOptions(seed=7))
        for _ in range(2)
    )
    for image in first:
        np.testing.assert_array_equal(
            first[image].image_locations, second[image].image_locations
        )


def matches_of(count):
    locations = np.zeros((count, 2), np.float32)
    return VerifiedMatches(None, locations, locations)


def test_inliers_raise_the_score():
    verified = {1: matches_of(3), 2: matches_of(24), 3: matches_of(0)}
    scores = combine_scores(np.array([1.0, 5.0, 4.0, 3.0]), verified)

    np.testing.assert_allclose(scores, [1, 10, 20, 3])


def test_order_of_the_others_stays():
    """Verified images stay before those that were not verified."""
    votes = np.array([7.0, 5.0, 4.0, 4.0, 1.0, 0.0])
    scores = combine_scores(votes, {0: matches_of(0), 1: matches_of(30)})

    assert np.argsort(-scores, kind="stable").tolist() == [1, 0, 2, 3, 4, 5]
    np.testing.assert_array_equal(scores[2:], votes[2:])
    # What the caller passed is left as it was.
    assert votes[1] == 5.0


@pytest.mark.parametrize(
    "options",
    [
        {"neighbors": 0},
        {"candidates": -1},
        {"max_distance": 0.0},
        {"threshold": 0.0},
        {"max_iterations": 0},
    ],
)
def test_options_out_of_range(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"Received: {name}={value}"):
        SearchOptions(**options)
