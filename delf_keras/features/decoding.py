"""Decoding of photographs, the one way in which pixels enter.

Photographs are decoded as they are stored: an EXIF orientation is not
applied, here or anywhere else, so that locations always refer to the stored
pixels, as do the boxes of the published benchmarks. Alpha is dropped, grey is
repeated, 16-bit samples keep their high byte, and an animation gives its
first frame.
"""

from pathlib import Path

import tensorflow as tf

# A photograph with a shorter side than this has nothing to retrieve.
MIN_SIDE = 10


class ImageError(ValueError):
    """A photograph that cannot be used, and why."""


def decode_image(contents):
    """Decodes JPEG, PNG, WebP, GIF or BMP inside a TensorFlow graph.

    Args:
        contents: string scalar tensor. The bytes of a file.

    Returns:
        uint8 tensor `[height, width, 3]`, RGB. A JPEG is decoded bit for bit
        as libjpeg's accurate integer method does it, and so as Pillow does.
    """
    pixels = tf.cond(
        tf.io.is_jpeg(contents),
        lambda: tf.io.decode_jpeg(
            contents, channels=3, dct_method="INTEGER_ACCURATE"
        ),
        lambda: tf.io.decode_image(
            contents, channels=3, expand_animations=False
        ),
    )
    pixels.set_shape([None, None, 3])
    return pixels


_decode = tf.function(
    decode_image, input_signature=[tf.TensorSpec([], tf.string)]
)


def read_image(path):
    """Reads a photograph from a file.

    Args:
        path: str or `Path`.

    Returns:
        uint8 array `[height, width, 3]`, RGB.

    Raises:
        ImageError: if the file cannot be read or decoded, or the photograph
            is too small.
    """
    try:
        contents = Path(path).read_bytes()
    except OSError as error:
        raise ImageError(
            f"The photograph cannot be read. Received: {path} "
            f"({error.strerror})"
        ) from error
    if not contents:
        raise ImageError(f"The photograph is empty. Received: {path}")
    try:
        image = _decode(contents).numpy()
    except tf.errors.OpError as error:
        raise ImageError(
            "A photograph is a JPEG, PNG, WebP, GIF or BMP file that is whole. "
            f"Received: {path} ({_reason(error)})"
        ) from error
    check_image(image, path)
    return image


def _reason(error):
    """Returns what TensorFlow says of a file, without its graph's traceback."""
    return error.message.split("\n")[0].split("[[")[0].strip().rstrip(".")


def check_image(image, name="array"):
    """Refuses what is not an RGB photograph.

    Args:
        image: array.
        name: What to call it in an error.

    Raises:
        ImageError: if it is not `[height, width, 3]` uint8 with both sides of
            at least `MIN_SIDE` pixels.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != "uint8":
        raise ImageError(
            "A photograph is a uint8 array [height, width, 3]. Received: "
            f"{name} with shape={image.shape}, dtype={image.dtype}"
        )
    if min(image.shape[:2]) < MIN_SIDE:
        height, width = image.shape[:2]
        raise ImageError(
            f"A photograph has at least {MIN_SIDE} pixels on each side. "
            f"Received: {name} with {width}x{height} pixels"
        )
