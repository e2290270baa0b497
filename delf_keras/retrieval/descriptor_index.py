"""Nearest descriptors of a database, with faiss."""

import faiss
import numpy as np

from delf_keras.atomic import atomic_path
from delf_keras.retrieval.factory import (
    NAMED_FACTORIES,
    choose_factory,
    choose_probes,
)

# faiss trains on at most 256 points a centroid; more would only be copied.
_TRAINING_POINTS_PER_CENTROID = 256


class DescriptorIndex:
    """A faiss index of the descriptors of a database.

    A descriptor is known by its row: the first one that was added is 0.

    Args:
        index: A trained faiss index.
        factory: str. The faiss factory string that made it.
    """

    def __init__(self, index, factory):
        self._index = index
        self.factory = factory

    def __len__(self):
        return self._index.ntotal

    @property
    def dimension(self):
        """Length of a descriptor."""
        return self._index.d

    @property
    def probes(self):
        """Inverted lists that a query descriptor probes, 0 if exact."""
        inverted = _inverted_file(self._index)
        return inverted.nprobe if inverted else 0

    @classmethod
    def build(cls, descriptors, factory=None, probes=None, seed=0, sample=None):
        """Trains an index on descriptors and adds them.

        Args:
            descriptors: float32 `[N, dimension]`.
            factory: str. A faiss factory string, "exact", "paper", or None
                to choose by the number of descriptors.
            probes: int. Inverted lists that a query descriptor probes. None
                to choose by the number of lists.
            seed: int. Of the sample that the index is trained on.
            sample: float32 `[M, dimension]`. Descriptors to train the index
                on, in place of those that are added.

        Returns:
            `DescriptorIndex`.

        Raises:
            ValueError: if there are too few descriptors to train the index,
                or the factory string is wrong.
        """
        count, dimension = descriptors.shape
        factory = NAMED_FACTORIES.get(factory, factory) or choose_factory(
            count, dimension
        )
        try:
            index = faiss.index_factory(dimension, factory)
        except RuntimeError as error:
            raise ValueError(
                f"faiss cannot make an index of {dimension} dimensions. "
                f"Received: factory={factory!r} ({_reason(error)})"
            ) from error
        inverted = _inverted_file(index)
        if sample is None:
            sample = descriptors
        if inverted:
            _check_count(len(sample), inverted.nlist, factory)
            inverted.nprobe = min(
                probes or choose_probes(inverted.nlist), inverted.nlist
            )
        for part in (index, inverted):
            # Most of the training, for Hamming distances that nobody asks for.
            if hasattr(part, "do_polysemous_training"):
                part.do_polysemous_training = False
        if not index.is_trained:
            _train(index, _training_sample(sample, inverted, seed), factory)
        index.add(np.ascontiguousarray(descriptors, np.float32))
        return cls(index, factory)

    def search(self, descriptors, neighbors):
        """Finds the nearest descriptors of the database.

        Args:
            descriptors: float32 `[N, dimension]`.
            neighbors: int. How many to find for each.

        Returns:
            A pair of float32 `[N, K]` squared distances, rising, and int64
            `[N, K]` rows; -1 where fewer were found. K is `neighbors`, or the
            number of descriptors where that is less.
        """
        return self._index.search(
            np.ascontiguousarray(descriptors, np.float32),
            max(1, min(neighbors, len(self))),
        )

    def save(self, path):
        """Writes the index to a file, atomically."""
        with atomic_path(path) as temporary:
            faiss.write_index(self._index, str(temporary))

    @classmethod
    def load(cls, path, factory):
        """Reads an index that `save` wrote.

        Raises:
            ValueError: if the file is damaged.
        """
        try:
            return cls(faiss.read_index(str(path)), factory)
        except RuntimeError as error:
            raise ValueError(
                "A faiss index was expected. "
                f"Received: {path} ({_reason(error)})"
            ) from error


def _inverted_file(index):
    """Returns the part of an index that has inverted lists, or None."""
    inverted = faiss.try_extract_index_ivf(index)
    return inverted and faiss.downcast_index(inverted)


def _check_count(count, lists, factory):
    if count < lists:
        raise ValueError(
            f"An inverted file of {lists} lists is trained on at least as many "
            f"descriptors. Received: {count} descriptors, factory={factory!r}"
        )


def _train(index, sample, factory):
    try:
        index.train(sample)
    except RuntimeError as error:
        raise ValueError(
            "faiss cannot train the index on these descriptors. Received: "
            f"{len(sample)} descriptors, factory={factory!r} ({_reason(error)})"
        ) from error


def _training_sample(descriptors, inverted, seed):
    centroids = max(inverted.nlist if inverted else 0, 256)
    limit = _TRAINING_POINTS_PER_CENTROID * centroids
    if len(descriptors) > limit:
        rows = np.random.default_rng(seed).choice(
            len(descriptors), limit, replace=False
        )
        descriptors = descriptors[np.sort(rows)]
    return np.ascontiguousarray(descriptors, np.float32)


def _reason(error):
    """Returns what faiss says, without its C++ signature and condition."""
    message = str(error).strip().split("\n")[-1].split(": ", 1)[-1]
    return message.split(" failed: ", 1)[-1].strip()
