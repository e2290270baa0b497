"""Geometric verification: the transform that putative matches agree on."""

from dataclasses import dataclass

import numpy as np

# Largest distance of an inlier, in pixels of the level of the pyramid that the
# feature of photograph b was found on: what a feature's place is uncertain by
# grows with its scale, and with the size of its photograph.
INLIER_THRESHOLD = 20.0

_SAMPLE_SIZES = {"affine": 3, "homography": 4}

# Points whose extent in one direction is this share of that in the other lie
# on a line and do not determine a transform.
_LINE_TOLERANCE = 1e-4

# Multiples of the threshold within which matches take part in one refit after
# the other. The first one reaches the matches that a transform sampled from a
# part of the scene just misses.
_REFIT_REACH = (1.5, 1.0)


@dataclass(frozen=True, eq=False)
class Verification:
    """The transform between two photographs and the matches that obey it.

    Attributes:
        transform: float64 `[3, 3]`. Maps homogeneous points (y, x, 1) of
            photograph a to b; `None` if no transform was found.
        inliers: bool `[M]`. Whether the transform takes the point of each
            putative match to within the threshold of its counterpart, and,
            of `estimate_upright`, its scale to about the other one; all
            `False` if no transform was found.
    """

    transform: np.ndarray | None
    inliers: np.ndarray

    @property
    def num_inliers(self):
        """Number of matches that obey the transform, as an int."""
        return int(np.count_nonzero(self.inliers))


def verify(features_a, features_b, matches, **options):
    """Verifies putative matches between two photographs.

    Args:
        features_a: `LocalFeatures` of photograph a.
        features_b: `LocalFeatures` of photograph b.
        matches: `Matches` between them.
        **options: Keyword arguments of `estimate_transform`.

    Returns:
        `Verification`.

    Reference:
        Noh et al., arXiv 1612.06321, section 4.4.
    """
    rows_a, rows_b = matches.indices.T
    return estimate_transform(
        features_a.locations[rows_a],
        features_b.locations[rows_b],
        scales=features_b.scales[rows_b],
        **options,
    )


def estimate_transform(
    points_a,
    points_b,
    *,
    scales=1.0,
    model="affine",
    threshold=INLIER_THRESHOLD,
    max_iterations=10000,
    confidence=0.999,
    seed=0,
):
    """Estimates the transform that most matches agree on.

    RANSAC with early rejection of hypotheses by a sequential probability
    ratio test and with local optimization. The same arguments give the same
    result, whatever else uses OpenCV, in this thread or another.

    Args:
        points_a: float `[M, 2]`. Matched points (y, x) of photograph a, in
            pixels.
        points_b: float `[M, 2]`. The same of photograph b.
        scales: float, or float `[M]` of each match. The pixels of photograph
            b that `threshold` counts: the scales of its features.
        model: "affine" or "homography".
        threshold: float. Largest distance between an inlier and its
            transformed point of a, in units of `scales`.
        max_iterations: int. Most hypotheses that are tried. 10000 find an
            affine transform that one match in ten obeys.
        confidence: float in (0, 1). Probability at which the search ends
            early.
        seed: int. Of the random samples.

    Returns:
        `Verification`. Without a transform if the matches are too few, 3 for
        an affine transform and 4 for a homography, or if those that agree
        lie on a line or a point in either photograph.

    Raises:
        ValueError: If the points are not finite or do not pair up, or an
            option is out of its range.

    Reference:
        Raguram et al., USAC: A Universal Framework for Random Sample
        Consensus, TPAMI 2013.
    """
    if model not in _SAMPLE_SIZES:
        raise ValueError(
            f"model must be one of {sorted(_SAMPLE_SIZES)}. "
            f"Received: model={model!r}"
        )
    _check_options(threshold, max_iterations, confidence)
    points_a = _checked("points_a", points_a)
    points_b = _checked("points_b", points_b)
    if len(points_a) != len(points_b):
        raise ValueError(
            "points_a and points_b must pair up. Received: "
            f"points_a.shape={points_a.shape}, points_b.shape={points_b.shape}"
        )
    inliers = np.zeros(len(points_a), bool)
    if len(points_a) < _SAMPLE_SIZES[model]:
        return Verification(None, inliers)
    limits = threshold * np.broadcast_to(scales, len(points_a))
    # OpenCV has one threshold for all; those who refit have each its own.
    params = _usac_params(np.median(limits), max_iterations, confidence, seed)
    transform = _sample_consensus(points_a, points_b, model, params)
    transform, errors = _refit(transform, points_a, points_b, model, limits)
    agree = errors <= limits**2
    if (
        np.count_nonzero(agree) < _SAMPLE_SIZES[model]
        or _on_a_line(points_a[agree])
        or _on_a_line(_apply(transform, points_a[agree]))
    ):
        return Verification(None, inliers)
    return Verification(transform, agree)


