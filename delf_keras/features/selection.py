"""Which cells of the pyramid become local features."""

import numpy as np
import tensorflow as tf


def select(scores, boxes, max_features, score_threshold, iou_threshold):
    """Selects the cells of highest attention score.

    Args:
        scores: float32 tensor `[batch, cells]`.
        boxes: float32 tensor `[cells, 4]`, receptive fields as
            `[ymin, xmin, ymax, xmax]`.
        max_features: int or scalar tensor. Features to keep of an image.
        score_threshold: float or scalar tensor. Cells below it are dropped.
        iou_threshold: float. Of two receptive fields that overlap by more
            than this (intersection over union), only the one of higher
            score is kept; 1.0 keeps both.

    Returns:
        A pair of tensors: int32 `[batch, K]`, the selected cells of each
        image by falling score, and int32 `[batch]`, how many of the K are
        valid; the rest repeat cells and must be ignored.
    """
    count = tf.minimum(max_features, tf.shape(scores)[1])
    if iou_threshold >= 1.0:
        values, cells = tf.math.top_k(scores, count)
        valid = tf.reduce_sum(tf.cast(values >= score_threshold, tf.int32), 1)
        return cells, valid
    below = _number_below(tf.convert_to_tensor(score_threshold, tf.float32))
    return tf.map_fn(
        lambda row: tf.image.non_max_suppression_padded(
            boxes,
            row,
            count,
            iou_threshold,
            below,
            pad_to_max_output_size=True,
        ),
        scores,
        fn_output_signature=(
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([], tf.int32),
        ),
    )


def _number_below(threshold):
    """Returns the threshold for an operation that drops what is equal to it."""
    # Next to zero comes a number that operations may take for zero.
    return tf.minimum(
        tf.math.nextafter(threshold, -float("inf")),
        threshold - np.finfo(np.float32).tiny,
    )
