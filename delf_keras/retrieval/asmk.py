"""ASMK: selective match kernels over aggregated residuals, inverted."""

from dataclasses import dataclass, replace

import numpy as np

from delf_keras.retrieval.aggregation import Words, aggregate
from delf_keras.retrieval.array_folder import (
    RowFile,
    load_arrays,
    release,
    save_arrays,
)
from delf_keras.retrieval.factory import FAST_SCAN_LIMIT
from delf_keras.retrieval.image_words import ImageWords, merge_image_words

_WORDS = 65_536
# With fewer descriptors to a word, most images have none of another's words.
_DESCRIPTORS_PER_WORD = 128
# But with few words, any two images have them all.
_FEW_WORDS = 256
_FEWEST_DESCRIPTORS_PER_WORD = 4
_ARRAYS = ("offsets", "images", "residuals", "num_words")
# Words that are merged at once.
_BLOCK = 1024


@dataclass(frozen=True)
class AsmkOptions:
    """How images are compared by the words that they share.

    Attributes:
        num_words: Words of the codebook. None for the centroids of the
            inverted lists; where there are none, or too few, one for every
            128 descriptors.
        binary: Whether residuals are reduced to signs: ASMK*, a bit for each
            dimension of a descriptor, and not ASMK, two bytes. None for ASMK*
            above five million descriptors.
        query_assignments: Nearest words of a query descriptor.
        alpha: Power of the similarity of two words' residuals.
        threshold: Similarity that counts as nothing.
    """

    num_words: int | None = None
    binary: bool | None = None
    query_assignments: int = 10
    alpha: float = 1.0
    threshold: float = 0.0

    def chosen(self, count, num_words):
        """Fills in what is not given.

        Args:
            count: int. Descriptors of the database.
            num_words: int. Words of its codebook.

        Returns:
            `AsmkOptions` in which nothing is None.
        """
        binary = self.binary
        if binary is None:
            binary = count > FAST_SCAN_LIMIT
        return replace(self, num_words=num_words, binary=binary)

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
        words: `Words`.
        offsets: int64 `[K + 1]`. Word `w` has the rows `offsets[w]` to
            `offsets[w + 1]`.
        images: int32 `[M]`, the image of each row.
        residuals: `[M, ...]`, see `Aggregates`; float16 if not binary.
        image_words: `ImageWords`, the same rows image by image.
        options: `AsmkOptions`.

    Reference:
        Tolias et al., "Image search with selective match kernels:
        aggregation across single and multiple images", IJCV 2016.
    """

    words: Words
    offsets: np.ndarray
    images: np.ndarray
    residuals: np.ndarray
    image_words: ImageWords
    options: AsmkOptions

    @classmethod
    def build(cls, descriptors, images, num_images, words, assigned, options):
        """Aggregates the descriptors of a database.

        Args:
            descriptors: float32 `[N, D]`.
            images: int `[N]`, the image of each descriptor.
            num_images: int.
            words: `Words`.
            assigned: int64 `[N, 1]`, the nearest word of each descriptor.
            options: `AsmkOptions`, see `AsmkOptions.chosen`.

        Returns:
            `AsmkIndex`.
        """
        aggregates = aggregate(
            descriptors, images, words.centroids, assigned, options.binary
        )
        order = np.argsort(aggregates.words, kind="stable")
        lengths = np.bincount(aggregates.words, minlength=len(words))
        offsets = np.cumsum([0, *lengths])
        images = aggregates.images[order].astype(np.int32)
        num_words = np.bincount(aggregates.images, minlength=num_images)
        return cls(
            words=words,
            offsets=offsets,
            images=images,
            residuals=_compact(aggregates.residuals[order]),
            image_words=ImageWords.of_inverted_file(offsets, images, num_words),
            options=options,
        )

    @property
    def num_words(self):
        """Words that each image has, int64 `[num_images]`."""
        return self.image_words.counts

    def aggregate_query(self, descriptors, words=None):
        """Aggregates the descriptors of a query, by several words each.

        Args:
            descriptors: float32 `[N, D]`.
            words: int64 `[N, A]`. As many nearest words of each as the
                options ask for, or more, if known.

        Returns:
            `Aggregates`.
        """
        count = self.options.query_assignments
        if words is None:
            words = self.words.assign(descriptors, count)
        return aggregate(
            descriptors,
            np.zeros(len(descriptors), np.int64),
            self.words.centroids,
            words[:, :count],
            self.options.binary,
        )

    def score(self, query, among=None):
        """Compares a query with the images of the database.

        Args:
            query: What `aggregate_query` returns.
            among: bool `[num_images]`. The images to compare, all of them if
                not given; others have a score of 0.

        Returns:
            float64 `[num_images]`. Normalised so that an image has a
            similarity of 1 with itself, but for multiple assignment.
        """
        if among is None:
            of_query, rows, images = self._pairs(query.words)
        else:
            of_query, rows, images = self.image_words.shared(
                np.flatnonzero(among), query.words, len(self.words)
            )
        scores = np.bincount(
            images,
            self._weights(query.residuals, of_query, rows),
            minlength=len(self.num_words),
        )
        norms = np.sqrt(np.maximum(len(query), 1) * self.num_words)
        return scores / np.maximum(norms, 1.0)

    def _pairs(self, words):
        """Lists (position in words, row, image) for the rows of all words."""
        starts = self.offsets[words]
        lengths = self.offsets[words + 1] - starts
        shifts = starts + lengths - np.cumsum(lengths)
        of_query = np.repeat(np.arange(len(words)), lengths)
        rows = np.arange(len(of_query)) + shifts[of_query]
        return of_query, rows, self.images[rows]

    def _rows_of(self, first, last, positions):
        """Returns words, new images and residuals of a range of words.

        And the rows of images that have no new position.
        """
        last = min(last, len(self.words))
        lengths = np.diff(self.offsets[first : last + 1])
        words = np.repeat(np.arange(first, last), lengths)
        rows = slice(self.offsets[first], self.offsets[last])
        images = positions[self.images[rows]]
        kept = images >= 0
        removed = np.flatnonzero(~kept) + rows.start
        return words[kept], images[kept], self.residuals[rows][kept], removed

    def _weights(self, residuals, of_query, rows):
        """Weighs pairs of words by their similarity."""
        if not self.options.binary:
            return self._selective(
                np.einsum("nd,nd->n", residuals[of_query], self.residuals[rows])
            )
        # Few similarities are possible: each is weighed once.
        count = self.words.centroids.shape[1]
        weights = self._selective(1.0 - 2.0 * np.arange(count + 1) / count)
        a, b = residuals.view(np.uint64), self.residuals.view(np.uint64)
        different = np.zeros(len(rows), np.uint16)
        for query, image in zip(a.T, b.T, strict=True):
            # With no check of their bounds, lookups take half as long.
            bits = query.take(of_query, mode="clip")
            bits ^= image.take(rows, mode="clip")
            different += np.bitwise_count(bits)
        return weights[different]

    def _selective(self, similarities):
        return np.where(
            similarities > self.options.threshold,
            np.sign(similarities) * np.abs(similarities) ** self.options.alpha,
            0.0,
        )

    def save(self, folder):
        """Writes the index, but for its words, into a folder."""
        save_arrays(folder, {name: getattr(self, name) for name in _ARRAYS})
        self.image_words.save(folder)

    @classmethod
    def load(cls, folder, words, options):
        """Opens the index in a folder; its arrays are mapped, not read.

        Args:
            folder: `Path`.
            words: `Words` that it was built with.
            options: `AsmkOptions` that it was built with.

        Raises:
            ValueError: if the arrays do not belong together.
        """
        arrays = load_arrays(folder, _ARRAYS)
        _check(arrays, len(words))
        image_words = ImageWords.load(
            folder, arrays["offsets"], arrays["images"], arrays.pop("num_words")
        )
        return cls(words, **arrays, image_words=image_words, options=options)


def _check(arrays, num_words):
    offsets = arrays["offsets"]
    rows = {len(arrays["images"]), len(arrays["residuals"]), offsets[-1]}
    whole = offsets[0] == 0 and (np.diff(offsets) >= 0).all()
    if len(rows) > 1 or not whole or len(offsets) - 1 != num_words:
        raise ValueError("its visual words do not belong together")


def merge_asmk(parts, kept, folder):
    """Writes several inverted files of the same words as one.

    Args:
        parts: list of `AsmkIndex`.
        kept: list of bool `[num_images]`, which images of each to write.
        folder: `Path` of the folder to write to, which is made.
    """
    folder.mkdir()
    # The new position of each image.
    before = np.cumsum([0, *map(np.count_nonzero, kept)])
    positions = [
        np.where(keep, first + np.cumsum(keep) - 1, -1).astype(np.int32)
        for keep, first in zip(kept, before[:-1], strict=True)
    ]
    lengths, removed = [], []
    first = parts[0]
    with (
        RowFile(folder / "images.npy", first.images) as images,
        RowFile(folder / "residuals.npy", first.residuals) as residuals,
    ):
        for word in range(0, len(first.words), _BLOCK):
            of_parts, *block, of_removed = zip(
                *(
                    part._rows_of(word, word + _BLOCK, position)
                    for part, position in zip(parts, positions, strict=True)
                ),
                strict=True,
            )
            order = np.argsort(np.concatenate(of_parts), kind="stable")
            for file, values in zip((images, residuals), block, strict=True):
                file.write(np.concatenate(values)[order])
            lengths.append(
                [np.bincount(w - word, minlength=_BLOCK) for w in of_parts]
            )
            removed.append(of_removed)
    for part in parts:
        release(part.images)
        release(part.residuals)
    lengths = np.concatenate(lengths, axis=1)[:, : len(first.words)]
    merge_image_words(
        [part.image_words for part in parts],
        kept,
        lengths,
        [*map(np.concatenate, zip(*removed, strict=True))],
        folder,
    )
    of_image = [
        part.num_words[keep] for part, keep in zip(parts, kept, strict=True)
    ]
    save_arrays(
        folder,
        {
            "offsets": np.cumsum([0, *lengths.sum(axis=0)]),
            "num_words": np.concatenate(of_image),
        },
    )


def _compact(residuals):
    if residuals.dtype == np.uint8:
        return residuals
    return residuals.astype(np.float16)
