"""Precision and recall over all queries, by hand and by scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve

from delf_keras.evaluation import (
    PrecisionRecall,
    best_per_landmark,
    global_average_precision,
    precision_recall_over_queries,
)

NAN = float("nan")


def random_set(seed, levels=None):
    """Scores and relevance of queries; few levels of the score make ties."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 40, 25)
    scores, relevant = [], []
    for query, length in enumerate(lengths):
        # Every third query is a distractor.
        flags = rng.random(length) < (0.3 if query % 3 else 0)
        values = rng.normal(flags, 1)
        if levels:
            values = np.round(values * levels) / levels
        scores.append(values)
        relevant.append(flags)
    return scores, relevant


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("levels", [None, 4, 1])
def test_curve_is_that_of_scikit_learn(seed, levels):
    scores, relevant = random_set(seed, levels)
    all_scores, all_relevant = np.concatenate(scores), np.concatenate(relevant)
    curve = precision_recall_over_queries(
        scores, relevant, int(all_relevant.sum())
    )
    precision, recall, thresholds = precision_recall_curve(
        all_relevant, all_scores
    )
    # scikit-learn goes the other way, to an end where nothing is retrieved.
    np.testing.assert_array_equal(curve.thresholds, thresholds[::-1])
    np.testing.assert_allclose(
        curve.precision, precision[-2::-1], rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(curve.recall, recall[-2::-1], rtol=0, atol=1e-12)
    assert curve.average_precision == pytest.approx(
        average_precision_score(all_relevant, all_scores), abs=1e-12
    )


@pytest.mark.parametrize("levels", [None, 2])
def test_what_is_never_returned_lowers_recall_alone(levels):
    scores, relevant = random_set(0, levels)
    all_scores, all_relevant = np.concatenate(scores), np.concatenate(relevant)
    found = int(all_relevant.sum())
    curve = precision_recall_over_queries(scores, relevant, 2 * found)
    whole = precision_recall_over_queries(scores, relevant, found)
    np.testing.assert_array_equal(curve.precision, whole.precision)
    np.testing.assert_allclose(curve.recall, whole.recall / 2)
    assert curve.average_precision == pytest.approx(
        average_precision_score(all_relevant, all_scores) / 2, abs=1e-12
    )


@pytest.mark.parametrize("seed", range(3))
def test_curve_follows_the_sums_of_the_paper(seed):
    scores, relevant = random_set(seed, levels=3)
    curve = precision_recall_over_queries(scores, relevant, 1000)
    pairs = list(zip(scores, relevant, strict=True))
    for index, threshold in enumerate(curve.thresholds):
        retrieved = sum((s >= threshold).sum() for s, _ in pairs)
        true = sum(((s >= threshold) & r).sum() for s, r in pairs)
        assert curve.num_retrieved[index] == retrieved
        assert curve.num_true_positives[index] == true
        assert curve.precision[index] == true / retrieved


def test_curve_by_hand():
    curve = precision_recall_over_queries(
        # The second query is a distractor.
        [[9, 7, 5], [8, 5], []],
        [[True, False, True], [False, False], []],
        num_relevant=4,
    )
    np.testing.assert_array_equal(curve.thresholds, [9, 8, 7, 5])
    np.testing.assert_array_equal(curve.num_retrieved, [1, 2, 3, 5])
    np.testing.assert_array_equal(curve.num_true_positives, [1, 1, 1, 2])
    np.testing.assert_allclose(curve.precision, [1, 1 / 2, 1 / 3, 2 / 5])
    np.testing.assert_allclose(curve.recall, [1 / 4, 1 / 4, 1 / 4, 2 / 4])
    assert curve.average_precision == pytest.approx((1 + 2 / 5) / 4)


def test_order_does_not_matter():
    scores, relevant = random_set(1, levels=1)
    curve = precision_recall_over_queries(scores, relevant, 500)
    turned = precision_recall_over_queries(
        [each[::-1] for each in scores[::-1]],
        [each[::-1] for each in relevant[::-1]],
        500,
    )
    np.testing.assert_array_equal(turned.precision, curve.precision)
    np.testing.assert_array_equal(turned.thresholds, curve.thresholds)


def test_distractor_queries_lower_precision_alone():
    queries = [[0.9, 0.5]], [[True, True]]
    without = precision_recall_over_queries(*queries, 2)
    assert without.average_precision == 1
    curve = precision_recall_over_queries(
        [*queries[0], [0.7, 0.1]], [*queries[1], [False, False]], 2
    )
    np.testing.assert_allclose(curve.precision, [1, 1 / 2, 2 / 3, 2 / 4])
    np.testing.assert_allclose(curve.recall, [1 / 2, 1 / 2, 1, 1])
    assert curve.average_precision == pytest.approx((1 + 2 / 3) / 2)


def test_junk_counts_neither_way():
    curve = precision_recall_over_queries(
        [[4, 3, 2], [3]],
        [[False, True, False], [False]],
        1,
        junk=[[True, False, True], [False]],
    )
    np.testing.assert_array_equal(curve.thresholds, [3])
    np.testing.assert_array_equal(curve.num_retrieved, [2])
    assert curve.average_precision == 1 / 2


def test_nothing_retrieved():
    curve = precision_recall_over_queries([[], []], [[], []], 3)
    assert len(curve.thresholds) == len(curve.precision) == 0
    assert curve.average_precision == 0


def test_nothing_relevant():
    curve = precision_recall_over_queries([[2, 1]], [[False, False]], 0)
    np.testing.assert_array_equal(curve.precision, [0, 0])
    np.testing.assert_array_equal(curve.recall, [NAN, NAN])
    assert np.isnan(curve.average_precision)
    empty = precision_recall_over_queries([], [], 0)
    assert isinstance(empty, PrecisionRecall)
    assert np.isnan(empty.average_precision)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0]], [], 1), "relevant must have an array for each of 1"),
        (([[1.0, 2]], [[True]], 1), "relevant must be bool vectors"),
        (([[1.0]], [[1]], 1), "relevant must be bool vectors"),
        (([[[1.0]]], [[[True]]], 1), "relevant must be bool vectors"),
        (([[1.0]], [[True]], 1, []), "junk must have an array"),
        (([[1.0]], [[True]], 1, [[False, True]]), "junk must be bool"),
        (([[1.0]], [[True]], 1, [[True]]), "both relevant and junk"),
        (([[1, NAN]], [[True, False]], 1), "scores must be numbers"),
        (([[1.0]], [[False]], -1), "num_relevant must be a whole number"),
        (([[2.0, 1.0]], [[True, True]], 1), "at least the 2 that were found"),
        (([[1.0]], [[True]], 1.5), "num_relevant must be a whole number"),
    ],
)
def test_impossible_sets_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"{message}.*Received: "):
        precision_recall_over_queries(*arguments)


