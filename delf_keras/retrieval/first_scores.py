"""What images are ranked by before any is verified."""

from dataclasses import dataclass

import numpy as np

from delf_keras.retrieval.voting import reach_of, vote

# A photograph without a word in common may still be the right one.
_LEAST_SIMILARITY = 1e-6


@dataclass(frozen=True, eq=False)
class FirstScores:
    """The scores of a query's search, before verification.

    Attributes:
        scores: float64 `[num_images]`, 0 for an image without a vote.
        reach: float32 `[N]`. Squared distance of the last neighbour of each
            query descriptor.
    """

    scores: np.ndarray
    reach: np.ndarray


def score_images(query, index, options):
    """Scores the images of a database by a query's descriptors.

    Votes tell which images have the rare descriptors of the query, ASMK
    whether they have its common ones in the same shares: the product is
    better than either.

    Args:
        query: `LocalFeatures`, at least one.
        index: `ImageIndex`.
        options: `SearchOptions`.

    Returns:
        `FirstScores`.
    """
    distances, rows = index.descriptor_index.search(
        query.descriptors, options.neighbors
    )
    images = index.store.image_ids(rows)
    reach = reach_of(distances, images)
    scores = np.ones(len(index))
    if options.first_score in ("votes", "fused"):
        scores = vote(distances, images, len(index), options.vote_weighting)
        if options.background:
            scores = scores / index.background
    if options.first_score in ("asmk", "fused"):
        scores = scores * word_similarities(query.descriptors, index)
    if options.first_score == "global" or options.global_weight:
        cosines = _global_similarities(query, index, options.global_expansion)
        weight = options.global_weight or 1.0
        scores = scores * np.exp(weight * cosines)
    return FirstScores(scores, reach)


def word_similarities(descriptors, index):
    """Returns what ASMK finds, never 0.

    Args:
        descriptors: float32 `[N, D]`.
        index: `ImageIndex`.

    Returns:
        float64 `[num_images]`.
    """
    return np.maximum(index.asmk.score(descriptors), _LEAST_SIMILARITY)


def _global_similarities(query, index, expansion):
    if index.global_descriptors is None or query.global_descriptor is None:
        raise ValueError(
            "Global descriptors are compared where both the index and the "
            "query have them: build the index with --global_power=3. "
            f"Received: {'a query' if index.global_descriptors else 'an index'}"
            " without"
        )
    return index.global_descriptors.similarities(
        query.global_descriptor, expansion
    )
