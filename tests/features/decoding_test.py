"""Photographs are decoded as Pillow decodes them, or refused with a reason."""

import errno
import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from delf_keras.features.decoding import (
    ImageError,
    check_image,
    decode_image,
    decode_photograph,
    read_image,
)


@pytest.fixture(scope="module")
def rgb(make_photograph):
    return Image.fromarray(make_photograph(61, 83))


@pytest.fixture(scope="module")
def rgba(make_photograph):
    alpha = make_photograph(61, 83, seed=1)[..., :1]
    return Image.fromarray(np.concatenate([make_photograph(61, 83), alpha], 2))


def encode(image, *args, **options):
    file = io.BytesIO()
    image.save(file, *args, **options)
    return file.getvalue()


def read(folder, contents, name="photograph"):
    path = folder / name
    path.write_bytes(contents)
    return read_image(path)


def pillow(contents):
    with Image.open(io.BytesIO(contents)) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"quality": 95, "subsampling": "4:4:4"},
        {"subsampling": "4:2:2"},
        {"quality": 20, "subsampling": "4:2:0"},
        {"progressive": True},
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpeg_bit_for_bit(tmp_path, rgb, mode, options):
    contents = encode(rgb.convert(mode), "JPEG", **options)
    image = read(tmp_path, contents)

    assert image.dtype == np.uint8 and image.shape == (61, 83, 3)
    np.testing.assert_array_equal(image, pillow(contents))


