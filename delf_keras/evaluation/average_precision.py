"""Average precision and precision at k of ranked retrieval."""

import numpy as np


def average_precision(positions):
    """Returns the area under one query's precision-recall curve.

    Each positive adds a trapezoid of width `1 / positives`, between the
    precision just before it and the precision at it. The precision before the
    first image of the ranking is 1.

    Args:
        positions: int `[P]`, in any order. 0-based positions of all positives
            in the full ranking, junk taken out.

    Returns:
        float in [0, 1], NaN if there are no positives.

    Raises:
        ValueError: If a position is negative or comes twice.

    Reference:
        Philbin et al., CVPR 2007, section 2; Radenovic et al., CVPR 2018,
        section 3.
    """
    positions = _sorted_positions(positions)
    if not len(positions):
        return float("nan")
    found = np.arange(len(positions))
    # Position 0 has no image before it, and no precision but by convention.
    before = np.where(positions == 0, 1.0, found / np.maximum(positions, 1))
    at = (found + 1) / (positions + 1)
    return float(np.mean((before + at) / 2))


def precision_at(positions, ks):
    """Returns one query's precision among its first k images.

    Where the last positive comes before k, precision is that at the last
    positive, so that a query with few positives can reach 1.

    Args:
        positions: int `[P]`, in any order. 0-based positions of all positives
            in the full ranking, junk taken out.
        ks: Sequence of K ints, at least 1.

    Returns:
        float64 `[K]`, NaN if there are no positives.

    Raises:
        ValueError: If a position is negative or comes twice, or a k is below
            1.

    Reference:
        Radenovic et al., CVPR 2018, section 3.
    """
    positions = _sorted_positions(positions)
    ks = np.asarray(ks)
    if ks.ndim != 1 or ks.dtype.kind not in "iu" or (ks < 1).any():
        raise ValueError(f"ks must be integers of at least 1. Received: {ks=}")
    if not len(positions):
        return np.full(len(ks), np.nan)
    depth = np.minimum(ks, positions[-1] + 1)
    return np.searchsorted(positions, depth) / depth


def mean_average_precision(positions):
    """Returns the mean of `average_precision` over queries with positives.

    Args:
        positions: Sequence of Q int arrays, see `average_precision`.

    Returns:
        float in [0, 1], NaN if no query has positives.
    """
    return float(_mean_of_valid([[average_precision(p)] for p in positions])[0])


def mean_precision_at(positions, ks=(1, 5, 10)):
    """Returns the mean of `precision_at` over queries with positives.

    Args:
        positions: Sequence of Q int arrays, see `precision_at`.
        ks: Sequence of K ints, at least 1.

    Returns:
        float64 `[K]`, NaN if no query has positives.
    """
    return _mean_of_valid([precision_at(p, ks) for p in positions], len(ks))


def remove_junk(positions, junk_positions):
    """Returns the positions that images get once junk leaves the ranking.

    Args:
        positions: int `[P]`. 0-based positions of images that are not junk.
        junk_positions: int `[J]`, in any order. 0-based positions of junk.

    Returns:
        int `[P]`, each position less the number of junk images before it.
    """
    positions = np.asarray(positions)
    return positions - np.searchsorted(np.sort(junk_positions), positions)


def _sorted_positions(positions):
    positions = np.asarray(positions)
    if positions.size == 0:
        return np.empty(0, np.int64)
    if positions.ndim != 1 or positions.dtype.kind not in "iu":
        raise ValueError(
            "positions must be a vector of integers. "
            f"Received: positions.shape={positions.shape}, "
            f"positions.dtype={positions.dtype}"
        )
    positions = np.sort(positions.astype(np.int64))
    if positions[0] < 0 or (np.diff(positions) == 0).any():
        raise ValueError(
            "positions must be distinct and at least 0. "
            f"Received: positions={positions}"
        )
    return positions


def _mean_of_valid(rows, columns=1):
    rows = np.asarray(rows, np.float64).reshape(-1, columns)
    rows = rows[~np.isnan(rows).any(axis=1)]
    return rows.mean(axis=0) if len(rows) else np.full(columns, np.nan)
