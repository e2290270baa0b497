"""Decoding of photographs, the one way in which pixels enter.

Photographs are turned upright as their EXIF orientation says, so that all
locations and sizes are those of the upright photograph, unless it is asked for
the stored pixels. Alpha is dropped, grey is repeated, 16-bit samples keep
their high byte, and an animation gives its first frame. What TensorFlow cannot
decode is decoded by Pillow, except in a graph.
"""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

import tensorflow as tf

from delf_keras.features.image_headers import has, number
from delf_keras.features.orientation import read_orientation, turn_upright
from delf_keras.features.pillow_formats import (
    decode_with_pillow,
    pillow_format,
)
from delf_keras.features.tracing import graph_function
from delf_keras.forking import use_tensorflow
from delf_keras.photograph_files import check_regular
from delf_keras.system_errors import is_of_one_file

# A photograph with a shorter side than this has nothing to retrieve.
MIN_SIDE = 10


class ImageError(ValueError):
    """A photograph that cannot be used, and why."""


@dataclass(frozen=True, eq=False)
class EncodedPhotograph:
    """A photograph whose file is in memory.

    Attributes:
        name: str. What to call it in an error.
        contents: bytes of the file.

    Raises:
        ImageError: if it is empty.
    """

    name: str
    contents: bytes = field(repr=False)

    def __post_init__(self):
        if not self.contents:
            raise ImageError(f"The photograph is empty. Received: {self}")

    def __str__(self):
        return self.name

    @classmethod
    def of(cls, photograph):
        """Returns that of a path, of bytes, or of one itself.

        Raises:
            ImageError: if the file cannot be read, or is empty.
        """
        if isinstance(photograph, cls):
            return photograph
        if isinstance(photograph, bytes):
            return cls("bytes", photograph)
        return cls(str(photograph), read_photograph_file(photograph))


def decode_image(contents, upright=True):
    """Decodes JPEG, PNG, WebP, GIF or BMP inside a TensorFlow graph.

    Args:
        contents: string scalar tensor. The bytes of a file.
        upright: bool, or bool scalar tensor. Whether to turn the photograph
            as its EXIF orientation says.

    Returns:
        uint8 tensor `[height, width, 3]`, RGB. A JPEG is decoded bit for bit
        as libjpeg's accurate integer method does it, and so as Pillow does.
    """
    pixels = tf.case(
        [
            (tf.io.is_jpeg(contents), lambda: _decode_jpeg(contents)),
            (has(contents, 8, "WEBP"), lambda: _decode_webp(contents)),
            (_is_indexed_bmp(contents), lambda: _decode_indexed_bmp(contents)),
        ],
        default=lambda: _decode_other(contents),
    )
    pixels.set_shape([None, None, 3])
    return tf.cond(
        tf.convert_to_tensor(upright),
        lambda: turn_upright(pixels, read_orientation(contents)),
        lambda: pixels,
    )


def _decode_jpeg(contents):
    return tf.io.decode_jpeg(
        contents, channels=3, dct_method="INTEGER_ACCURATE"
    )


def _decode_other(contents):
    return tf.io.decode_image(contents, channels=3, expand_animations=False)


def _decode_webp(contents):
    # TensorFlow drops the alpha of a WebP only when it is free to choose the
    # channels. Free, it writes beyond its buffer when it meets an animation;
    # asked for three channels it refuses one.
    animated = tf.cond(
        has(contents, 12, "VP8X"),
        lambda: number(contents, 20, tf.uint8) & 2 > 0,
        lambda: False,
    )
    return tf.cond(
        animated,
        lambda: _decode_other(contents),
        lambda: tf.io.decode_image(contents, expand_animations=False)[..., :3],
    )


def _is_indexed_bmp(contents):
    return tf.cond(
        has(contents, 0, "BM"),
        lambda: number(contents, 28, tf.uint16) == 8,
        lambda: False,
    )


def _decode_indexed_bmp(contents):
    # TensorFlow gives indices into the palette, which ends where they start.
    start = 14 + number(contents, 14, tf.int32)
    end = number(contents, 10, tf.int32)
    palette = tf.io.decode_raw(
        tf.strings.substr(contents, start, end - start), tf.uint8
    )
    colours = tf.reshape(palette, [-1, 4])[:, 2::-1]
    indices = _decode_other(contents)[..., 0]
    return tf.gather(colours, tf.cast(indices, tf.int32))


# Traced here, since threads that meet in a first call would each trace it.
_decode = graph_function(
    decode_image,
    input_signature=[tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.bool)],
).get_concrete_function()


def read_image(path, upright=True):
    """Reads a photograph from a file.

    Args:
        path: str or `Path`.
        upright: bool. See `decode_image`.

    Returns:
        uint8 array `[height, width, 3]`, RGB.

    Raises:
        ImageError: if the file cannot be read or decoded, or the photograph
            is too small.
    """
    return decode_photograph(read_photograph_file(path), path, upright)


def read_photograph_file(path):
    """Reads the bytes of a photograph.

    Args:
        path: str or `Path`.

    Returns:
        bytes, at least one.

    Raises:
        ImageError: if the file cannot be read, or is empty.
        OSError: if the system fails, as where too many files are open.
    """
    with reading(path):
        check_regular(path)
        contents = Path(path).read_bytes()
    if not contents:
        raise ImageError(f"The photograph is empty. Received: {path}")
    return contents


@contextlib.contextmanager
def reading(name):
    """Has what the system says of the file of a photograph be `ImageError`.

    Args:
        name: What to call it in an error.

    Raises:
        ImageError: if the file cannot be read.
        OSError: if the system fails, as where too many files are open.
    """
    try:
        yield
    except OSError as error:
        if not is_of_one_file(error):
            # Reading, unlike opening, does not tell which file it was.
            error.filename = error.filename or str(name)
            raise
        raise ImageError(
            f"The photograph cannot be read. Received: {name} "
            f"({error.strerror})"
        ) from error


def decode_photograph(contents, name, upright=True):
    """Decodes a photograph that is in memory.

    Args:
        contents: bytes of a file.
        name: What to call it in an error.
        upright: bool. See `decode_image`.

    Returns:
        uint8 array `[height, width, 3]`, RGB.

    Raises:
        ImageError: if it cannot be decoded, or is too small.
    """
    if not contents:
        raise ImageError(f"The photograph is empty. Received: {name}")
    image_format = pillow_format(contents)
    use_tensorflow()
    try:
        if image_format is None:
            image = _decode(tf.constant(contents), tf.constant(upright)).numpy()
        else:
            image = decode_with_pillow(contents, image_format, upright)
    except (tf.errors.OpError, ValueError) as error:
        raise ImageError(
            "A photograph is a JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC, AVIF or "
            "JPEG 2000 file that is whole. "
            f"Received: {name} ({_reason(error)})"
        ) from error
    check_image(image, name)
    return image


def _reason(error):
    """Returns what is said of a file, without the traceback of a graph."""
    message = str(getattr(error, "message", error))
    return message.split("[[")[0].strip().split("\n")[-1].rstrip(".")


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
