"""Validation photographs taken from those for training."""

import numpy as np


def split_stratified(images, fraction, seed):
    """Splits photographs so that each class keeps its share in both parts.

    A class of two photographs or more has at least one in each part; a single
    photograph stays in training.

    Args:
        images: `LabelledImages`.
        fraction: float in (0, 1). Share of each class that is held out,
            rounded.
        seed: int. The same seed and photographs give the same parts.

    Returns:
        (train, validation), each `LabelledImages`, in the order they had.

    Raises:
        ValueError: if the fraction is out of range.
    """
    if not 0 < fraction < 1:
        raise ValueError(
            "The share of validation photographs must be in (0, 1). "
            f"Received: fraction={fraction}"
        )
    counts = np.bincount(images.labels, minlength=images.num_classes)
    held_out = np.rint(counts * fraction).astype(np.int64)
    held_out = np.minimum(np.maximum(held_out, 1), counts - 1)
    # Each class in a random order, one class after the other.
    shuffled = np.random.default_rng(seed).permutation(len(images))
    grouped = shuffled[np.argsort(images.labels[shuffled], kind="stable")]
    starts = np.cumsum(counts) - counts
    labels = images.labels[grouped]
    rank = np.arange(len(images)) - starts[labels]
    validation = np.zeros(len(images), bool)
    validation[grouped] = rank < held_out[labels]
    return images.select(~validation), images.select(validation)
