"""The visual words of each image, where an inverted file has them by word."""

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from delf_keras.retrieval.array_folder import (
    RowFile,
    load_arrays,
    release,
    save_arrays,
)

_WORDS = "image_words"
_ROWS = "image_rows"
# Words that are looked up at once: they stay in the cache.
_CACHED_WORDS = 1 << 16
# Words that are copied at once.
_BLOCK = 1 << 18


@dataclass(frozen=True, eq=False)
class ImageWords:
    """The rows of an inverted file, image by image.

    To compare a query with a thousand images, their words are looked up in
    the query: a hundredth of the rows that the lists of its own words have.

    Attributes:
        counts: int64 `[num_images]`. Words that each image has.
        words: int32 `[M]`, those of the first image, of the second and so on,
            rising for each.
        rows: uint32 `[M]`, int64 in a file of more rows. Where in the
            inverted file each is.
    """

    counts: np.ndarray
    words: np.ndarray
    rows: np.ndarray

    @classmethod
    def of_inverted_file(cls, offsets, images, counts):
        """Sorts the rows of an inverted file by image.

        Args:
            offsets: int64 `[K + 1]`, see `AsmkIndex`.
            images: int32 `[M]`, see `AsmkIndex`.
            counts: int64 `[num_images]`.

        Returns:
            `ImageWords`.
        """
        rows = np.argsort(images, kind="stable")
        lists = np.arange(len(offsets) - 1, dtype=np.int32)
        words = np.repeat(lists, np.diff(offsets))[rows]
        return cls(counts, words, rows.astype(_row_type(len(rows))))

    def shared(self, images, words, num_words):
        """Finds the words that some images share with a query.

        Args:
            images: int64 `[I]`, rising.
            words: int64 `[W]`, of the query, each once.
            num_words: int. Words of the codebook.

        Returns:
            A tuple of arrays `[P]`: positions in `words`, rows of the
            inverted file, and images.
        """
        position = np.full(num_words, -1, np.int32)
        position[words] = np.arange(len(words))
        counts = self.counts[images]
        ends = self._ends[images]
        slices = [*map(slice, (ends - counts).tolist(), ends.tolist())]
        cuts = np.diff(np.cumsum(counts) // _CACHED_WORDS, prepend=-1)
        pairs = [[np.zeros(0, np.int64)] * 3]
        for first, last in itertools.pairwise(
            [*np.flatnonzero(cuts), len(slices)]
        ):
            block = slices[first:last]
            # With no check of its bounds, a lookup takes half as long.
            of_query = position.take(
                np.concatenate([self.words[each] for each in block]),
                mode="clip",
            )
            found = np.flatnonzero(of_query >= 0)
            rows = np.concatenate([self.rows[each] for each in block])
            of_images = np.repeat(images[first:last], counts[first:last])
            pairs.append([each[found] for each in (of_query, rows, of_images)])
        return [*map(np.concatenate, zip(*pairs, strict=True))]

    @cached_property
    def _ends(self):
        return np.cumsum(self.counts)

    def save(self, folder):
        """Writes the words into a folder, but for their counts."""
        save_arrays(folder, {_WORDS: self.words, _ROWS: self.rows})

    @classmethod
    def load(cls, folder, offsets, images, counts):
        """Opens what `save` or `merge_image_words` wrote; it is mapped.

        Args:
            folder: `Path`. If there is nothing in it, as in an index of an
                earlier version, the inverted file is sorted.
            offsets: See `of_inverted_file`.
            images: See `of_inverted_file`.
            counts: See `of_inverted_file`.

        Raises:
            ValueError: if it does not belong to the inverted file.
        """
        if not (folder / f"{_WORDS}.npy").exists():
            return cls.of_inverted_file(offsets, images, counts)
        arrays = load_arrays(folder, (_WORDS, _ROWS))
        result = cls(counts, arrays[_WORDS], arrays[_ROWS])
        if not (
            len(result.words) == len(result.rows) == len(images) == counts.sum()
        ):
            raise ValueError("its visual words do not belong together")
        return result


def merge_image_words(parts, kept, lengths, removed_rows, folder):
    """Joins the words of images whose inverted files were merged.

    The lists of a merged file have the rows of the first part, of the second
    and so on, without those of images that are not kept.

    Args:
        parts: list of `ImageWords`.
        kept: list of bool `[num_images]`, which images of each are kept.
        lengths: int64 `[len(parts), K]`, rows of each list of each part that
            are kept.
        removed_rows: list of int64, the rows of each part that are not,
            rising.
        folder: `Path` of the folder to write to.

    Raises:
        OSError: if the disk is full.
    """
    # Where the rows of each part begin in each merged list, and where they
    # would begin if the part were merged alone.
    starts = np.cumsum(lengths.sum(axis=0)) - lengths[::-1].cumsum(axis=0)[::-1]
    shifts = starts - (np.cumsum(lengths, axis=1) - lengths)
    like = np.zeros(0, _row_type(lengths.sum()))
    with (
        RowFile(folder / f"{_WORDS}.npy", parts[0].words) as words_file,
        RowFile(folder / f"{_ROWS}.npy", like) as rows_file,
    ):
        for part, keep, removed, shift in zip(
            parts, kept, removed_rows, shifts, strict=True
        ):
            of_words = np.repeat(keep, part.counts)
            for start in range(0, len(of_words), _BLOCK):
                block = slice(start, start + _BLOCK)
                words = part.words[block][of_words[block]]
                rows = part.rows[block][of_words[block]].astype(np.int64)
                rows += shift[words] - np.searchsorted(removed, rows)
                words_file.write(words)
                rows_file.write(rows.astype(like.dtype))
            release(part.words)
            release(part.rows)


def _row_type(count):
    return np.uint32 if count <= 1 << 32 else np.int64
