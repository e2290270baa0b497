"""EXIF orientations, found where files have them, and in no other place.

What they do to pixels is in `decoding_test`.
"""

import io
import struct

import pytest
import tensorflow as tf
from PIL import Image

from delf_keras.features.orientation import read_orientation


@pytest.fixture(scope="module")
def read():
    """A function of the bytes of a file, run as a graph."""
    graph = tf.function(
        read_orientation, input_signature=[tf.TensorSpec([], tf.string)]
    )
    return lambda contents: int(graph(contents))


def make_exif(orientation=6, endian="<"):
    """EXIF with a tag before the orientation, and one after it."""
    exif = Image.Exif()
    exif.endian = endian
    exif[0x010F] = "a maker"
    exif[0x0112] = orientation
    exif[0x0131] = "a program"
    return exif


def encoded(image_format, exif, **options):
    file = io.BytesIO()
    image = Image.new("RGB", (20, 10))
    image.save(file, image_format, exif=exif, **options)
    return file.getvalue()


def segment(marker, content):
    return b"\xff" + marker + struct.pack(">H", len(content) + 2) + content


JPEG = encoded("JPEG", make_exif())


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("endian", "<>")
def test_byte_orders(read, image_format, endian):
    for orientation in (1, 6, 8):
        exif = make_exif(orientation, endian)
        assert read(encoded(image_format, exif)) == orientation


def test_segments_before_it(read):
    """Profiles, comments and XMP, which is an APP1 too; and filling."""
    before = segment(b"\xe2", bytes(60_000)) * 20 + segment(b"\xfe", b"Exif")
    xmp = segment(b"\xe1", b"http://ns.adobe.com/xap/1.0/\0")
    contents = JPEG[:2] + before + b"\xff\xff" + xmp + JPEG[2:]

    assert read(contents) == 6


def test_only_before_the_pixels(read):
    assert read(JPEG[:2] + segment(b"\xda", b"scan") + JPEG[2:]) == 1
    assert read(JPEG[:2] + b"junk" + JPEG[2:]) == 1


def test_webp_with_the_prefix_of_a_jpeg(read):
    exif = b"Exif\0\0" + make_exif().tobytes().removeprefix(b"Exif\0\0")
    assert read(encoded("WEBP", exif)) == 6


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientations_that_are_none(read, orientation):
    assert read(encoded("JPEG", make_exif(orientation))) == 1


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_wherever_a_file_is_cut_off(read, image_format):
    """That it is damaged is said when it is decoded."""
    contents = encoded(image_format, make_exif())
    for length in range(len(contents)):
        assert read(contents[:length]) in (1, 6)


def test_directories_that_lead_nowhere(read):
    start = JPEG.index(b"II*\0")
    for offset in (0, 7, 60_000, 2**31 - 1, 2**32 - 1):
        exif = JPEG[:start] + b"II*\0" + struct.pack("<I", offset)
        assert read(exif + JPEG[start + 8 :]) == 1
    entries = start + 8
    many = JPEG[:entries] + b"\xff\xff" + JPEG[entries + 2 :]
    assert read(many) == 6


@pytest.mark.parametrize("size", [0, 2**31 - 1, 2**31, 2**32 - 1])
def test_chunks_of_impossible_sizes(read, size):
    png = encoded("PNG", make_exif())
    assert read(png[:8] + struct.pack(">I", size) + png[12:]) == 1
    webp = encoded("WEBP", make_exif())
    assert read(webp[:16] + struct.pack("<I", size) + webp[20:]) == 1
