"""The photographs of a data set, read and decoded."""

from delf_keras.features.decoding import decode_photograph, reading


def load_photograph(images, index):
    """Reads and decodes a photograph, whatever file it lies in.

    Args:
        images: `LabelledImages`.
        index: int.

    Returns:
        A pair: the bytes as they lie there, and the pixels, uint8 array
        `[height, width, 3]`, RGB.

    Raises:
        ImageError: if it cannot be read or decoded, or is too small.
        OSError: if the system fails.
    """
    name = images.name(index)
    with reading(name):
        contents = images.read(index)
    return contents, decode_photograph(contents, name)
