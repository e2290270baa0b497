"""ASMK: selective match kernels over aggregated residuals, inverted."""

from dataclasses import dataclass

import numpy as np

from delf_keras.retrieval.aggregation import aggregate
from delf_keras.retrieval.array_folder import load_arrays, save_arrays

_WORDS = 65_536
# With fewer descriptors to a word, most images have none of another's words.
_DESCRIPTORS_PER_WORD = 128
# But with few words, any two images have them all.
_FEW_WORDS = 256
_FEWEST_DESCRIPTORS_PER_WORD = 4
_ARRAYS = ("codebook", "offsets", "images", "residuals", "num_words")


@dataclass(frozen=True)
class AsmkOptions:
    """How images are compared by the words that they share.

    Attributes:
        num_words: Words of the codebook; None for one for every 128
            descriptors, and between 256 and 65,536.
        binary: Whether residuals are reduced to signs: ASMK*, a bit for each
            dimension of a descriptor, and not ASMK, two bytes.
        query_assignments: Nearest words of a query descriptor.
        alpha: Power of the similarity of two words' residuals.
        threshold: Similarity that counts as nothing.
    """

    num_words: int | None = None
    binary: bool = False
    query_assignments: int = 10
    alpha: float = 1.0
    threshold: float = 0.0

    def __post_init__(self):
        positive = ("query_assignments", "alpha", "num_words")
        for name in positive:
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(
                    f"{name} must be positive. Received: {name}={value}"
                )
        if not 0 <= self.threshold < 1:
            raise ValueError(
                "threshold must be in [0, 1). "
                f"Received: threshold={self.threshold}"
            )


def choose_words(num_descriptors):
    """Chooses the size of a codebook for a number of descriptors."""
    few = min(_FEW_WORDS, num_descriptors // _FEWEST_DESCRIPTORS_PER_WORD)
    words = max(few, num_descriptors // _DESCRIPTORS_PER_WORD, 1)
    return min(_WORDS, words)


@dataclass(frozen=True, eq=False)
class AsmkIndex:
    """An inverted file from visual words to the images that have them.

    Attributes:
        codebook: float32 `[K, D]`.
        offsets: int64 `[K + 1]`. Word `w` has the rows `offsets[w]` to
            `offsets[w + 1]`.
        images: int32 `[M]`, the image of each row.
        residuals: `[M, ...]`, see `Aggregates`; float16 if not binary.
        num_words: int64 `[num_images]`. Words that each image has.
        options: `AsmkOptions`.

    Reference:
        Tolias et al., "Image search with selective match kernels:
        aggregation across single and multiple images", IJCV 2016.
    """

    codebook: np.ndarray
    offsets: np.ndarray
    images: np.ndarray
    residuals: np.ndarray
    num_words: np.ndarray
    options: AsmkOptions

    @classmethod
    def build(cls, descriptors, images, num_images, codebook, options=None):
        """Aggregates the descriptors of a database.

        Args:
            descriptors: float32 `[N, D]`.
            images: int `[N]`, the image of each descriptor.
            num_images: int.
            codebook: float32 `[K, D]`, of descriptors of the same space.
            options: `AsmkOptions`.

        Returns:
            `AsmkIndex`.
        """
        options = options or AsmkOptions()
        aggregates = aggregate(
            descriptors, images, codebook, binary=options.binary
        )
        order = np.argsort(aggregates.words, kind="stable")
        counts = np.bincount(aggregates.words, minlength=len(codebook))
        return cls(
            codebook=codebook,
            offsets=np.cumsum([0, *counts]),
            images=aggregates.images[order].astype(np.int32),
            residuals=_compact(aggregates.residuals[order]),
            num_words=np.bincount(aggregates.images, minlength=num_images),
            options=options,
        )

    def score(self, descriptors):
        """Compares a query with every image of the database.

        Args:
            descriptors: float32 `[N, D]` of the query.

        Returns:
            float64 `[num_images]`. Normalised so that an image has a
            similarity of 1 with itself, but for multiple assignment.
        """
        query = aggregate(
            descriptors,
            np.zeros(len(descriptors), np.int64),
            self.codebook,
            self.options.query_assignments,
            self.options.binary,
        )
        of_query, rows = self._pairs(query.words)
        similarities = self._similarities(query.residuals, of_query, rows)
        weights = np.where(
            similarities > self.options.threshold,
            np.sign(similarities) * np.abs(similarities) ** self.options.alpha,
            0.0,
        )
        scores = np.bincount(
            self.images[rows], weights, minlength=len(self.num_words)
        )
        norms = np.sqrt(np.maximum(len(query), 1) * self.num_words)
        return scores / np.maximum(norms, 1.0)

    def _pairs(self, words):
        """Lists (position in words, row) for all rows of all words."""
        starts = self.offsets[words]
        lengths = self.offsets[words + 1] - starts
        of_query = np.repeat(np.arange(len(words)), lengths)
        first = np.cumsum(lengths) - lengths
        within = np.arange(len(of_query)) - first[of_query]
        return of_query, starts[of_query] + within

    def _similarities(self, residuals, of_query, rows):
        if not self.options.binary:
            return np.einsum(
                "nd,nd->n", residuals[of_query], self.residuals[rows]
            )
        a, b = (
            each.view(np.uint64)
            for each in (residuals[of_query], self.residuals[rows])
        )
        different = np.bitwise_count(a ^ b).sum(axis=1, dtype=np.int32)
        return 1.0 - 2.0 * different / self.codebook.shape[1]

    def save(self, folder):
        """Writes the arrays of the index into a new folder."""
        save_arrays(folder, self, _ARRAYS)

    @classmethod
    def load(cls, folder, options):
        """Opens the index in a folder; its arrays are mapped, not read.

        Args:
            folder: `Path`.
            options: `AsmkOptions` that it was built with.
        """
        return cls(**load_arrays(folder, _ARRAYS), options=options)


def _compact(residuals):
    if residuals.dtype == np.uint8:
        return residuals
    return residuals.astype(np.float16)
