"""One match is enough to say where two upright photographs meet."""

import numpy as np
import pytest
from skimage.measure import ransac
from skimage.transform import SimilarityTransform

from delf_keras.matching import estimate_upright

SCALE, SHIFT = 0.7, np.array([35.0, -12.0])


@pytest.fixture
def matches():
    """200 matches, of which the first 40 are right to a pixel."""
    rng = np.random.default_rng(0)
    points_a = rng.uniform(0, 600, (200, 2))
    points_b = rng.uniform(0, 600, (200, 2))
    points_b[:40] = SCALE * points_a[:40] + SHIFT + rng.normal(0, 0.5, (40, 2))
    scales_a = 2.0 ** rng.uniform(-1, 1, 200)
    scales_b = 2.0 ** rng.uniform(-1, 1, 200)
    # As exact as levels of a pyramid half an octave apart can be.
    scales_b[:40] = SCALE * scales_a[:40] * rng.uniform(0.95, 1.05, 40)
    return points_a, points_b, scales_a, scales_b, np.ones(200)


def test_right_matches_are_found(matches):
    verification = estimate_upright(*matches, threshold=10.0)

    assert verification.inliers[:40].sum() >= 28
    assert verification.inliers[40:].sum() <= 4
    scale, shift = verification.transform[0, 0], verification.transform[:2, 2]
    assert scale == pytest.approx(SCALE, abs=0.02)
    np.testing.assert_allclose(shift, SHIFT, atol=6)


def test_fit_equals_a_similarity_of_scikit_image(matches):
    """Of right matches alone, where a similarity has no rotation to find."""
    points_a, points_b, scales_a, scales_b, weights = (
        each[:40] for each in matches
    )
    exact = SCALE * points_a + SHIFT
    ours = estimate_upright(points_a, exact, scales_a, scales_b, weights)
    theirs, _ = ransac(
        (points_a, exact), SimilarityTransform, 2, 1, max_trials=50, rng=0
    )

    assert ours.inliers.all()
    np.testing.assert_allclose(ours.transform, theirs.params, atol=1e-3)


def test_heavy_matches_outvote_many(matches):
    points_a, points_b, scales_a, scales_b, weights = matches
    shifted = np.s_[40:100]
    points_b[shifted] = points_a[shifted] + 100
    scales_b[shifted] = scales_a[shifted]
    light = estimate_upright(*matches, threshold=10.0)
    weights[:40] = 5
    heavy = estimate_upright(*matches, threshold=10.0)

    assert light.transform[0, 0] == pytest.approx(1, abs=0.02)
    assert heavy.transform[0, 0] == pytest.approx(SCALE, abs=0.02)


def test_scales_must_agree(matches):
    """Points that meet by chance at another magnification do not count."""
    points_a, points_b, scales_a, scales_b, weights = (
        each[:40] for each in matches
    )
    before = estimate_upright(points_a, points_b, scales_a, scales_b, weights)
    scales_b[:20] *= 8
    after = estimate_upright(points_a, points_b, scales_a, scales_b, weights)

    assert before.num_inliers > 30
    assert not after.inliers[:20].any() and after.inliers[20:].any()


def test_inliers_are_what_the_transform_says():
    """Not those of the match that it was fitted to the inliers of."""
    rng = np.random.default_rng(3)
    ones = np.ones(300)
    lost = 0
    for _ in range(20):
        points_a = rng.uniform(0, 600, (300, 2))
        points_b = points_a + rng.normal(0, 15, (300, 2))
        found = estimate_upright(points_a, points_b, ones, ones, ones)
        ratio, *shift = found.transform[[0, 0, 1], [0, 2, 2]]
        errors = np.linalg.norm(ratio * points_a + shift - points_b, axis=1)
        hypotheses = points_b - points_a
        best = max(
            np.count_nonzero(np.linalg.norm(each - hypotheses, axis=1) <= 20)
            for each in hypotheses
        )
        lost += max(best - found.num_inliers, 0)

        np.testing.assert_array_equal(found.inliers, errors <= 20)
    # The fit is kept where it has no fewer.
    assert lost == 0


@pytest.mark.parametrize("size", [0.25, 4.0, 64.0])
def test_distances_count_in_scales(matches, size):
    """As many inliers in a photograph of another size."""
    points_a, points_b, scales_a, scales_b, weights = matches
    points_b[:40] += np.random.default_rng(1).normal(0, 12, (40, 2))
    expected = estimate_upright(*matches)
    received = estimate_upright(
        points_a, size * points_b, scales_a, size * scales_b, weights
    )

    assert 10 < expected.num_inliers < 40
    np.testing.assert_array_equal(received.inliers, expected.inliers)


def test_single_match_and_none():
    point = np.array([[10.0, 20.0]])
    one = estimate_upright(
        point, point + 5, np.ones(1), np.full(1, 2.0), np.ones(1)
    )
    none = estimate_upright(*(np.zeros((0, 2)),) * 2, *(np.zeros(0),) * 3)

    assert one.num_inliers == 1
    np.testing.assert_allclose(
        one.transform @ [10, 20, 1], [15, 25, 1], atol=1e-6
    )
    assert none.transform is None and none.num_inliers == 0
