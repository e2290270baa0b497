"""The photographs of a data set, read and decoded."""

from delf_keras.features.decoding import ImageError, decode_photograph


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
    """
    name = images.name(index)
    try:
        contents = images.read(index)
    except OSError as error:
        raise ImageError(
            f"The photograph cannot be read. Received: {name} "
            f"({error.strerror})"
        ) from error
    return contents, decode_photograph(contents, name)
