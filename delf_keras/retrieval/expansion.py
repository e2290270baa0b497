"""Query expansion by the descriptors of verified images."""

import numpy as np

from delf_keras.retrieval.first_scores import word_similarities

# Photographs of different places rarely agree on matches of more weight.
_SURE_WEIGHT = 2.5


def expand(query, first, verified, database, options):
    """Scores the database once more, by the query and what it surely found.

    The descriptors of the images that are verified beyond doubt join those
    of the query in its visual words, as if it were one photograph of more
    views.

    Args:
        query: `LocalFeatures`.
        first: `FirstScores` of the query.
        verified: dict of image to `VerifiedMatches`.
        database: `Database`.
        options: `SearchOptions`, whose `expansion` is the number of best
            images that are considered.

    Returns:
        float64 `[num_images]`, in place of the first scores.

    Reference:
        Chum et al., "Total recall", ICCV 2007; Tolias and Jegou, "Visual
        query expansion with or without geometry", Pattern Recognition 2014.
    """
    best = sorted(verified, key=lambda image: -verified[image].weight)
    sure = [
        database.features_of(image)[2]
        for image in best[: options.expansion]
        if verified[image].weight >= _SURE_WEIGHT
    ]
    if not sure:
        return first.scores
    before = first.similarities
    if before is None:
        before = word_similarities(query.descriptors, database, first.among)
    descriptors = np.concatenate([query.descriptors, *sure])
    after = word_similarities(descriptors, database, first.among)
    if options.first_score == "asmk":
        return after
    return first.scores * after / before
