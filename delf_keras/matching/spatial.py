"""Verification by single matches: the scale and shift that most agree on."""

import numpy as np

from delf_keras.matching.geometry import Verification

# Hypotheses, and the matches they are counted on, are pairs; of more matches
# than this only those of highest weight make hypotheses.
_MOST_HYPOTHESES = 1000
# Of features of neighbouring levels of the pyramid, sqrt(2) apart, either may
# be the one that matches, in each photograph.
_SCALE_TOLERANCE = 2.1


def estimate_upright(
    points_a, points_b, scales_a, scales_b, weights, *, threshold=30.0
):
    """Finds the scale and shift, without rotation, of most weight.

    Each match is a hypothesis by itself: its two scales give the ratio, its
    two points the shift. All are tried, so that nothing is left to chance and
    few matches suffice.

    Args:
        points_a: float `[M, 2]`. Matched points (y, x) of photograph a, in
            pixels.
        points_b: float `[M, 2]`. The same of photograph b.
        scales_a: float `[M]`. Scales of the matched features of a.
        scales_b: float `[M]`. The same of b.
        weights: float `[M]`, not negative. What each inlier counts.
        threshold: float. Largest distance in pixels of photograph b between
            an inlier and its transformed point of a.

    Returns:
        `Verification`, without a transform if there is no match. The
        transform is the least-squares fit of a scale and a shift to the
        inliers of the best hypothesis.

    Reference:
        Philbin et al., "Object retrieval with large vocabularies and fast
        spatial matching", CVPR 2007, section 4.1.
    """
    if not len(weights):
        return Verification(None, np.zeros(0, bool))
    points = np.float32(points_a.T), np.float32(points_b.T)
    ratios = np.float32(scales_b / scales_a)
    tried = np.argsort(-weights, kind="stable")[:_MOST_HYPOTHESES]
    octaves = np.log2(ratios)
    agree = np.abs(octaves - octaves[tried, None]) <= np.log2(_SCALE_TOLERANCE)
    agree &= _squared_errors(*points, ratios, tried) <= threshold**2
    best = np.argmax(agree @ np.float32(weights))
    inliers = agree[best]
    of_inliers = (each[:, inliers] for each in points)
    return Verification(_fit(*of_inliers, ratios[tried[best]]), inliers)


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
    points_a, points_b = np.float64(points_a), np.float64(points_b)
    count = points_a.shape[1]
    mean_a, mean_b = points_a.sum(axis=1) / count, points_b.sum(axis=1) / count
    centered = points_a - mean_a[:, None]
    extent = np.vdot(centered, centered)
    fitted = np.vdot(centered, points_b) / max(extent, 1e-12)
    if fitted > 0:
        ratio = fitted
    y, x = mean_b - ratio * mean_a
    return np.array([[ratio, 0.0, y], [0.0, ratio, x], [0.0, 0.0, 1.0]])
