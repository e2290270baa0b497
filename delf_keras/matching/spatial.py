"""Verification by single matches: the scale and shift that most agree on."""

import numpy as np

from delf_keras.matching.geometry import INLIER_THRESHOLD, Verification

# Hypotheses, and the matches they are counted on, are pairs; of more matches
# than this only those of highest weight make hypotheses.
_MOST_HYPOTHESES = 1000
# Of features of neighbouring levels of the pyramid, sqrt(2) apart, either may
# be the one that matches, in each photograph.
_SCALE_TOLERANCE = 2.1


def estimate_upright(
    points_a,
    points_b,
    scales_a,
    scales_b,
    weights,
    *,
    threshold=INLIER_THRESHOLD,
):
    """Finds the scale and shift, without rotation, of most weight.

    Each match is a hypothesis by itself: its two scales give the ratio, its
    two points the shift. All are tried, so that nothing is left to chance and
    few matches suffice. The best one is fitted to its inliers.

    Args:
        points_a: float `[M, 2]`. Matched points (y, x) of photograph a, in
            pixels.
        points_b: float `[M, 2]`. The same of photograph b.
        scales_a: float `[M]`. Scales of the matched features of a.
        scales_b: float `[M]`. The same of b.
        weights: float `[M]`, not negative. What each inlier counts.
        threshold: float. Largest distance between an inlier and its
            transformed point of a, in units of `scales_b`.

    Returns:
        `Verification`, without a transform if there is no match. Inliers are
        within the threshold of the transform and of about its scale.

    Reference:
        Philbin et al., "Object retrieval with large vocabularies and fast
        spatial matching", CVPR 2007, section 4.1.
    """
    if not len(weights):
        return Verification(None, np.zeros(0, bool))
    points_a, points_b = np.float64(points_a), np.float64(points_b)
    ratios, limits = scales_b / scales_a, threshold * scales_b

    def inliers_of(ratio, shift):
        errors = np.square(ratio * points_a + shift - points_b).sum(axis=1)
        return (errors <= limits**2) & _are_near(ratios, ratio)

    best = _best_hypothesis(points_a, points_b, ratios, limits, weights)
    found = ratios[best], points_b[best] - ratios[best] * points_a[best]
    inliers = inliers_of(*found)
    fitted = _fit(points_a[inliers], points_b[inliers], ratios[best])
    of_fitted = inliers_of(*fitted)
    if weights[of_fitted].sum() >= weights[inliers].sum():
        found, inliers = fitted, of_fitted
    ratio, (y, x) = found
    transform = np.array([[ratio, 0, y], [0, ratio, x], [0, 0, 1]], float)
    return Verification(transform, inliers)


def _are_near(ratios, ratio):
    octaves = np.log2(ratios) - np.log2(ratio)
    return np.abs(octaves) <= np.log2(_SCALE_TOLERANCE)


def _best_hypothesis(points_a, points_b, ratios, limits, weights):
    """Returns the match whose scale and shift most weight agrees on."""
    tried = np.argsort(-weights, kind="stable")[:_MOST_HYPOTHESES]
    ratios = np.float32(ratios)
    agree = _are_near(ratios, ratios[tried, None])
    points = np.float32(points_a.T), np.float32(points_b.T)
    agree &= _squared_errors(*points, ratios, tried) <= np.float32(limits**2)
    return tried[np.argmax(agree @ np.float32(weights))]


def _squared_errors(points_a, points_b, ratios, tried):
    """Returns float32 `[T, M]`: how far each hypothesis moves each point.

    Points are `[2, M]`, for each coordinate its own row.
    """
    # A ratio and a shift for each hypothesis, times all points at once.
    hypotheses = np.full((2, 3, len(tried)), -1, np.float32)
    hypotheses[:, 0] = ratios[tried]
    hypotheses[:, 1] = (points_b - ratios * points_a)[:, tried]
    targets = np.ones((2, 3, len(ratios)), np.float32)
    targets[:, 0], targets[:, 2] = points_a, points_b
    errors = hypotheses.transpose(0, 2, 1) @ targets
    errors *= errors
    return np.add(*errors, out=errors[0])


def _fit(points_a, points_b, ratio):
    """Fits a scale and a shift; `ratio` where the points have no extent."""
    mean_a, mean_b = points_a.mean(axis=0), points_b.mean(axis=0)
    centered = points_a - mean_a
    extent = np.vdot(centered, centered)
    fitted = np.vdot(centered, points_b) / max(extent, 1e-12)
    if fitted > 0:
        ratio = fitted
    return ratio, mean_b - ratio * mean_a
