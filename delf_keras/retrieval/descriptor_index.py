"""Nearest descriptors of a database, with faiss."""

from functools import cached_property
from pathlib import Path

import faiss
import numpy as np

from delf_keras.forking import lock_across_forks
from delf_keras.retrieval.aggregation import Words
from delf_keras.retrieval.faiss_files import (
    INDEX_FILE,
    merge_on_disk,
    read_faiss_index,
    write_faiss_index,
)
from delf_keras.retrieval.faiss_training import (
    inverted_file,
    reason,
    train_faiss_index,
)
from delf_keras.retrieval.neighbors import Neighbors, keys_of_images

_preparing = lock_across_forks()


class DescriptorIndex:
    """A faiss index of descriptors, which knows each by a key.

    Codes of 4 bits are kept as they are, and repacked for fast scanning when
    first searched: faiss cannot merge or map what it scans fast.

    Args:
        index: A trained faiss index.
        factory: str. The faiss factory string that made it.
    """

    def __init__(self, index, factory):
        self._index = index
        self.factory = factory
        # Threads share what the first of them prepares.
        self._searcher = None

    def __len__(self):
        return self._index.ntotal

    @property
    def dimension(self):
        """Length of a descriptor."""
        return self._index.d

    @property
    def probes(self):
        """Inverted lists that a query descriptor probes, 0 if exact."""
        inverted = inverted_file(self._index)
        return inverted.nprobe if inverted else 0

    @classmethod
    def train(cls, sample, images, **options):
        """Trains an index that has no descriptors yet.

        Args:
            sample: float32 `[M, dimension]`.
            images: int `[M]`. Whose descriptors they are.
            **options: See `train_faiss_index`.

        Returns:
            `DescriptorIndex`.
        """
        return cls(*train_faiss_index(sample, images, **options))

    @cached_property
    def words(self):
        """`Words`, the centroids of the inverted lists; None without such.

        Those behind a rotation are none either.
        """
        if not isinstance(self._index, faiss.IndexIVF):
            return None
        quantizer = faiss.downcast_index(self._index.quantizer)
        centroids = quantizer.reconstruct_n(0, self._index.nlist)
        return Words(centroids, quantizer, owner=self._index)

    def with_descriptors(self, descriptors, keys, lists=None):
        """Returns an index of the same training with descriptors added.

        Args:
            descriptors: float32 `[N, dimension]`.
            keys: int64 `[N]`, see `pack_keys`.
            lists: int64 `[N]`. The nearest of `words` of each, if known.
        """
        index = faiss.clone_index(self._index)
        descriptors = np.ascontiguousarray(descriptors, np.float32)
        if lists is None or self.words is None:
            index.add_with_ids(descriptors, keys)
        else:
            keys, lists = map(np.ascontiguousarray, (keys, lists))
            index.add_core(
                len(keys),
                *map(faiss.swig_ptr, (descriptors, keys, lists)),
            )
        return DescriptorIndex(index, self.factory)

    def search(self, descriptors, neighbors, lists=None, selector=None):
        """Finds the nearest descriptors of the database.

        Args:
            descriptors: float32 `[N, D]`.
            neighbors: int. How many to find for each.
            lists: What `words.nearest` returns for `probes` words or more of
                each, if known.
            selector: `faiss.IDSelector` of the keys to search among, all if
                not given. An index that cannot select searches all.

        Returns:
            `Neighbors` `[N, K]`. K is `neighbors`, or the number of
            descriptors where that is less.
        """
        descriptors = np.ascontiguousarray(descriptors, np.float32)
        neighbors = max(1, min(neighbors, len(self)))
        if selector is not None:
            found = self._search_among(descriptors, neighbors, selector)
        elif lists is None:
            found = self.searcher.search(descriptors, neighbors)
        else:
            distances, numbers = (
                np.ascontiguousarray(each[:, : self.probes]) for each in lists
            )
            found = self.searcher.search_preassigned(
                descriptors, neighbors, numbers, distances
            )
        return Neighbors.from_keys(*found)

    def _search_among(self, descriptors, neighbors, selector):
        inverted = inverted_file(self.searcher)
        parameters = faiss.SearchParameters(sel=selector)
        if inverted is not None:
            parameters = faiss.SearchParametersIVF(
                sel=selector, nprobe=inverted.nprobe
            )
        if isinstance(self.searcher, faiss.IndexPreTransform):
            parameters = faiss.SearchParametersPreTransform(
                index_params=parameters
            )
        elif not isinstance(self.searcher, (faiss.IndexIVF, faiss.IndexIDMap)):
            parameters = None
        return self.searcher.search(descriptors, neighbors, params=parameters)

    @property
    def searcher(self):
        """The faiss index that is searched."""
        with _preparing:
            if self._searcher is None:
                self._searcher = _prepared(self._index)
            return self._searcher

    def save(self, folder):
        """Writes the index into a folder.

        Raises:
            OSError: if the disk is full.
        """
        write_faiss_index(self._index, Path(folder) / INDEX_FILE)

    @classmethod
    def load(cls, folder, factory, mapped=True):
        """Opens an index that `save` or `merge` wrote.

        Args:
            folder: `Path`.
            factory: str. The faiss factory string that made it.
            mapped: bool. Whether its codes are mapped into memory and not
                read. None can be added then.

        Raises:
            ValueError: if the file is damaged.
        """
        path = Path(folder) / INDEX_FILE
        try:
            return cls(read_faiss_index(path, mapped), factory)
        except RuntimeError as error:
            # A file that cannot be opened is told as the system tells it.
            open(path, "rb").close()
            raise ValueError(
                f"A faiss index was expected. Received: {path} "
                f"({reason(error)})"
            ) from error

    def merge(self, parts, stores, kept, folder):
        """Writes several indexes of this one's training as one.

        Args:
            parts: list of `DescriptorIndex`.
            stores: list of `ImageStore` of the same descriptors.
            kept: list of bool `[num_images]`, which images of each to keep.
            folder: `Path` of the folder to write to.

        Raises:
            OSError: if the disk is full.
        """
        if not isinstance(self._index, faiss.IndexIVF) or isinstance(
            self._index, faiss.IndexIVFFastScan
        ):
            self._add_again(stores, kept).save(folder)
            return
        lists = [
            part._without(self._index, store, ~keep)
            for part, store, keep in zip(parts, stores, kept, strict=True)
        ]
        merge_on_disk(self._index, lists, folder)

    def _add_again(self, stores, kept):
        index = self
        for store, keep in zip(stores, kept, strict=True):
            rows = np.repeat(keep, np.diff(store.offsets))
            keys = keys_of_images(store.numbers, store.offsets)
            index = index.with_descriptors(store.vectors(rows), keys[rows])
        return index

    def _without(self, trained, store, removed):
        """Returns the faiss index, a copy where images are removed."""
        if not removed.any():
            return self._index
        index = faiss.clone_index(trained)
        # What is mapped can be read only.
        self._index.copy_subset_to(
            index, faiss.InvertedLists.SUBSET_TYPE_ID_RANGE, 0, 2**62
        )
        rows = np.repeat(removed, np.diff(store.offsets))
        keys = keys_of_images(store.numbers, store.offsets)[rows]
        index.remove_ids(faiss.IDSelectorBatch(keys))
        return index


def _prepared(index):
    """Returns what finds the same as an index, and faster."""
    if isinstance(index, faiss.IndexIVF):
        # The default has no threads where lists are given.
        index.parallel_mode = 3
    if type(index) is faiss.IndexIVFPQ and index.pq.nbits == 4:
        fast = faiss.IndexIVFPQFastScan(index)
        fast.nprobe = index.nprobe
        return fast
    inverted = inverted_file(index)
    if isinstance(inverted, faiss.IndexIVFPQ):
        inverted.precompute_table()
    return index
