"""Selection of cells: by score, threshold and non-maximum suppression."""

import numpy as np
import pytest
import tensorflow as tf

from delf_keras.features.selection import select


def run(scores, boxes=None, count=10, threshold=0.0, iou=1.0):
    scores = np.atleast_2d(np.asarray(scores, np.float32))
    if boxes is None:
        boxes = np.zeros((scores.shape[1], 4))
    cells, valid = select(
        tf.constant(scores),
        tf.constant(boxes, tf.float32),
        count,
        threshold,
        iou,
    )
    assert cells.shape == (len(scores), min(count, scores.shape[1]))
    assert cells.dtype == valid.dtype == tf.int32
    return [
        row[:n].tolist()
        for row, n in zip(cells.numpy(), valid.numpy(), strict=True)
    ]


def random_boxes(count, seed=0):
    rng = np.random.default_rng(seed)
    first = rng.uniform(-20, 20, (count, 2))
    return np.concatenate([first, first + rng.uniform(20, 60, (count, 2))], 1)


def overlap(a, b):
    """Intersection over union of a box with boxes."""
    sides = np.minimum(a[2:], b[:, 2:]) - np.maximum(a[:2], b[:, :2])
    intersection = np.prod(np.maximum(sides, 0), axis=1)
    area = np.prod(a[2:] - a[:2]) + np.prod(b[:, 2:] - b[:, :2], axis=1)
    return intersection / (area - intersection)


def reference_nms(scores, boxes, count, threshold, iou):
    """Keeps a box unless a better one that was kept overlaps it."""
    kept = []
    for cell in np.argsort(-scores, kind="stable"):
        if len(kept) == count or scores[cell] < threshold:
            break
        if not kept or overlap(boxes[cell], boxes[kept]).max() <= iou:
            kept.append(int(cell))
    return kept


def test_highest_scores_come_first():
    scores = np.random.default_rng(0).uniform(0, 1, (3, 50))
    expected = np.argsort(-scores, axis=1)[:, :10]
    np.testing.assert_array_equal(run(scores), expected)


def test_fewer_cells_than_asked_for():
    assert run([3, 1, 2]) == [[0, 2, 1]]


@pytest.mark.parametrize("iou", [1.0, 0.9])
def test_threshold_keeps_what_is_equal_to_it(iou):
    boxes = 100 * np.arange(5)[:, None] + [0, 0, 10, 10]
    scores = [[0.5, 2, 1, 0.99, 3], [0, 0, 0, 0, 0]]

    assert run(scores, boxes, threshold=1.0, iou=iou) == [[4, 1, 2], []]
    assert run(scores, boxes, threshold=0.0, iou=iou)[1] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("iou", [1.0, 0.9])
def test_ties_keep_their_order(iou):
    boxes = 100 * np.arange(6)[:, None] + [0, 0, 10, 10]
    assert run([1, 2, 1, 2, 2, 1], boxes, 4, iou=iou) == [[1, 3, 4, 0]]


@pytest.mark.parametrize("iou", [0.1, 0.3, 0.6, 0.9])
@pytest.mark.parametrize(("count", "threshold"), [(200, 0.0), (30, 0.4)])
def test_equals_plain_suppression(iou, count, threshold):
    scores = np.random.default_rng(1).uniform(0, 1, (2, 200))
    scores = scores.astype(np.float32)
    boxes = random_boxes(200).astype(np.float32)
    expected = [
        reference_nms(row, boxes, count, threshold, iou) for row in scores
    ]

    assert run(scores, boxes, count, threshold, iou) == expected
    assert len(expected[0]) < 200


def test_overlap_of_one_is_no_suppression():
    assert run([1, 3, 2], np.tile([0, 0, 10, 10], (3, 1))) == [[1, 2, 0]]


def test_limits_may_be_tensors():
    """As a server that takes them with each request gives them."""
    for iou in (1.0, 0.9):
        boxes = 100 * np.arange(4)[:, None] + [0, 0, 10, 10]
        cells, valid = select(
            tf.constant([[1.0, 4.0, 2.0, 3.0]]),
            tf.constant(boxes, tf.float32),
            tf.constant(3),
            tf.constant(2.5),
            iou,
        )
        assert list(cells.numpy()[0, : valid[0]]) == [1, 3]