@pytest.mark.parametrize("ycck", [False, True])
def test_cmyk_jpeg(tmp_path, rgba, ycck):
    """Within the one grey level by which the conversions round differently."""
    cmyk = Image.frombytes("CMYK", rgba.size, rgba.tobytes())
    contents = encode(cmyk, "JPEG", quality=95)
    marker = b"Adobe\x00\x64\x00\x00\x00\x00"
    assert marker + b"\x00" in contents
    if ycck:
        contents = contents.replace(marker + b"\x00", marker + b"\x02")
    image = read(tmp_path, contents).astype(int)

    assert np.abs(image - pillow(contents)).max() <= 1
    assert image.std() > 20


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_photographs_are_turned_upright(tmp_path, rgb, name, orientation):
    """Or kept as they are stored, where that is asked for."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    contents = encode(rgb, name, exif=exif, lossless=True)
    with Image.open(io.BytesIO(contents)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))

    np.testing.assert_array_equal(read(tmp_path, contents), expected)
    np.testing.assert_array_equal(
        decode_photograph(contents, "it", upright=False), pillow(contents)
    )


FORMATS = {
    "png": lambda rgb, rgba: encode(rgb, "PNG"),
    "png_grey": lambda rgb, rgba: encode(rgb.convert("L"), "PNG"),
    "png_grey_alpha": lambda rgb, rgba: encode(rgba.convert("LA"), "PNG"),
    "png_black_white": lambda rgb, rgba: encode(rgb.convert("1"), "PNG"),
    "png_palette": lambda rgb, rgba: encode(rgb.quantize(40), "PNG"),
    "png_rgba": lambda rgb, rgba: encode(rgba, "PNG"),
    "webp_lossless": lambda rgb, rgba: encode(rgb, "WEBP", lossless=True),
    "webp_lossy": lambda rgb, rgba: encode(rgb, "WEBP", quality=80),
    "webp_lossless_rgba": lambda rgb, rgba: encode(
        rgba, "WEBP", lossless=True, exact=True
    ),
    "webp_lossy_rgba": lambda rgb, rgba: encode(rgba, "WEBP", quality=80),
    "gif": lambda rgb, rgba: encode(rgb.quantize(200), "GIF"),
    "gif_grey": lambda rgb, rgba: encode(rgb.convert("L"), "GIF"),
    "gif_animated": lambda rgb, rgba: encode(
        rgb.quantize(200),
        "GIF",
        save_all=True,
        append_images=[rgb.rotate(180).quantize(200)],
    ),
    "bmp": lambda rgb, rgba: encode(rgb, "BMP"),
    "bmp_grey": lambda rgb, rgba: encode(rgb.convert("L"), "BMP"),
    "bmp_palette": lambda rgb, rgba: encode(rgb.quantize(40), "BMP"),
    "bmp_rgba": lambda rgb, rgba: encode(rgba, "BMP"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_other_formats_equal_pillow(tmp_path, rgb, rgba, name):
    contents = FORMATS[name](rgb, rgba)
    image = read(tmp_path, contents)

    assert image.dtype == np.uint8 and image.shape == (61, 83, 3)
    np.testing.assert_array_equal(image, pillow(contents))


@pytest.mark.parametrize("shape", [(61, 83), (61, 83, 3)])
def test_16_bit_png_keeps_its_high_byte(tmp_path, shape):
    samples = np.random.default_rng(0).integers(0, 2**16, shape, np.uint16)
    image = read(tmp_path, cv2.imencode(".png", samples)[1].tobytes())

    expected = (samples >> 8).astype(np.uint8)
    if expected.ndim == 2:
        expected = np.repeat(expected[..., None], 3, axis=2)
    else:
        expected = expected[..., ::-1]
    np.testing.assert_array_equal(image, expected)


def interlaced_png(pixels):
    """Writes RGB pixels in the seven passes of Adam7."""

    def chunk(name, data):
        checksum = zlib.crc32(name + data)
        return (
            struct.pack(">I", len(data))
            + name
            + data
            + struct.pack(">I", checksum)
        )

    passes = [
        pixels[0::8, 0::8],
        pixels[0::8, 4::8],
        pixels[4::8, 0::4],
        pixels[0::4, 2::4],
        pixels[2::4, 0::2],
        pixels[0::2, 1::2],
        pixels[1::2, :],
    ]
    rows = b"".join(b"\0" + row.tobytes() for part in passes for row in part)
    height, width, _ = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_interlaced_png(tmp_path, rgb):
    contents = interlaced_png(np.asarray(rgb))

    np.testing.assert_array_equal(pillow(contents), rgb)
    np.testing.assert_array_equal(read(tmp_path, contents), rgb)


def test_animated_webp(tmp_path, rgb, rgba):
    """In a graph it is refused: TensorFlow writes beyond its memory."""
    for image in (rgb, rgba):
        contents = encode(
            image, "WEBP", save_all=True, append_images=[image.rotate(180)]
        )
        np.testing.assert_array_equal(
            read(tmp_path, contents), pillow(contents)
        )
        with pytest.raises(tf.errors.OpError, match="Animation|channels"):
            tf.function(decode_image)(tf.constant(contents))


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
@pytest.mark.parametrize("kept", [0.01, 0.1, 0.5, 0.98])
def test_truncated_file(tmp_path, rgb, name, kept):
    contents = encode(rgb, name)
    with pytest.raises(ImageError) as error:
        read(tmp_path, contents[: int(kept * len(contents))])

    message = str(error.value)
    assert "is whole. Received: " in message and "photograph (" in message
    # One line, with TensorFlow's reason and without its traceback.
    assert "\n" not in message and "Graph execution" not in message


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (b"<html>404</html>", r"Unknown image file format"),
        (b"x", r"Unknown image file format"),
        (b"\xff\xd8\xff" + b"not a photograph" * 9, "Invalid JPEG data"),
        (b"\x89PNG\r\n\x1a\n" + b"not a photograph" * 9, "Invalid PNG"),
        (b"RIFF\x00\x00\x00\x00WEBP", r"\(.*\)$"),
        (b"BM", r"\(.*\)$"),
        (b"", "The photograph is empty"),
    ],
)
def test_what_is_no_photograph(tmp_path, contents, reason):
    with pytest.raises(ImageError, match=reason) as error:
        read(tmp_path, contents, "text.jpg")
    assert str(tmp_path / "text.jpg") in str(error.value)


def test_corrupt_png(tmp_path, rgb):
    contents = bytearray(encode(rgb, "PNG"))
    contents[len(contents) // 2] ^= 0xFF
    with pytest.raises(ImageError, match="Received: .*Invalid PNG data"):
        read(tmp_path, bytes(contents))


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied")])
def test_unreadable_file(tmp_path, monkeypatch, error):
    (tmp_path / "a.jpg").touch()

    def fail(path):
        raise error

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(
        ImageError, match=r"cannot be read. Received: .*a.jpg \(Permission"
    ):
        read_image(tmp_path / "a.jpg")


def test_system_that_fails_is_no_photograph(tmp_path, monkeypatch):
    """It would be skipped, and so would all that follow."""
    (tmp_path / "a.jpg").touch()

    def fail(path):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(OSError, match="Too many open files: .*a.jpg"):
        read_image(tmp_path / "a.jpg")


def test_folder_and_missing_file(tmp_path):
    with pytest.raises(ImageError, match=f"Received: {tmp_path} .Not a reg"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match=r"a.jpg \(No such file"):
        read_image(str(tmp_path / "a.jpg"))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    for path in (tmp_path / "a.jpg", "/dev/zero"):
        with pytest.raises(ImageError, match=f"{path} .Not a regular file"):
            read_image(path)


@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (5, 5000), (5000, 5), (9, 10), (10, 9)]
)
def test_too_small(tmp_path, width, height):
    contents = encode(Image.new("RGB", (width, height)), "PNG")
    with pytest.raises(
        ImageError,
        match=f"at least 10 pixels .*photograph with {width}x{height} pixels",
    ):
        read(tmp_path, contents)


def test_smallest(tmp_path):
    contents = encode(Image.new("RGB", (10, 10)), "PNG")
    assert read(tmp_path, contents).shape == (10, 10, 3)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((20, 30, 3), "float32"),
        ((20, 30, 3), "int64"),
        ((20, 30), "uint8"),
        ((20, 30, 1), "uint8"),
        ((20, 30, 4), "uint8"),
        ((1, 20, 30, 3), "uint8"),
    ],
)
def test_array_that_is_no_photograph(shape, dtype):
    with pytest.raises(ImageError) as error:
        check_image(np.zeros(shape, dtype))
    assert f"Received: array with shape={shape}, dtype={dtype}" in str(
        error.value
    )


def test_array_that_is_one():
    check_image(np.zeros((10, 30, 3), np.uint8))


def test_photograph_in_memory(tmp_path, rgb):
    """The same pixels and reasons as of a file, under a name of its own."""
    contents = encode(rgb, "PNG")
    np.testing.assert_array_equal(
        decode_photograph(contents, "a"), read(tmp_path, contents)
    )
    for bad, reason in (
        (b"", "is empty"),
        (contents[:100], "that is whole"),
        (encode(rgb.crop((0, 0, 40, 9)), "PNG"), "at least 10 pixels"),
    ):
        with pytest.raises(ImageError, match=f"{reason}.*shard@17"):
            decode_photograph(bad, "shard@17")
