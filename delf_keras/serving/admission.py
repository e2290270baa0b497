"""Which photographs a served model takes, decided inside its graph."""

from dataclasses import dataclass

import tensorflow as tf

from delf_keras.features.decoding import MIN_SIDE, decode_image
from delf_keras.features.image_headers import header_size
from delf_keras.serving import contract


@dataclass(frozen=True)
class Limits:
    """What protects a server from photographs that would fill its memory.

    Attributes:
        max_image_bytes: Bytes of a file.
        max_pixels: Height times width, read from the header of a file before
            it is decoded.
    """

    max_image_bytes: int = 32 * 2**20
    max_pixels: int = 50_000_000

    def __post_init__(self):
        if min(self.max_image_bytes, self.max_pixels) < 1:
            raise ValueError(f"Limits must be positive. Received: {self}")


def admit_file(contents, limits, options):
    """Decodes a photograph, or says why it is not taken.

    Args:
        contents: string scalar tensor. The bytes of a file.
        limits: `Limits`.
        options: `ExtractionOptions`.

    Returns:
        A pair of tensors: uint8 `[height, width, 3]`, RGB, empty where it was
        not decoded, and a string scalar, one of `contract.STATUSES`.
    """

    def decode(contents):
        return tf.cond(
            tf.reduce_prod(header_size(contents)) > limits.max_pixels,
            lambda: (_nothing(), tf.constant(contract.TOO_LARGE)),
            lambda: _decoded(contents, limits, options),
        )

    return tf.cond(
        tf.strings.length(contents) > limits.max_image_bytes,
        lambda: (_nothing(), tf.constant(contract.TOO_LARGE)),
        lambda: _unless_it_fails(
            decode, contents, (_nothing(), tf.constant(contract.CORRUPT))
        ),
    )


def _unless_it_fails(function, argument, otherwise):
    """Returns what a function returns, or something else if it has an error.

    A graph cannot catch the error of an operation, but a data set can leave
    out the element that has one.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    results = tf.data.Dataset.from_tensors(argument).map(function)
    results = results.ignore_errors()
    results = results.concatenate(tf.data.Dataset.from_tensors(otherwise))
    # A reduction of the data set would cost milliseconds.
    return results.take(1).with_options(options).get_single_element()


def admit_size(size, limits, max_image_size):
    """Returns the status of a photograph of a size, a string scalar tensor.

    Args:
        size: int32 tensor `[2]`. Height and width in pixels.
        limits: `Limits`.
        max_image_size: int. See `ExtractionOptions`.
    """
    sides = tf.cast(size, tf.float64)
    shorter, longer = tf.reduce_min(sides), tf.reduce_max(sides)
    if max_image_size:
        shorter *= tf.minimum(max_image_size / longer, 1.0)
    return tf.case(
        [
            (shorter < MIN_SIDE, lambda: tf.constant(contract.TOO_SMALL)),
            (
                tf.reduce_prod(sides) > limits.max_pixels,
                lambda: tf.constant(contract.TOO_LARGE),
            ),
        ],
        default=lambda: tf.constant(contract.OK),
    )


def _decoded(contents, limits, options):
    # What has no header that could be read is not decoded either.
    known = tf.reduce_all(header_size(contents) > 0)
    with tf.control_dependencies([tf.debugging.Assert(known, ["no header"])]):
        image = decode_image(tf.identity(contents), options.upright)
    status = admit_size(tf.shape(image)[:2], limits, options.max_image_size)
    return image, status


def _nothing():
    return tf.ensure_shape(tf.zeros([0, 0, 3], tf.uint8), [None, None, 3])
