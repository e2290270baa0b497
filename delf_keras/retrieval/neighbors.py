"""Nearest descriptors, and what they are known by."""

from dataclasses import dataclass

import numpy as np

# faiss and Milvus know a descriptor by one 64-bit integer.
_KEYPOINT_BITS = 20


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The nearest descriptors of each query descriptor.

    Attributes:
        distances: float32 `[N, K]`, squared, rising along each row.
        images: int64 `[N, K]`, the image of each, -1 where there is none.
        keys: int64 `[N, K]`, what the index knows it by; see `pack_keys`.
    """

    distances: np.ndarray
    images: np.ndarray
    keys: np.ndarray

    @classmethod
    def from_keys(cls, distances, keys):
        """Tells images from keys; see `pack_keys`."""
        # A shift keeps the sign: the key -1 is of the image -1.
        return cls(distances, keys >> _KEYPOINT_BITS, keys)

    @property
    def keypoints(self):
        """Which of the image's features each is, int64 `[N, K]`."""
        return self.keys & ((1 << _KEYPOINT_BITS) - 1)


def pack_keys(images, keypoints):
    """Makes one integer of an image and of which of its features it is.

    Args:
        images: int64 `[N]`, not negative.
        keypoints: int64 `[N]`, less than 2^20.

    Returns:
        int64 `[N]`.
    """
    return (np.asarray(images, np.int64) << _KEYPOINT_BITS) | keypoints


def keys_of_images(images, offsets):
    """Returns the keys of all features of images.

    Args:
        images: int64 `[M]`, numbers of images.
        offsets: int64 `[M + 1]`. Image `i` has the rows `offsets[i]` to
            `offsets[i + 1]`.

    Returns:
        int64 `[N]`, a key for each row.
    """
    counts = np.diff(offsets)
    keypoints = np.arange(counts.sum()) - np.repeat(offsets[:-1], counts)
    return pack_keys(np.repeat(images, counts), keypoints)


def nearest_of_parts(parts, neighbors):
    """Merges what searches of parts of a database found.

    Args:
        parts: list of `Neighbors` of the same query descriptors.
        neighbors: int. How many to keep for each.

    Returns:
        `Neighbors`.
    """
    if len(parts) == 1:
        return parts[0]
    distances, images, keys = (
        np.concatenate([getattr(part, name) for part in parts], axis=1)
        for name in ("distances", "images", "keys")
    )
    distances = np.where(images < 0, np.inf, distances)
    order = np.argsort(distances, axis=1, kind="stable")[:, :neighbors]
    return Neighbors(
        *(
            np.take_along_axis(array, order, axis=1)
            for array in (distances, images, keys)
        )
    )
