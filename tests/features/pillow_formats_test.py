"""Formats that TensorFlow does not know are decoded by Pillow."""

import io
import sys

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps, features

from delf_keras.features.decoding import ImageError, decode_photograph
from delf_keras.features.pillow_formats import for_tensorflow, pillow_format

HEIGHT, WIDTH = 48, 64
FORMATS = {
    "TIFF": {},
    "AVIF": {},
    "JPEG2000": {},
    "WEBP": {"save_all": True, "append_images": [Image.new("RGB", (64, 48))]},
}


@pytest.fixture(scope="module")
def rgb(make_photograph):
    return Image.fromarray(make_photograph(HEIGHT, WIDTH))


def encode(image, image_format, **options):
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def encode_heic(image, **options):
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file, quality=90, **options)
    return file.getvalue()


def make_exif(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_as_pillow_decodes_it(rgb, image_format, mode):
    contents = encode(rgb.convert(mode), image_format, **FORMATS[image_format])
    with Image.open(io.BytesIO(contents)) as image:
        expected = np.asarray(image.convert("RGB"))

    assert pillow_format(contents) == image_format
    received = decode_photograph(contents, "it")
    assert received.dtype == np.uint8
    np.testing.assert_array_equal(received, expected)


@pytest.mark.parametrize("image_format", ["TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(rgb, image_format, orientation):
    contents = encode(rgb, image_format, exif=make_exif(orientation))
    stored = decode_photograph(contents, "it", upright=False)
    upright = decode_photograph(contents, "it")

    assert stored.shape == (HEIGHT, WIDTH, 3)
    jpeg = encode(Image.fromarray(stored), "PNG", exif=make_exif(orientation))
    with Image.open(io.BytesIO(jpeg)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(upright, expected)


@pytest.mark.parametrize("orientation", [1, 6])
def test_heic(rgb, orientation):
    contents = encode_heic(rgb, exif=make_exif(orientation).tobytes())
    expected = rgb if orientation == 1 else rgb.rotate(-90, expand=True)
    received = decode_photograph(contents, "it").astype(int)

    assert pillow_format(contents) == "HEIF"
    assert np.abs(received - np.asarray(expected)).mean() < 8


def test_bmp_of_few_colors(rgb):
    contents = encode(rgb.convert("1"), "BMP")

    assert pillow_format(contents) == "BMP"
    received = decode_photograph(contents, "it")
    np.testing.assert_array_equal(received, rgb.convert("1").convert("RGB"))


def test_16_bits_keep_their_high_byte():
    samples = np.random.default_rng(0).integers(0, 2**16, (20, 30), np.uint16)
    contents = cv2.imencode(".tiff", samples)[1].tobytes()
    received = decode_photograph(contents, "it")

    np.testing.assert_array_equal(received[..., 1], samples >> 8)


def test_samples_without_bounds():
    contents = encode(Image.new("F", (20, 20)), "TIFF")
    with pytest.raises(ImageError, match=r"it \(samples of 32 bits, mode F"):
        decode_photograph(contents, "it")


@pytest.mark.parametrize("image_format", [*FORMATS, "HEIF"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_truncated_file(rgb, image_format, kept):
    if image_format == "HEIF":
        contents = encode_heic(rgb)
    else:
        contents = encode(rgb, image_format, **FORMATS[image_format])
    with pytest.raises(ImageError, match="is whole. Received: it") as error:
        decode_photograph(contents[: int(kept * len(contents))], "it")
    assert "\n" not in str(error.value)


def test_what_a_build_lacks(rgb, monkeypatch):
    """It says what to install, and not that the file is damaged."""
    heic = encode_heic(rgb)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImageError, match=r'pip install "delf-keras\[heif\]"'):
        decode_photograph(heic, "it")
    monkeypatch.setattr(features, "check", lambda name: name != "jpg_2000")
    monkeypatch.setattr(Image, "open", lambda *args, **options: 1 / 0)
    with pytest.raises(ImageError, match="JPEG2000 needs .*upgrade pillow"):
        decode_photograph(encode(rgb, "JPEG2000"), "it")


def test_for_tensorflow(rgb):
    """What trains and what serves decodes in a graph."""
    jpeg, tiff = encode(rgb, "JPEG"), encode(rgb, "TIFF")

    assert for_tensorflow(jpeg) == jpeg
    received = tf.io.decode_image(for_tensorflow(tiff)).numpy()
    np.testing.assert_array_equal(received, rgb)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_others_are_left_to_tensorflow(rgb, image_format):
    contents = encode(rgb.convert("L"), image_format, exif=make_exif(6))
    assert pillow_format(contents) is None
