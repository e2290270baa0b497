"""Geometric verification of the candidates that votes bring up."""

import itertools
from dataclasses import dataclass

import numpy as np

from delf_keras.matching import (
    DescriptorMatcher,
    estimate_transform,
    estimate_upright,
)
from delf_keras.retrieval.search_threads import map_candidates
from delf_keras.retrieval.voting import vote_weights

# The weight of inliers that doubles the square of a score: about half of what
# two photographs of different places agree on by chance.
_CHANCE_WEIGHT = 0.02
# Features of a candidate that are matched, its strongest. All of them take
# half as long again; on photographs, half as many more candidates are worth
# as much.
_MATCHED_FEATURES = 700


@dataclass(frozen=True, eq=False)
class VerifiedMatches:
    """The inlier matches between the query and an image of the database.

    Attributes:
        transform: float64 `[3, 3]` from homogeneous (y, x, 1) of the query to
            the image, or None.
        query_locations: float32 `[M, 2]`, (y, x) in pixels of the query.
        image_locations: float32 `[M, 2]`, (y, x) in pixels of the image.
        image_rows: int64 `[M]`. Which features of the image they are.
        weight: float. The sum of what the matches would weigh as votes.
    """

    transform: np.ndarray | None
    query_locations: np.ndarray
    image_locations: np.ndarray
    image_rows: np.ndarray
    weight: float

    def __len__(self):
        return len(self.query_locations)


NO_MATCHES = VerifiedMatches(
    None, np.zeros((0, 2), "f4"), np.zeros((0, 2), "f4"), np.zeros(0, int), 0.0
)


def verify_candidates(query, first, database, options):
    """Verifies the images of the highest first score.

    Args:
        query: `LocalFeatures`.
        first: `FirstScores`.
        database: `Database`.
        options: `SearchOptions`.

    Returns:
        A dict of image to `VerifiedMatches`.
    """
    best = np.argsort(-first.scores, kind="stable")[: options.candidates]
    candidates = best[first.scores[best] > 0]
    if options.putatives == "neighbors":
        putatives = _neighbors_of(
            query, candidates, database, options.neighbors
        )
    else:
        putatives = itertools.repeat(None)

    matcher = DescriptorMatcher(query.descriptors)

    def verify(image, pairs):
        features = database.features_of(image)
        if pairs is None:
            descriptors = features[2][:_MATCHED_FEATURES]
            pairs = _match(matcher, descriptors, options.max_distance)
        return _verify(query, first.reach, features, pairs, options)

    verified = map_candidates(verify, candidates, putatives)
    return dict(zip(candidates.tolist(), verified, strict=True))


def _match(matcher, descriptors, max_distance):
    """Returns query rows, image rows and distances of mutual neighbours.

    The neighbours that voted are too few to agree on a transform where many
    images show the same place.
    """
    matches = matcher.match(descriptors, max_distance=max_distance)
    return *matches.indices.T, matches.distances


def _neighbors_of(query, candidates, database, neighbors):
    """Yields what `_match` returns, of the neighbours in each candidate."""
    found = database.search(query.descriptors, neighbors)
    for image in candidates:
        of_image = found.images == image
        # Neighbours are sorted: the first is the nearest in this image.
        queries = np.flatnonzero(of_image.any(axis=1))
        nearest = queries, of_image[queries].argmax(axis=1)
        yield (
            queries,
            found.keypoints[nearest],
            np.sqrt(found.distances[nearest]),
        )


def _verify(query, reach, features, putatives, options):
    rows, image_rows, distances = putatives
    locations, scales, _ = features
    weights = vote_weights(distances**2, reach[rows])
    points = query.locations[rows], locations[image_rows]
    model = options.model
    # Features of a single scale, as TF-Hub modules tell them, have no ratios.
    if model == "upright" and len(query) and not np.ptp(query.scales):
        model = "affine"
    if model == "upright":
        verification = estimate_upright(
            *points,
            query.scales[rows],
            scales[image_rows],
            weights,
            threshold=options.threshold,
        )
    else:
        verification = estimate_transform(
            *points,
            scales=scales[image_rows],
            model=model,
            threshold=options.threshold,
            max_iterations=options.max_iterations,
            seed=options.seed,
        )
    inliers = verification.inliers
    return VerifiedMatches(
        verification.transform,
        points[0][inliers],
        points[1][inliers],
        image_rows[inliers],
        float(weights[inliers].sum()),
    )


def combine_scores(scores, verified, ranking="fused"):
    """Raises the first scores of images by the inliers that verify them.

    Inliers alone rank badly: two photographs of different facades still
    share a dozen matches by chance. As a factor they settle what votes leave
    open. An inlier counts what it would weigh as a vote.

    Args:
        scores: float64 `[num_images]`.
        verified: dict of image to `VerifiedMatches`.
        ranking: "fused", or "inliers" to rank verified images by the number
            of their inliers, and by their first score where it is the same.

    Returns:
        float64 `[num_images]`. Every verified image has at least its first
        score, so that the order of the others stays below.
    """
    raised = scores.copy()
    for image, matches in verified.items():
        if ranking == "inliers":
            # A first score is at most the largest one.
            raised[image] += len(matches) * 2 * scores.max()
        else:
            raised[image] *= np.sqrt(1 + matches.weight / _CHANCE_WEIGHT)
    return raised
