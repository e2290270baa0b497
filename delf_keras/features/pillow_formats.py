"""Photographs that TensorFlow cannot decode, and Pillow can.

TIFF, JPEG 2000, AVIF, HEIC, the first frame of an animated WebP, and a BMP
that is compressed or of fewer than 256 colors.
"""

import importlib.util
import io

import numpy as np
from PIL import ExifTags, Image, ImageOps, features

# Starts of files. What follows "ftyp" is the brand.
_STARTS = {
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "JPEG2000": (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
}
_AVIF = (b"avif", b"avis")
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
# What a build of Pillow may lack.
_FEATURES = {
    "AVIF": "avif",
    "JPEG2000": "jpg_2000",
    "TIFF": "libtiff",
    "WEBP": "webp",
}
# Modes of 16 bits a sample, and of more.
_WIDE = ("I;16", "I;16L", "I;16B", "I;16N")
_UNBOUNDED = ("I", "F")


def pillow_format(contents):
    """Returns what Pillow calls the format of a file that it decodes.

    Args:
        contents: bytes of the file.

    Returns:
        str, or None for a file that is left to TensorFlow.
    """
    for name, starts in _STARTS.items():
        if contents.startswith(starts):
            return name
    if contents[4:8] == b"ftyp":
        return _format_of_brands(contents)
    if contents[8:16] == b"WEBPVP8X" and contents[20:21] > b"\x01":
        return "WEBP" if contents[20] & 2 else None
    if contents.startswith(b"BM"):
        return "BMP" if _is_unusual_bmp(contents) else None
    return None


def _format_of_brands(contents):
    brand, others = contents[8:12], contents[16:64]
    # The last two are of any such file.
    if brand in _AVIF or (brand in _HEIF[-2:] and _AVIF[0] in others):
        return "AVIF"
    return "HEIF" if brand in _HEIF else None


def _is_unusual_bmp(contents):
    bits, compression = contents[28:30], contents[30:34]
    run_lengths = b"\1\0\0\0", b"\2\0\0\0"
    return bits not in (b"\x08\0", b"\x18\0", b" \0") or (
        compression in run_lengths
    )


def decode_with_pillow(contents, image_format, upright=True):
    """Decodes a photograph.

    Args:
        contents: bytes of the file.
        image_format: str. See `pillow_format`.
        upright: bool. Whether to turn it as its EXIF orientation says. A HEIC
            always is.

    Returns:
        uint8 array `[height, width, 3]`, RGB.

    Raises:
        ValueError: if it cannot be decoded, or says which package would.
    """
    try:
        with _opened(contents, image_format) as image:
            if not upright:
                # Before it is loaded: a TIFF is turned by that.
                image.getexif()[ExifTags.Base.Orientation] = 1
            return _rgb(ImageOps.exif_transpose(image))
    # Pillow and its plugins have a dozen exceptions for a damaged file.
    except Exception as error:
        raise ValueError(_remedy(image_format) or str(error)) from error


def _opened(contents, image_format):
    file = io.BytesIO(contents)
    if image_format == "HEIF":
        import pillow_heif

        return pillow_heif.open_heif(file).to_pillow()
    return Image.open(file, formats=[image_format])


def _remedy(image_format):
    """Returns what is to be installed to read a format, if it is missing."""
    if image_format == "HEIF":
        missing = importlib.util.find_spec("pillow_heif") is None
        return missing and 'HEIC needs pip install "delf-keras[heif]"'
    if features.check(_FEATURES.get(image_format, "jpg")):
        return None
    return (
        f"{image_format} needs a build of Pillow that has it: "
        "pip install --upgrade pillow"
    )


def _rgb(image):
    """Returns the pixels; samples of 16 bits keep their high byte."""
    if image.mode in _UNBOUNDED:
        raise ValueError(f"samples of 32 bits, mode {image.mode}")
    if image.mode in _WIDE:
        high = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(high[..., None], 3, axis=2)
    return np.array(image.convert("RGB"))


def for_tensorflow(contents, upright=True):
    """Returns a photograph in a format that TensorFlow decodes.

    Args:
        contents: bytes of a file.
        upright: bool. See `decode_with_pillow`.

    Returns:
        bytes: the same, or a PNG of what only Pillow decodes.

    Raises:
        ValueError: if Pillow cannot decode it.
    """
    image_format = pillow_format(contents)
    if image_format is None:
        return contents
    image = decode_with_pillow(contents, image_format, upright)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    return file.getvalue()
