"""Aggregated residuals of visual words, the vectors that ASMK compares."""

from dataclasses import dataclass

import faiss
import numpy as np

# faiss' k-means takes at most this many training points a centroid.
_POINTS_PER_WORD = 256
_ITERATIONS = 20


@dataclass(frozen=True, eq=False)
class Aggregates:
    """One vector for each visual word that occurs in each image.

    Attributes:
        words: int64 `[M]`, rising within an image.
        images: int64 `[M]`, the image of each vector, rising.
        residuals: float32 `[M, D]` of unit length, or, binarised, uint8
            `[M, ceil(D / 64) * 8]` of bits, one for every positive component.
    """

    words: np.ndarray
    images: np.ndarray
    residuals: np.ndarray

    def __len__(self):
        return len(self.words)


class Words:
    """The visual words of a codebook.

    Args:
        centroids: float32 `[K, D]`.
        quantizer: A faiss index of them; an exact one if not given.
        owner: What the quantizer is a part of, and ends with.

    Attributes:
        centroids: float32 `[K, D]`.
    """

    def __init__(self, centroids, quantizer=None, owner=None):
        if quantizer is None:
            quantizer = faiss.IndexFlatL2(centroids.shape[1])
            quantizer.add(centroids)
        self.centroids = centroids
        self._quantizer = quantizer
        self._owner = owner

    def __len__(self):
        return len(self.centroids)

    def assign(self, descriptors, count=1):
        """Finds the nearest words of descriptors.

        Args:
            descriptors: float32 `[N, D]`.
            count: int. Words of each, at most as many as there are.

        Returns:
            int64 `[N, count]`, nearest first.
        """
        return self.nearest(descriptors, count)[1]

    def nearest(self, descriptors, count):
        """Finds the nearest words of descriptors, and how near they are.

        Args:
            descriptors: See `assign`.
            count: See `assign`.

        Returns:
            A pair of float32 `[N, count]`, squared distances, and what
            `assign` returns.
        """
        return self._quantizer.search(
            np.ascontiguousarray(descriptors, np.float32),
            min(count, len(self)),
        )


def train_codebook(descriptors, num_words, seed=0):
    """Clusters descriptors into visual words by k-means.

    Args:
        descriptors: float32 `[N, D]`, at least `num_words` of them.
        num_words: int.
        seed: int. Of the sample of descriptors and of the first centroids.

    Returns:
        float32 `[num_words, D]`.

    Raises:
        ValueError: if there are fewer descriptors than words.
    """
    count, dimension = descriptors.shape
    if not 1 <= num_words <= count:
        raise ValueError(
            "A codebook has at least one word and at most as many as there "
            f"are descriptors. Received: num_words={num_words}, {count} "
            "descriptors"
        )
    kmeans = faiss.Kmeans(
        dimension,
        num_words,
        niter=_ITERATIONS,
        seed=seed,
        min_points_per_centroid=1,
        max_points_per_centroid=_POINTS_PER_WORD,
    )
    kmeans.train(np.ascontiguousarray(descriptors, np.float32))
    return kmeans.centroids


def aggregate(descriptors, images, centroids, words, binary=True):
    """Sums, for each image and word, the residuals of its descriptors.

    A descriptor adds its difference from the centroid of each of its nearest
    words. The sums are brought to unit length, or reduced to the signs of
    their components.

    Args:
        descriptors: float32 `[N, D]`.
        images: int `[N]`, the image of each descriptor.
        centroids: float32 `[K, D]`, of the words.
        words: int64 `[N, A]`, the nearest words of each descriptor.
        binary: bool. Whether to keep signs only.

    Returns:
        `Aggregates`.

    Reference:
        Tolias et al., "To aggregate or not to aggregate", ICCV 2013,
        equations 10 (aggregation) and 13 (signs).
    """
    rows = np.repeat(np.arange(len(descriptors)), words.shape[1])
    words = words.ravel()
    key = np.asarray(images)[rows] * len(centroids) + words
    order = np.argsort(key, kind="stable")
    rows, words, key = rows[order], words[order], key[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    if not len(starts):
        sums = np.zeros((0, centroids.shape[1]), np.float32)
    else:
        sums = np.add.reduceat(descriptors[rows] - centroids[words], starts)
    return Aggregates(
        words=words[starts],
        images=key[starts] // len(centroids),
        residuals=pack_signs(sums) if binary else _unit(sums),
    )


def pack_signs(vectors):
    """Packs the signs of vectors, a bit each, into whole 64-bit words.

    Args:
        vectors: float32 `[M, D]`.

    Returns:
        uint8 `[M, ceil(D / 64) * 8]`.
    """
    bits = np.packbits(vectors > 0, axis=1)
    return np.pad(bits, ((0, 0), (0, -bits.shape[1] % 8)))


def _unit(vectors):
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
    return vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
