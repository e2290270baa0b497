"""Photographs that a served model takes, and why it takes no others."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from delf_keras.features.decoding import decode_photograph
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.serving.admission import Limits, admit_file, admit_size

LIMITS = Limits(max_image_bytes=50_000, max_pixels=400 * 300)
OPTIONS = ExtractionOptions(max_image_size=100)


@pytest.fixture(scope="module")
def admit():
    """A function of the bytes of a file, run as a graph."""
    graph = tf.function(
        lambda contents: admit_file(contents, LIMITS, OPTIONS),
        input_signature=[tf.TensorSpec([], tf.string)],
    )

    def admit(contents):
        image, status = graph(contents)
        return image.numpy(), status.numpy().decode()

    return admit


def encoded(image, image_format="JPEG", **options):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, image_format, **options)
    return buffer.getvalue()


def png_header(width, height):
    """The start of a PNG file that claims a size, without pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checksum = zlib.crc32(b"IHDR" + header)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + b"IHDR"
        + header
        + struct.pack(">I", checksum)
    )


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "BMP", "WEBP"])
def test_ok(admit, make_photograph, image_format):
    contents = encoded(make_photograph(90, 120), image_format)
    image, status = admit(contents)

    assert status == "ok"
    np.testing.assert_array_equal(image, decode_photograph(contents, "it"))


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "I;16"])
def test_other_colours(admit, make_photograph, mode):
    image = Image.fromarray(make_photograph(60, 80))
    if mode == "I;16":
        grey = np.asarray(image.convert("L"), np.uint16) * 257
        contents = encoded(grey, "PNG")
    else:
        buffer = io.BytesIO()
        image.convert(mode).save(buffer, "JPEG" if mode == "CMYK" else "PNG")
        contents = buffer.getvalue()
    image, status = admit(contents)

    assert status == "ok" and image.shape == (60, 80, 3)


def test_corrupt(admit, make_photograph):
    jpeg = encoded(make_photograph(90, 120))
    gif = encoded(make_photograph(90, 120), "GIF")
    for contents in (
        b"",
        b"no photograph",
        jpeg[:200],
        jpeg[: len(jpeg) // 2],
        png_header(90, 120),
        # TensorFlow decodes all frames of a GIF, which no header bounds.
        gif,
    ):
        image, status = admit(contents)
        assert (status, image.size) == ("corrupt", 0), contents[:20]


@pytest.mark.parametrize(
    "size",
    [
        (9, 30),
        (30, 9),
        # 9.5 pixels when the longer side is shrunk to 100.
        (19, 200),
    ],
)
def test_too_small(admit, make_photograph, size):
    contents = encoded(make_photograph(*size), "PNG")
    assert admit(contents)[1] == "too_small"
    assert admit(encoded(make_photograph(20, 200), "PNG"))[1] == "ok"


def test_too_many_pixels(admit, make_photograph):
    """A bomb is not decoded: this one would be corrupt if it were."""
    for contents in (
        encoded(np.zeros((300, 401, 3), np.uint8)),
        png_header(60_000, 60_000),
        png_header(2**31 - 1, 2**31 - 1),
    ):
        image, status = admit(contents)
        assert (status, image.size) == ("too_large", 0)
    assert admit(encoded(make_photograph(300, 400)))[1] == "ok"


def test_too_many_bytes(admit, make_photograph):
    contents = encoded(make_photograph(60, 80))
    padded = contents + bytes(50_000 - len(contents))

    assert admit(padded)[1] == "ok"
    assert admit(padded + b"\0")[1] == "too_large"


@pytest.mark.parametrize(
    ("size", "limit", "status"),
    [
        ((300, 400), 100, "ok"),
        ((300, 401), 100, "too_large"),
        ((9, 400), 0, "too_small"),
        ((10, 400), 0, "ok"),
        ((10, 400), 100, "too_small"),
    ],
)
def test_size_of_pixels(size, limit, status):
    received = admit_size(tf.constant(size), LIMITS, limit)
    assert received.numpy().decode() == status


def test_wrong_limits():
    with pytest.raises(ValueError, match="must be positive.*max_pixels=0"):
        Limits(max_pixels=0)
