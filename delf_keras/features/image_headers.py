"""What the first bytes of an image file say, read in a TensorFlow graph."""

import tensorflow as tf

PNG = b"\x89PNG\r\n\x1a\n"


def header_size(contents):
    """Reads the size of an image without decoding it.

    A few kilobytes can decode to gigabytes, but the header tells beforehand.

    Args:
        contents: string scalar tensor. The bytes of a file.

    Returns:
        int64 tensor `[2]`, height and width in pixels as they are stored,
        which an EXIF orientation may exchange; zeros for what is no JPEG, PNG,
        BMP or WebP. A header that is cut off is an error of the
        operation, as it is where the image is decoded. A GIF counts as none
        of these: its header says nothing of the number of its frames, which
        TensorFlow decodes all.
    """
    return tf.case(
        [
            (tf.io.is_jpeg(contents), lambda: _jpeg_size(contents)),
            (has(contents, 0, PNG), lambda: _png_size(contents)),
            (has(contents, 0, "BM"), lambda: _bmp_size(contents)),
            (has(contents, 8, "WEBP"), lambda: _webp_size(contents)),
        ],
        default=lambda: tf.zeros([2], tf.int64),
    )


def has(contents, position, text):
    """Whether `text` is at a position of a file, False beyond its end."""
    end = position + len(text)
    return tf.cond(
        tf.strings.length(contents) >= end,
        lambda: tf.strings.substr(contents, position, len(text)) == text,
        lambda: False,
    )


def number(contents, position, dtype, little_endian=True):
    """Reads a number of a file."""
    part = tf.strings.substr(contents, position, dtype.size)
    return tf.io.decode_raw(part, dtype, little_endian)[0]


def _size(height, width):
    return tf.cast(tf.stack([height, width]), tf.int64)


def _jpeg_size(contents):
    return tf.cast(tf.io.extract_jpeg_shape(contents)[:2], tf.int64)


def _png_size(contents):
    return _size(
        number(contents, 20, tf.int32, little_endian=False),
        number(contents, 16, tf.int32, little_endian=False),
    )


def _bmp_size(contents):
    # Rows from the top on have a negative height.
    return _size(
        tf.abs(number(contents, 22, tf.int32)), number(contents, 18, tf.int32)
    )


def _webp_size(contents):
    """Size of the canvas, wherever the first chunk of the file keeps it."""
    return tf.case(
        [
            (has(contents, 12, "VP8 "), lambda: _vp8_size(contents)),
            (has(contents, 12, "VP8L"), lambda: _vp8l_size(contents)),
            (has(contents, 12, "VP8X"), lambda: _vp8x_size(contents)),
        ],
        default=lambda: tf.zeros([2], tf.int64),
    )


def _vp8_size(contents):
    # The two highest bits are a scale for display.
    return _size(
        number(contents, 28, tf.uint16) % 2**14,
        number(contents, 26, tf.uint16) % 2**14,
    )


def _vp8l_size(contents):
    # 14 bits of width less one, then 14 bits of height less one.
    bits = number(contents, 21, tf.int32)
    return _size(bits // 2**14 % 2**14 + 1, bits % 2**14 + 1)


def _vp8x_size(contents):
    # Numbers of 24 bits, of which the last four bytes are read together.
    width = number(contents, 24, tf.int32) % 2**24
    height = number(contents, 26, tf.int32) // 2**8 % 2**24
    return _size(height + 1, width + 1)
