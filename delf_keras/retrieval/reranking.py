"""Geometric verification of the candidates that votes bring up."""

from dataclasses import dataclass

import numpy as np

from delf_keras.matching import estimate_transform, match_descriptors


@dataclass(frozen=True)
class SearchOptions:
    """How a database is searched.

    Attributes:
        neighbors: Nearest descriptors that vote, for each query descriptor.
            The paper takes 60; more pays where many images show one place.
        candidates: Images of the most votes that are verified; 0 for none.
        max_distance: Largest distance of two descriptors that are matched to
            verify a candidate.
        model: "affine" or "homography".
        threshold: Largest distance of an inlier in pixels of the photograph.
        max_iterations: Most RANSAC hypotheses.
        seed: Of RANSAC.
    """

    neighbors: int = 300
    candidates: int = 100
    max_distance: float = 0.8
    model: str = "affine"
    threshold: float = 20.0
    max_iterations: int = 10000
    seed: int = 0

    def __post_init__(self):
        for name in (
            "neighbors",
            "max_distance",
            "threshold",
            "max_iterations",
        ):
            if getattr(self, name) <= 0:
                raise ValueError(
                    f"{name} must be positive. "
                    f"Received: {name}={getattr(self, name)}"
                )
        if self.candidates < 0:
            raise ValueError(
                "candidates must not be negative. "
                f"Received: candidates={self.candidates}"
            )


@dataclass(frozen=True, eq=False)
class VerifiedMatches:
    """The inlier matches between the query and an image of the database.

    Attributes:
        transform: float64 `[3, 3]` from homogeneous (y, x, 1) of the query to
            the image, or None.
        query_locations: float32 `[M, 2]`, (y, x) in pixels of the query.
        image_locations: float32 `[M, 2]`, (y, x) in pixels of the image.
    """

    transform: np.ndarray | None
    query_locations: np.ndarray
    image_locations: np.ndarray

    def __len__(self):
        return len(self.query_locations)


def verify_candidates(query, votes, store, options):
    """Verifies the images that have the most votes.

    The descriptors of the query are matched with those of a candidate, since
    the neighbours that voted for it are too few to agree on a transform where
    many images show the same place.

    Args:
        query: `LocalFeatures`.
        votes: float64 `[num_images]`.
        store: `ImageStore`.
        options: `SearchOptions`.

    Returns:
        A dict of image to `VerifiedMatches`.
    """
    candidates = np.argsort(-votes, kind="stable")[: options.candidates]
    return {
        int(image): _verify(query, *store.features_of(image), options)
        for image in candidates
        if votes[image] > 0
    }


def _verify(query, locations, descriptors, options):
    matches = match_descriptors(
        query.descriptors, descriptors, max_distance=options.max_distance
    )
    rows, image_rows = matches.indices.T
    verification = estimate_transform(
        query.locations[rows],
        locations[image_rows],
        model=options.model,
        threshold=options.threshold,
        max_iterations=options.max_iterations,
        seed=options.seed,
    )
    return VerifiedMatches(
        verification.transform,
        query.locations[rows[verification.inliers]],
        locations[image_rows[verification.inliers]],
    )


def combine_scores(votes, verified):
    """Ranks by votes, raised by the square root of the number of inliers.

    Inliers alone rank badly: two photographs of different facades still
    share a dozen matches by chance. As a factor they settle what votes leave
    open.

    Args:
        votes: float64 `[num_images]`.
        verified: dict of image to `VerifiedMatches`.

    Returns:
        float64 `[num_images]`. Every verified image has at least its votes,
        so that the order of the others stays below.
    """
    scores = votes.copy()
    for image, matches in verified.items():
        scores[image] *= np.sqrt(1 + len(matches))
    return scores
