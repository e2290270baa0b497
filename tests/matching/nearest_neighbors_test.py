import tracemalloc

import cv2
import numpy as np
import pytest
from skimage.feature import match_descriptors as skimage_match

from delf_keras.features.local_features import LocalFeatures
from delf_keras.matching import (
    DescriptorMatcher,
    match,
    match_descriptors,
    nearest_neighbors,
)


def random_descriptors(count, dimension=40, seed=0):
    descriptors = np.random.default_rng(seed).normal(size=(count, dimension))
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    return descriptors.astype(np.float32)


def noisy_copies(descriptors, noise=0.05, seed=1):
    rng = np.random.default_rng(seed)
    noisy = descriptors + noise * rng.normal(size=descriptors.shape)
    return rng.permutation(noisy).astype(np.float32)


def features(descriptors, fingerprint=""):
    count = len(descriptors)
    return LocalFeatures(
        locations=np.zeros((count, 2)),
        descriptors=descriptors,
        scores=np.ones(count),
        scales=np.ones(count),
        fingerprint=fingerprint,
    )


def as_set(pairs):
    return {(int(i), int(j)) for i, j in pairs}


@pytest.fixture
def descriptors_a():
    return np.vstack([random_descriptors(200), random_descriptors(60, seed=2)])


@pytest.fixture
def descriptors_b(descriptors_a):
    return np.vstack(
        [noisy_copies(descriptors_a[:200]), random_descriptors(90, seed=3)]
    )


def test_mutual_matches_are_those_of_opencv(descriptors_a, descriptors_b):
    matches = match_descriptors(descriptors_a, descriptors_b)

    expected = cv2.BFMatcher(cv2.NORM_L2, crossCheck=True).match(
        descriptors_a, descriptors_b
    )
    distances = {(m.queryIdx, m.trainIdx): m.distance for m in expected}
    assert as_set(matches.indices) == set(distances)
    np.testing.assert_allclose(
        matches.distances,
        [distances[tuple(pair)] for pair in matches.indices.tolist()],
        rtol=1e-5,
    )


@pytest.mark.parametrize("max_ratio", [0.6, 0.8, 0.95])
def test_ratio_test_is_that_of_opencv(descriptors_a, descriptors_b, max_ratio):
    matches = match_descriptors(
        descriptors_a, descriptors_b, mutual=False, max_ratio=max_ratio
    )

    neighbors = cv2.BFMatcher().knnMatch(descriptors_a, descriptors_b, k=2)
    expected = {
        (best.queryIdx, best.trainIdx)
        for best, second in neighbors
        if best.distance < max_ratio * second.distance
    }
    assert 0 < len(expected) < len(descriptors_a)
    assert as_set(matches.indices) == expected


@pytest.mark.parametrize("mutual", [True, False])
@pytest.mark.parametrize("max_distance", [None, 0.4, 1.1])
@pytest.mark.parametrize("max_ratio", [None, 0.9])
def test_options_combine_as_in_skimage(
    descriptors_a, descriptors_b, mutual, max_distance, max_ratio
):
    matches = match_descriptors(
        descriptors_a,
        descriptors_b,
        mutual=mutual,
        max_distance=max_distance,
        max_ratio=max_ratio,
    )

    expected = skimage_match(
        descriptors_a,
        descriptors_b,
        metric="euclidean",
        cross_check=mutual,
        max_distance=max_distance or np.inf,
        max_ratio=max_ratio or 1.0,
    )
    assert len(expected) > 0
    assert as_set(matches.indices) == as_set(expected)


def test_matches_come_closest_first(descriptors_a, descriptors_b):
    matches = match_descriptors(descriptors_a, descriptors_b)

    assert matches.indices.dtype == np.int32
    assert matches.distances.dtype == np.float32
    assert matches.indices.shape == (len(matches), 2)
    assert (np.diff(matches.distances) >= 0).all()


@pytest.mark.parametrize("scale", [1, 512])
def test_a_photograph_matches_itself_at_distance_zero(scale):
    descriptors = scale * random_descriptors(300)

    matches = match_descriptors(descriptors, descriptors)

    assert len(matches) == 300
    assert (matches.indices[:, 0] == matches.indices[:, 1]).all()
    assert (matches.distances == 0).all()


