"""Verification finds the transform of the query in the right image."""

import dataclasses

import numpy as np
import pytest

from delf_keras.features.local_features import LocalFeatures
from delf_keras.retrieval import reranking
from delf_keras.retrieval.first_scores import FirstScores
from delf_keras.retrieval.reranking import (
    VerifiedMatches,
    combine_scores,
    verify_candidates,
)
from delf_keras.search_options import SearchOptions

# (y, x, 1) of the query to the image: turned, enlarged and moved.
TRANSFORM = np.array([[1.2, -0.5, 40.0], [0.4, 1.1, -25.0], [0.0, 0.0, 1.0]])
VOTES = np.array([0.5, 3.0, 0.0, 2.0])
WRONG, RIGHT, UNVOTED, EMPTY = range(4)


def verify(query, database, scores=VOTES, **options):
    """Verifies with every query descriptor reaching a squared distance of 2."""
    first = FirstScores(scores, np.full(len(query), 2.0, np.float32))
    options = SearchOptions(**{"model": "affine"} | options)
    return verify_candidates(query, first, database, options)


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
def database(query, make_database):
    """The query transformed, the same jumbled, others, and one of nothing."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.05, query.descriptors.shape)
    moved = query.locations @ TRANSFORM[:2, :2].T + TRANSFORM[:2, 2]
    # Every fourth match is wrong.
    moved[::4] = rng.uniform(0, 480, (20, 2))
    jumbled = rng.uniform(0, 480, (80, 2))
    return make_database(
        [
            ("wrong", make_features(jumbled, query.descriptors + noise)),
            ("right", make_features(moved, query.descriptors + noise)),
            ("unvoted", query),
            ("empty", query[:0]),
        ]
    )


@pytest.mark.parametrize("model", ["affine", "homography"])
def test_transform_is_found(query, database, model):
    matches = verify(query, database, model=model, threshold=4.0)[RIGHT]

    assert 60 <= len(matches) <= 63
    np.testing.assert_allclose(matches.transform, TRANSFORM, rtol=0, atol=0.05)
    points = np.pad(
        matches.query_locations, ((0, 0), (0, 1)), constant_values=1
    )
    mapped = points @ matches.transform.T
    distances = np.linalg.norm(mapped[:, :2] - matches.image_locations, axis=1)
    assert distances.max() <= 4.0


def test_homography_explains_what_an_affine_map_does_not(query, make_database):
    """A facade seen aslant, with a vanishing point."""
    aslant = np.array([[1.0, 0.1, 5.0], [0.0, 1.2, 9.0], [0.002, 0.001, 1.0]])
    points = np.hstack([query.locations, np.ones((80, 1))]) @ aslant.T
    image = make_features(points[:, :2] / points[:, 2:], query.descriptors)
    database = make_database([("aslant", image)])
    affine, homography = (
        verify(query, database, np.ones(1), model=model, threshold=3.0)[0]
        for model in ("affine", "homography")
    )

    assert len(homography) == 80 > 2 * len(affine)
    np.testing.assert_allclose(homography.transform, aslant, atol=0.01)


def test_distant_descriptors_do_not_match(query, database):
    """Those of the right image are about 0.2 away."""
    inliers = {
        distance: len(verify(query, database, max_distance=distance)[RIGHT])
        for distance in (0.05, 0.2, 0.5)
    }
    assert inliers[0.05] == 0 < inliers[0.2] < 60 <= inliers[0.5]


def test_strongest_features_are_matched(query, database, monkeypatch):
    monkeypatch.setattr(reranking, "_MATCHED_FEATURES", 40)
    matches = verify(query, database, threshold=20.0)[RIGHT]

    assert 25 < len(matches) and matches.image_rows.max() < 40


def test_wrong_image_has_fewer_inliers(query, database):
    verified = verify(query, database, threshold=20.0)

    assert len(verified[WRONG]) < 15 < 60 <= len(verified[RIGHT])


def test_image_without_features(query, database):
    matches = verify(query, database)[EMPTY]

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
def test_most_voted_images_are_verified(query, database, candidates, expected):
    assert set(verify(query, database, candidates=candidates)) == expected


def test_same_seed_gives_the_same(query, database):
    first, second = (verify(query, database, seed=7) for _ in range(2))
    for image in first:
        np.testing.assert_array_equal(
            first[image].image_locations, second[image].image_locations
        )


def test_inliers_weigh_their_margin(query, database):
    """As votes, by the distance that the query descriptor reaches."""
    matches = verify(query, database, threshold=4.0)[RIGHT]
    rows = matches.image_rows
    # Rows of the query and of its copy are the same.
    squared = np.sum(
        (database.features_of(RIGHT)[2][rows] - query.descriptors[rows]) ** 2, 1
    )

    assert matches.weight == pytest.approx(
        np.sum(((2 - squared) / 2) ** 1.5), rel=1e-3
    )


def test_upright_model_finds_scale_and_shift(query, make_database):
    scales = np.float32([1, 2] * 40)
    image = LocalFeatures(
        query.locations * 1.5 + [30, -20],
        query.descriptors,
        query.scores,
        scales * 1.5,
    )
    query = dataclasses.replace(query, scales=scales)
    database = make_database([("larger", image)])
    matches = verify(query, database, np.ones(1), model="upright")[0]

    assert len(matches) == 80
    expected = [[1.5, 0, 30], [0, 1.5, -20], [0, 0, 1]]
    np.testing.assert_allclose(matches.transform, expected, atol=1e-3)


@pytest.mark.parametrize("model", ["upright", "affine", "homography"])
def test_size_of_a_photograph_does_not_count(query, make_database, model):
    """A photograph, and the same of four times as many pixels a side."""
    rng = np.random.default_rng(2)
    scales = np.float32([1, 2] * 40)
    query = dataclasses.replace(query, scales=scales)
    places = query.locations + rng.normal(0, 15, (80, 2))
    database = make_database(
        [
            (
                f"{size} times",
                dataclasses.replace(
                    query, locations=size * places, scales=size * scales
                ),
            )
            for size in (1, 4)
        ]
    )
    small, large = verify(query, database, np.ones(2), model=model).values()

    assert 40 < len(small) < 80
    np.testing.assert_array_equal(small.image_rows, large.image_rows)


def test_neighbors_that_voted_are_verified(query, database):
    """With all neighbours asked for, they are the nearest of each image."""
    options = {"putatives": "neighbors", "neighbors": 1000, "threshold": 4.0}
    hits = verify(query, database, **options)

    assert 60 <= len(hits[RIGHT]) <= 63
    np.testing.assert_allclose(hits[RIGHT].transform, TRANSFORM, atol=0.05)
    # A single neighbour each is of the query's own copy, which has no vote.
    options["neighbors"] = 1
    hits = verify(query, database, **options)
    assert len(hits[RIGHT]) == 0


def matches_of(count, weight=0.0):
    locations = np.zeros((count, 2), np.float32)
    return VerifiedMatches(None, locations, locations, np.arange(count), weight)


def test_inliers_raise_the_score():
    verified = {
        1: matches_of(3, 0.06),
        2: matches_of(24, 0.48),
        3: matches_of(0),
    }
    scores = combine_scores(np.array([1.0, 5.0, 4.0, 3.0]), verified)

    np.testing.assert_allclose(scores, [1, 10, 20, 3])


def test_inliers_alone_rank():
    verified = {0: matches_of(3), 1: matches_of(24), 2: matches_of(3)}
    scores = combine_scores(
        np.array([1.0, 2.0, 5.0, 4.0]), verified, ranking="inliers"
    )

    assert np.argsort(-scores).tolist() == [1, 2, 0, 3]


def test_order_of_the_others_stays():
    """Verified images stay before those that were not verified."""
    votes = np.array([7.0, 5.0, 4.0, 4.0, 1.0, 0.0])
    scores = combine_scores(votes, {0: matches_of(0), 1: matches_of(30, 1.0)})

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
        {"global_weight": -1.0},
        {"expansion": -1},
    ],
)
def test_options_out_of_range(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"Received: {name}={value}"):
        SearchOptions(**options)
