"""The photographs that what an index learns is fitted to."""

import numpy as np

from delf_keras.retrieval.index_training import learn

# More descriptors than theirs would hardly move a centroid.
_PHOTOGRAPHS = 4096


def draw_sample(photographs, seed):
    """Draws the photographs that quantizers are trained on, in their order.

    Args:
        photographs: list of names, or of whatever stands for a photograph.
        seed: int.

    Returns:
        list of at most 4096 of them.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(photographs))[:_PHOTOGRAPHS]
    return [photographs[i] for i in sorted(chosen)]


def check_sample(sample, count, skipped, options):
    """Refuses a sample without a feature, and says why there is none.

    Args:
        sample: list of `LocalFeatures`.
        count: int. All photographs that were extracted.
        skipped: dict of name to the reason why it was skipped.
        options: `ExtractionOptions`.

    Raises:
        ValueError: if no photograph of the sample has a feature.
    """
    if any(map(len, sample)):
        return
    if not count:
        raise ValueError(
            "An index needs at least one photograph. Received: none"
        )
    reason = next(
        iter(skipped.values()),
        "no feature has an attention score of at least "
        f"{options.score_threshold:g}",
    )
    raise ValueError(
        "An index needs at least one photograph with features. Received: "
        f"{count} photographs, none of use; the first: {reason}"
    )


def learn_from_sample(sample, num_photographs, **options):
    """Trains the quantizers of an index on a sample of its photographs.

    Args:
        sample: list of `LocalFeatures`.
        num_photographs: int. Photographs that the index shall hold.
        **options: See `learn`.

    Returns:
        `Learned`, without background queries.

    Raises:
        ValueError: if there are too few descriptors.
    """
    count = round(np.mean([*map(len, sample)]) * num_photographs)
    return learn(sample, count, **options)