@pytest.mark.parametrize("elements", [1, 1000, 12345])
def test_result_does_not_depend_on_the_block_size(
    descriptors_a, descriptors_b, elements, monkeypatch
):
    expected = match_descriptors(descriptors_a, descriptors_b, max_ratio=0.9)

    monkeypatch.setattr(nearest_neighbors, "_BLOCK_ELEMENTS", elements)
    matches = match_descriptors(descriptors_a, descriptors_b, max_ratio=0.9)

    np.testing.assert_array_equal(matches.indices, expected.indices)
    np.testing.assert_array_equal(matches.distances, expected.distances)


def test_memory_stays_far_below_that_of_all_distances():
    a, b = random_descriptors(6000, 8), random_descriptors(6000, 8, seed=1)

    tracemalloc.start()
    match_descriptors(a, b)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 0.3 * (4 * 6000 * 6000)


def test_equal_descriptors_of_a_share_one_mutual_match():
    a = np.array([[1, 0], [1, 0], [0, 1]])
    b = np.array([[0, 1], [1, 0]])

    assert as_set(match_descriptors(a, b).indices) == {(0, 1), (2, 0)}


def test_ratio_test_drops_what_matches_two_equal_descriptors():
    a = np.array([[1.0, 0.0], [0.0, 1.0]])
    b = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])

    matches = match_descriptors(a, b, max_ratio=0.8)

    assert as_set(matches.indices) == {(1, 2)}


def test_single_descriptor_in_b_passes_the_ratio_test():
    matches = match_descriptors(
        random_descriptors(5), random_descriptors(1, seed=1), max_ratio=0.5
    )

    assert len(matches) == 1


@pytest.mark.parametrize(
    "shapes", [((0, 40), (7, 40)), ((7, 40), (0, 40)), ((0, 0), (7, 40))]
)
def test_photograph_without_features_has_no_matches(shapes):
    a, b = (np.zeros(shape, np.float32) for shape in shapes)

    matches = match_descriptors(a, b, max_ratio=0.8, max_distance=1.0)

    assert len(matches) == 0
    assert matches.indices.shape == (0, 2)


def test_features_match_by_their_descriptors(descriptors_a, descriptors_b):
    matches = match(
        features(descriptors_a, "space"),
        features(descriptors_b, "space"),
        max_distance=0.8,
    )

    expected = match_descriptors(descriptors_a, descriptors_b, max_distance=0.8)
    np.testing.assert_array_equal(matches.indices, expected.indices)


def test_unknown_fingerprint_matches_any(descriptors_a):
    known, unknown = features(descriptors_a, "x"), features(descriptors_a)

    assert len(match(known, unknown)) == len(match(unknown, known)) > 0


def test_different_descriptor_spaces_are_refused(descriptors_a):
    with pytest.raises(ValueError, match="one descriptor space.*'x' and 'y'"):
        match(features(descriptors_a, "x"), features(descriptors_a, "y"))


def test_different_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"same dimension.*\(5, 8\)"):
        match_descriptors(random_descriptors(5, 8), random_descriptors(5, 9))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_descriptors_that_are_not_finite_are_refused(value):
    broken = random_descriptors(5)
    broken[3, 1] = value

    with pytest.raises(ValueError, match="descriptors_b.*first in row 3"):
        match_descriptors(random_descriptors(4), broken)


def test_descriptors_must_be_a_matrix():
    with pytest.raises(ValueError, match=r"descriptors_a.shape=\(40,\)"):
        match_descriptors(np.zeros(40), np.zeros((3, 40)))


@pytest.mark.parametrize("max_ratio", [0, -1, 1.5, np.nan])
def test_ratio_outside_its_range_is_refused(max_ratio):
    with pytest.raises(ValueError, match="max_ratio must be in"):
        match_descriptors(np.ones((2, 2)), np.ones((2, 2)), max_ratio=max_ratio)


def test_one_matcher_for_many_photographs():
    descriptors_a = random_descriptors(30)
    matcher = DescriptorMatcher(descriptors_a)
    for count in (1, 40, 7):
        descriptors_b = random_descriptors(count, seed=count)
        matches = matcher.match(descriptors_b, max_ratio=0.9)
        expected = match_descriptors(
            descriptors_a, descriptors_b, max_ratio=0.9
        )

        np.testing.assert_array_equal(matches.indices, expected.indices)
        np.testing.assert_array_equal(matches.distances, expected.distances)


def test_descriptors_whose_squares_overflow_are_finite():
    a = np.array([[1e30, 0], [0, 1]], np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        matches = match_descriptors(a[1:], a)

    assert matches.indices.tolist() == [[0, 1]]
