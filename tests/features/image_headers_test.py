"""Sizes of images, read from their first bytes."""

import io
import struct

import pytest
import tensorflow as tf
from PIL import Image

from delf_keras.features.image_headers import header_size

HEIGHT, WIDTH = 301, 517


@pytest.fixture(scope="module")
def size_of():
    """A function of the bytes of a file, run as a graph."""
    graph = tf.function(
        header_size, input_signature=[tf.TensorSpec([], tf.string)]
    )
    return lambda contents: tuple(graph(contents).numpy())


def encoded(image_format, **options):
    buffer = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), "teal").save(
        buffer, image_format, **options
    )
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("image_format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("BMP", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        # Metadata make a file with a chunk of its own for the canvas.
        ("WEBP", {"exif": b"Exif\0\0"}),
    ],
)
def test_size(size_of, image_format, options):
    assert size_of(encoded(image_format, **options)) == (HEIGHT, WIDTH)


def test_rows_from_the_top(size_of):
    bottom_up = encoded("BMP")
    top_down = bottom_up[:22] + struct.pack("<i", -HEIGHT) + bottom_up[26:]

    assert size_of(top_down) == (HEIGHT, WIDTH)


def test_largest_lossless_webp(size_of):
    """Its size has its highest bits set."""
    start = encoded("WEBP", lossless=True)[:21]
    bits = (2**14 - 1) << 14 | (2**14 - 1)

    assert size_of(start + struct.pack("<I", bits)) == (2**14, 2**14)


@pytest.mark.parametrize(
    "contents", [b"", b"text", encoded("GIF"), encoded("TIFF"), b"RIFF"]
)
def test_no_size(size_of, contents):
    assert size_of(contents) == (0, 0)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "BMP", "WEBP"])
def test_header_cut_off(size_of, image_format):
    with pytest.raises(tf.errors.OpError):
        size_of(encoded(image_format)[:18])
