"""Average precision and precision at k, by hand and by definition."""

import numpy as np
import pytest

from delf_keras.evaluation import (
    average_precision,
    mean_average_precision,
    mean_precision_at,
    precision_at,
    remove_junk,
)


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ([0], 1.0),
        ([0, 1, 2], 1.0),
        # One positive in second place: from precision 0 up to 1/2.
        ([1], (0 + 1 / 2) / 2),
        # First and third: full for the first, then from 1/2 up to 2/3.
        ([0, 2], (1 + (1 / 2 + 2 / 3) / 2) / 2),
        ([2, 0], (1 + (1 / 2 + 2 / 3) / 2) / 2),
        ([3, 4], ((0 + 1 / 4) / 2 + (1 / 4 + 2 / 5) / 2) / 2),
    ],
)
def test_average_precision_by_hand(positions, expected):
    assert average_precision(positions) == pytest.approx(expected, abs=1e-12)


def _area_of_curve(relevant):
    """Walks the ranking and adds the trapezoids between its points."""
    area, recall, precision, found = 0.0, 0.0, 1.0, 0
    for place, is_relevant in enumerate(relevant):
        found += is_relevant
        new_recall, new_precision = found / sum(relevant), found / (place + 1)
        area += (new_recall - recall) * (precision + new_precision) / 2
        recall, precision = new_recall, new_precision
    return area


@pytest.mark.parametrize("seed", range(10))
def test_average_precision_is_the_area_of_the_precision_recall_curve(seed):
    relevant = np.random.default_rng(seed).random(200) < 0.1
    relevant[-1] = True
    assert average_precision(np.flatnonzero(relevant)) == pytest.approx(
        _area_of_curve(relevant), abs=1e-12
    )


def test_precision_at_by_hand():
    positions = [0, 2, 3, 7]
    precisions = precision_at(positions, [1, 2, 4, 5, 8])
    np.testing.assert_allclose(precisions, [1, 1 / 2, 3 / 4, 3 / 5, 1 / 2])


def test_precision_is_not_taken_beyond_the_last_positive():
    np.testing.assert_array_equal(precision_at([0, 1], [1, 5, 10]), [1, 1, 1])
    np.testing.assert_array_equal(precision_at([1], [1, 5]), [0, 1 / 2])


def test_means_leave_out_queries_without_positives():
    positions = [[0], [], [1]]
    assert np.isnan(average_precision([]))
    assert mean_average_precision(positions) == pytest.approx((1 + 1 / 4) / 2)
    np.testing.assert_allclose(
        mean_precision_at(positions, [1, 5]), [1 / 2, (1 + 1 / 2) / 2]
    )


def test_means_of_nothing_are_nan():
    assert np.isnan(mean_average_precision([[], []]))
    assert np.isnan(mean_precision_at([], [1, 5])).tolist() == [True, True]


def test_remove_junk_moves_positions_up():
    moved = remove_junk([1, 4, 9], junk_positions=[8, 0, 2, 10])
    np.testing.assert_array_equal(moved, [0, 2, 6])
    np.testing.assert_array_equal(remove_junk([1, 4], []), [1, 4])


@pytest.mark.parametrize("positions", [[-1, 2], [3, 3], [0.5], [[0, 1]]])
def test_impossible_positions_are_refused(positions):
    with pytest.raises(ValueError, match="positions must be .*Received"):
        average_precision(positions)


@pytest.mark.parametrize("ks", [[0], [1.5], 5])
def test_impossible_ks_are_refused(ks):
    with pytest.raises(ValueError, match="ks must be .*Received"):
        precision_at([0], ks)