def _usac_params(threshold, max_iterations, confidence, seed):
    import cv2

    params = cv2.UsacParams()
    params.threshold = threshold
    params.maxIterations = max_iterations
    params.confidence = confidence
    # The truncated square loss holds an accurate transform where the count of
    # inliers, at a threshold of many pixels, leaves a loose one.
    params.score = cv2.SCORE_METHOD_MSAC
    params.loMethod = cv2.LOCAL_OPTIM_INNER_AND_ITER_LO
    # More rounds find hardly an inlier that the refit does not.
    params.loIterations = 1
    params.isParallel = False
    # The only source of chance in there; a C int that is counted up from.
    params.randomGeneratorState = int(seed) % 2**30
    return params


def _sample_consensus(points_a, points_b, model, params):
    import cv2

    # Both models are the same whichever coordinate comes first.
    a, b = points_a.astype(np.float32), points_b.astype(np.float32)
    if model == "homography":
        return cv2.findHomography(a, b, params)[0]
    affine, _ = cv2.estimateAffine2D(a, b, params)
    return None if affine is None else np.vstack([affine, [0.0, 0.0, 1.0]])


def _refit(best, points_a, points_b, model, limits):
    # Returns the transform of most inliers, with its errors.
    errors = least = _squared_errors(best, points_a, points_b)
    for reach in _REFIT_REACH:
        near = errors <= (reach * limits) ** 2
        transform = _least_squares(points_a[near], points_b[near], model)
        errors = _squared_errors(transform, points_a, points_b)
        # Of as many inliers, the later transform fits them more closely.
        if _count(errors, limits) >= _count(least, limits):
            best, least = transform, errors
    return best, least


def _count(squared_errors, limits):
    return np.count_nonzero(squared_errors <= limits**2)


def _least_squares(points_a, points_b, model):
    import cv2

    if len(points_a) < _SAMPLE_SIZES[model]:
        return None
    if model == "homography":
        return cv2.findHomography(points_a, points_b)[0]
    mean_a, mean_b = points_a.mean(axis=0), points_b.mean(axis=0)
    centered = points_a - mean_a
    (yy, yx), (_, xx) = scatter = centered.T @ centered
    if _is_of_a_line(scatter):
        return None
    # The inverse of a 2x2 matrix in full, times its determinant.
    adjugate = np.array([[xx, -yx], [-yx, yy]])
    linear = adjugate @ (centered.T @ (points_b - mean_b))
    linear = linear.T / (yy * xx - yx * yx)
    transform = np.eye(3)
    transform[:2, :2] = linear
    transform[:2, 2] = mean_b - linear @ mean_a
    return transform


def _squared_errors(transform, points_a, points_b):
    if transform is None or not np.isfinite(transform).all():
        return np.full(len(points_a), np.inf)
    differences = _apply(transform, points_a) - points_b
    return np.einsum("md,md->m", differences, differences)


def _apply(transform, points):
    mapped = points @ transform[:, :2].T + transform[:, 2]
    if not transform[2, :2].any():
        return mapped[:, :2] / transform[2, 2]
    # A homography may send a point to infinity; it is no inlier then.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return mapped[:, :2] / mapped[:, 2:]


def _on_a_line(points):
    centered = points - points.mean(axis=0)
    return _is_of_a_line(centered.T @ centered)


def _is_of_a_line(scatter):
    (yy, yx), (_, xx) = scatter
    determinant, trace = yy * xx - yx * yx, yy + xx
    return determinant <= (_LINE_TOLERANCE * trace) ** 2


def _check_options(threshold, max_iterations, confidence):
    if not 0 < threshold < np.inf:
        raise ValueError(
            f"threshold must be positive. Received: threshold={threshold}"
        )
    if max_iterations < 1:
        raise ValueError(
            "max_iterations must be at least 1. "
            f"Received: max_iterations={max_iterations}"
        )
    if not 0 < confidence < 1:
        raise ValueError(
            f"confidence must be in (0, 1). Received: confidence={confidence}"
        )


def _checked(name, points):
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(
            f"{name} must be (y, x) pairs of shape [M, 2]. "
            f"Received: {name}.shape={points.shape}"
        )
    if not np.isfinite(points).all():
        rows = np.flatnonzero(~np.isfinite(points).all(axis=1))
        raise ValueError(
            f"{name} must be finite. Received: NaN or infinity in "
            f"{len(rows)} rows, first in row {rows[0]}"
        )
    return points
