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
    ratios = (scales_b / scales_a).astype(np.float32)
    tried = np.argsort(-weights, kind="stable")[:_MOST_HYPOTHESES]
    octaves = np.log2(ratios)
    agree = np.abs(octaves - octaves[tried, None]) <= np.log2(_SCALE_TOLERANCE)
    agree &= _squared_errors(points_a, points_b, ratios, tried) <= threshold**2
    best = np.argmax(agree @ weights.astype(np.float32))
    inliers = agree[best]
    return Verification(
        _fit(points_a[inliers], points_b[inliers], ratios[tried[best]]),
        inliers,
    )


def _squared_errors(points_a, points_b, ratios, tried):
    """Returns float32 `[T, M]`: how far each hypothesis moves each point."""
    squared = 0
    ones = np.ones(len(ratios), np.float32)
    for a, b in zip(points_a.T, points_b.T, strict=True):
        a, b = a.astype(np.float32), b.astype(np.float32)
        # A ratio and a shift for each hypothesis, times all points at once.
        hypotheses = np.stack([ratios, b - ratios * a, -ones], axis=1)[tried]
        errors = hypotheses @ np.stack([a, ones, b])
        squared = squared + errors * errors
    return squared


def _fit(points_a, points_b, ratio):
    """Fits a scale and a shift; `ratio` where the points have no extent."""
    points_a, points_b = np.float64(points_a), np.float64(points_b)
    mean_a, mean_b = points_a.mean(axis=0), points_b.mean(axis=0)
    centered = points_a - mean_a
    extent = np.sum(centered**2)
    fitted = np.sum(centered * (points_b - mean_b)) / max(extent, 1e-12)
    if fitted > 0:
        ratio = fitted
    transform = np.diag([ratio, ratio, 1.0])
    transform[:2, 2] = mean_b - ratio * mean_a
    return transform