def test_best_per_landmark():
    kept = best_per_landmark([3, 9, 5, 9, 4], ["a", "b", "a", "b", "c"])
    np.testing.assert_array_equal(kept, [1, 2, 4])
    assert len(best_per_landmark([], [])) == 0
    with pytest.raises(ValueError, match="of one length. Received: "):
        best_per_landmark([1, 2], ["a"])


def walked(confidences, correct, num_queries):
    """The GAP by its definition, one prediction after the other."""
    predictions = [
        pair
        for pair in zip(confidences, correct, strict=True)
        if not np.isnan(pair[0])
    ]
    total = right = 0
    for place, (_, is_right) in enumerate(sorted(predictions)[::-1], start=1):
        right += is_right
        total += is_right * right / place
    return total / num_queries


@pytest.mark.parametrize("seed", range(5))
def test_global_average_precision_by_definition(seed):
    rng = np.random.default_rng(seed)
    confidences = np.where(rng.random(300) < 0.2, NAN, rng.random(300))
    correct = rng.random(300) < 0.4
    gap = global_average_precision(confidences, correct, 250)
    assert gap == pytest.approx(walked(confidences, correct, 250), abs=1e-12)
    predicted = ~np.isnan(confidences)
    correct &= predicted
    assert gap == pytest.approx(
        average_precision_score(correct[predicted], confidences[predicted])
        * correct.sum()
        / 250,
        abs=1e-12,
    )


def test_global_average_precision_by_hand():
    # The third query shows no landmark, the fourth has no prediction.
    gap = global_average_precision(
        [0.9, 0.2, 0.6, NAN], [True, True, False, False], 3
    )
    assert gap == pytest.approx((1 + 2 / 3) / 3)


def test_confident_predictions_of_distractors_cost_most():
    correct = [True, True, False]
    low = global_average_precision([0.9, 0.8, 0.1], correct, 2)
    high = global_average_precision([0.9, 0.8, 0.95], correct, 2)
    assert low == 1
    assert high == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_equal_confidences_have_no_order():
    assert global_average_precision([0.5, 0.5], [True, False], 1) == 1 / 2
    assert global_average_precision([0.5, 0.5], [False, True], 1) == 1 / 2


def test_global_average_precision_of_nothing():
    assert global_average_precision([NAN, NAN], [False, True], 2) == 0
    assert np.isnan(global_average_precision([0.5], [False], 0))
    assert np.isnan(global_average_precision([], [], 0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.5], [True, False], 2), "correct must be bool vectors"),
        (([0.5], [1.0], 2), "correct must be bool vectors"),
        (([0.5], [True], 0), "num_queries_with_landmark must be a whole"),
        (([0.5], [False], -1), "num_queries_with_landmark must be a whole"),
    ],
)
def test_impossible_predictions_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"{message}.*Received: "):
        global_average_precision(*arguments)
