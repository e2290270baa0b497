"""What images are ranked by before any is verified."""

from dataclasses import dataclass

import numpy as np

from delf_keras.retrieval.voting import reach_of, vote

# A photograph without a word in common may still be the right one.
_LEAST_SIMILARITY = 1e-6
# In a large database, words are compared of the images of the most votes:
# those of all images would take longer than their votes.
_SHORTLIST = 1024


@dataclass(frozen=True, eq=False)
class FirstScores:
    """The scores of a query's search, before verification.

    Attributes:
        scores: float64 `[num_images]`, 0 for an image without a vote.
        reach: float32 `[N]`. Squared distance of the last neighbour of each
            query descriptor.
        among: bool `[num_images]`, the images whose words were compared; None
            for all.
        similarities: float64 `[num_images]`, what `word_similarities` returned
            of them; None where words were not compared.
    """

    scores: np.ndarray
    reach: np.ndarray
    among: np.ndarray | None = None
    similarities: np.ndarray | None = None


def score_images(query, database, options):
    """Scores the images of a database by a query's descriptors.

    Votes tell which images have the rare descriptors of the query, ASMK
    whether they have its common ones in the same shares: the product is
    better than either.

    Args:
        query: `LocalFeatures`, at least one.
        database: `Database`.
        options: `SearchOptions`.

    Returns:
        `FirstScores`.
    """
    lists = database.nearest_lists(query.descriptors)
    found = database.search(query.descriptors, options.neighbors, lists)
    scores, among, similarities = np.ones(len(database)), None, None
    if options.first_score in ("votes", "fused"):
        scores = vote(
            found.distances,
            found.images,
            len(database),
            options.vote_weighting,
        )
        if options.background:
            scores = scores / database.background
        among = _shortlist(scores)
    if options.first_score in ("asmk", "fused"):
        similarities = word_similarities(
            query.descriptors, database, among, lists
        )
        scores = scores * similarities
    if options.first_score == "global" or options.global_weight:
        cosines = _global_similarities(
            query, database.global_descriptors, options.global_expansion
        )
        weight = options.global_weight or 1.0
        scores = scores * np.exp(weight * cosines)
    reach = reach_of(found.distances, found.images)
    return FirstScores(scores, reach, among, similarities)


def word_similarities(descriptors, database, among=None, lists=None):
    """Returns what ASMK finds, never 0.

    Args:
        descriptors: float32 `[N, D]`.
        database: `Database`.
        among: bool `[num_images]`, or None. See `AsmkIndex.score`.
        lists: See `Database.word_similarities`.

    Returns:
        float64 `[num_images]`.
    """
    similarities = database.word_similarities(descriptors, among, lists)
    return np.maximum(similarities, _LEAST_SIMILARITY)


def _shortlist(scores):
    if len(scores) <= _SHORTLIST:
        return None
    among = np.zeros(len(scores), bool)
    among[np.argpartition(-scores, _SHORTLIST)[:_SHORTLIST]] = True
    return among


def _global_similarities(query, descriptors, expansion):
    if descriptors is None or query.global_descriptor is None:
        raise ValueError(
            "Global descriptors are compared where both the index and the "
            "query have them: build the index with --global_power=3. "
            f"Received: {'a query' if descriptors else 'an index'} without"
        )
    return descriptors.similarities(query.global_descriptor, expansion)
