"""The EXIF orientation of a photograph, read and applied in a TensorFlow graph.

A camera that is held upright stores what its sensor sees, lying on its side,
and says so in a tag. It is read where cameras and Pillow write it: the first
"Exif" segment of a JPEG, the "eXIf" chunk of a PNG before its pixels, and the
"EXIF" chunk of a WebP. XMP is not looked at.
"""

import tensorflow as tf

from delf_keras.features.image_headers import PNG, has, number

_TAG = 0x0112
_SHORT = 3
# Parts of a file that are looked at. A JPEG has its EXIF in the first or
# second; profiles and XMP make dozens.
_MAX_PARTS = 256
# Bytes that tell what the next part is, and its size.
_PART_HEADER = 8
_PREFIX = b"Exif\0\0"


def read_orientation(contents):
    """Reads the EXIF orientation of a photograph.

    Args:
        contents: string scalar tensor. The bytes of a file, of any content.

    Returns:
        int32 scalar tensor, 1 to 8; 1, which is upright, where a file has
        none or one that cannot be read.
    """
    exif = tf.case(
        [
            (has(contents, 0, b"\xff\xd8\xff"), lambda: _jpeg_exif(contents)),
            (has(contents, 0, PNG), lambda: _png_exif(contents)),
            (has(contents, 8, "WEBP"), lambda: _webp_exif(contents)),
        ],
        default=lambda: "",
    )
    return tf.case(
        [
            (has(exif, 0, b"II*\0"), lambda: _tag_of(exif, True)),
            (has(exif, 0, b"MM\0*"), lambda: _tag_of(exif, False)),
        ],
        default=lambda: 1,
    )


def turn_upright(image, orientation):
    """Turns the pixels of a photograph as its EXIF orientation says.

    Args:
        image: tensor `[height, width, channels]`.
        orientation: int32 scalar tensor, 1 to 8.

    Returns:
        Tensor of the same type, with height and width exchanged from 5 on.
    """

    def turned():
        swapped = tf.cond(
            orientation >= 5,
            lambda: _transposed(image),
            lambda: image,
        )
        mirrored = tf.cond(
            _is_one_of(orientation, (2, 3, 6, 7)),
            lambda: tf.reverse(swapped, [1]),
            lambda: swapped,
        )
        return tf.cond(
            _is_one_of(orientation, (3, 4, 7, 8)),
            lambda: tf.reverse(mirrored, [0]),
            lambda: mirrored,
        )

    return tf.cond(orientation == 1, lambda: image, turned)


def _transposed(image):
    # Of uint8, `tf.transpose` makes oneDNN complain on many processors.
    height, width = tf.unstack(tf.shape(image)[:2])
    pixels = tf.range(height) * width + tf.range(width)[:, None]
    return tf.gather(tf.reshape(image, [-1, image.shape[2]]), pixels)


def _is_one_of(orientation, values):
    return tf.reduce_any(orientation == tf.constant(values))


def _jpeg_exif(contents):
    """Returns the EXIF of a JPEG, empty if it has none."""

    def part(position, end):
        marker = number(contents, position, tf.uint16, little_endian=False)
        size = number(contents, position + 2, tf.uint16, little_endian=False)
        size = tf.cast(size, tf.int32)
        following = position + 2 + size
        # Markers may be filled up with such bytes.
        following = tf.where(marker == 0xFFFF, position + 1, following)
        # The pixels, and what is no marker.
        is_last = (marker == 0xFFDA) | (marker < 0xFFC0)
        following = tf.where(is_last, end, following)
        is_exif = (marker == 0xFFE1) & has(contents, position + 4, _PREFIX)
        return following, is_exif, position + 10, size - 8

    return _find(contents, 2, part)


def _png_exif(contents):
    """Returns the EXIF of a PNG, empty if it has none before its pixels."""

    def part(position, end):
        size = number(contents, position, tf.int32, little_endian=False)
        size = _within(size, end - position)
        is_last = has(contents, position + 4, "IDAT")
        following = tf.where(is_last, end, position + 12 + size)
        is_exif = has(contents, position + 4, "eXIf")
        return following, is_exif, position + 8, size

    return _find(contents, 8, part)


def _webp_exif(contents):
    """Returns the EXIF of a WebP, empty if it has none."""

    def part(position, end):
        size = number(contents, position + 4, tf.int32)
        size = _within(size, end - position)
        # Chunks are filled up to an even size.
        following = position + 8 + size + size % 2
        # Some writers leave the prefix that it has in a JPEG.
        prefix = has(contents, position + 8, _PREFIX)
        prefix = len(_PREFIX) * tf.cast(prefix, tf.int32)
        is_exif = has(contents, position, "EXIF")
        return following, is_exif, position + 8 + prefix, size - prefix

    return _find(contents, 12, part)


def _within(size, rest):
    """Bounds a size, of which one of 2 GiB and more is read as negative."""
    return tf.where((size < 0) | (size > rest), rest, size)


def _find(contents, start, part):
    """Goes through the parts of a file until one is EXIF, and returns that.

    Args:
        contents: string scalar tensor.
        start: int. Where the first part is.
        part: Function of the positions of a part and of the end of the file.
            It returns the position of the next part, whether this one is
            EXIF, and the position and the size of what it holds.
    """
    end = tf.strings.length(contents)

    def is_unfinished(position, found):
        return (position + _PART_HEADER <= end) & (found == "")

    def step(position, found):
        following, is_exif, first, size = part(position, end)
        return following, tf.cond(
            is_exif & (size > 0) & (first < end),
            lambda: tf.strings.substr(contents, first, size),
            lambda: found,
        )

    _, found = tf.while_loop(
        is_unfinished,
        step,
        (tf.constant(start), tf.constant("")),
        maximum_iterations=_MAX_PARTS,
    )
    return found


def _tag_of(exif, little_endian):
    """Returns the orientation that the first directory of a TIFF has."""
    length = tf.strings.length(exif)

    def entries():
        first = number(exif, 4, tf.int32, little_endian)
        return tf.cond(
            (first >= 8) & (first <= length - 2),
            lambda: _tag_among(exif, first, length, little_endian),
            lambda: 1,
        )

    return tf.cond(length >= 8, entries, lambda: 1)


def _tag_among(exif, first, length, little_endian):
    """Looks for the tag among the entries, of 12 bytes each."""
    count = tf.cast(number(exif, first, tf.uint16, little_endian), tf.int32)
    count = tf.minimum(count, (length - first - 2) // 12)
    entries = tf.strings.substr(exif, first + 2, 12 * count)
    words = tf.io.decode_raw(entries, tf.uint16, little_endian)
    words = tf.cast(tf.reshape(words, [-1, 6]), tf.int32)
    is_tag = (words[:, 0] == _TAG) & (words[:, 1] == _SHORT)
    values = tf.boolean_mask(words[:, 4], is_tag)
    value = tf.concat([values, [1]], 0)[0]
    return tf.where((value >= 1) & (value <= 8), value, 1)
