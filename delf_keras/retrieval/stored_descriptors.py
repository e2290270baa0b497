"""Descriptors as an index keeps them to match candidates with."""

import numpy as np

DESCRIPTOR_TYPES = ("int8", "float16")
_MOST_STEPS = 127


def choose_step(sample, descriptor_type):
    """Chooses what a step of stored integers is worth.

    Args:
        sample: float32 `[M, D]`, descriptors as those that are to be stored.
        descriptor_type: str, one of `DESCRIPTOR_TYPES`.

    Returns:
        float, with which the largest component of the sample is stored as
        127; None for "float16", which is not stored in steps.

    Raises:
        ValueError: if there is no such type.
    """
    if descriptor_type not in DESCRIPTOR_TYPES:
        raise ValueError(
            f"descriptor_type must be one of {', '.join(DESCRIPTOR_TYPES)}. "
            f"Received: descriptor_type={descriptor_type}"
        )
    if descriptor_type == "float16":
        return None
    return max(float(np.abs(sample).max()), 1e-6) / _MOST_STEPS


def to_stored(descriptors, step):
    """Rounds descriptors to what is stored.

    Args:
        descriptors: float32 `[N, D]`.
        step: See `choose_step`.

    Returns:
        float16 `[N, D]`, or int8 where there is a step.
    """
    if step is None:
        return descriptors.astype(np.float16)
    steps = np.rint(descriptors / np.float32(step))
    return np.clip(steps, -_MOST_STEPS, _MOST_STEPS).astype(np.int8)


def from_stored(stored, step):
    """Returns the float32 descriptors of what `to_stored` returned."""
    if step is None:
        return stored.astype(np.float32)
    return stored * np.float32(step)
