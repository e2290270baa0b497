"""A database of any size, of descriptors spread as real ones are."""

import dataclasses

import faiss
import numpy as np

# A descriptor is moved towards one of its nearest in other photographs, and
# off the line between them, so far in all that copies of one are no nearer to
# each other than real neighbours are.
_NEAREST = 20
_NOISE = 0.3
_LISTS = 1024
_PROBES = 8


class ScaledDatabase:
    """Photographs made of the features of real ones.

    Each has the features of a real photograph, of which every descriptor is
    moved by a random part of its way to one of its nearest neighbours in
    other photographs: the density of the descriptors is that of real ones at
    every scale, and a query of a real place finds many that resemble it.

    Args:
        features: list of `LocalFeatures` of real photographs.
        seed: int.
    """

    def __init__(self, features, seed=0):
        self._features = [each for each in features if len(each)]
        self._seed = seed
        self._descriptors = np.concatenate(
            [each.descriptors for each in self._features]
        )
        counts = [*map(len, self._features)]
        self._offsets = np.cumsum([0, *counts])
        images = np.repeat(np.arange(len(counts)), counts)
        self._neighbors = _foreign_neighbors(self._descriptors, images)

    @property
    def features_per_photograph(self):
        """Mean number of features."""
        return len(self._descriptors) / len(self._features)

    def shard(self, number, photographs):
        """Makes a part of the database.

        Args:
            number: int. Which; the same number gives the same photographs.
            photographs: int. How many.

        Returns:
            list of (name, `LocalFeatures`).
        """
        rng = np.random.default_rng((self._seed, number))
        made = []
        for photograph in range(photographs):
            image = rng.integers(len(self._features))
            made.append(
                (f"{number:06d}/{photograph:06d}.jpg", self._moved(image, rng))
            )
        return made

    def _moved(self, image, rng):
        features = self._features[image]
        rows = np.arange(self._offsets[image], self._offsets[image + 1])
        column = rng.integers(0, _NEAREST, len(rows))
        targets = self._descriptors[self._neighbors[rows, column]]
        part = rng.random((len(rows), 1), np.float32)
        descriptors = features.descriptors * (1 - part) + targets * part
        noise = rng.standard_normal(descriptors.shape, np.float32)
        descriptors += _NOISE / descriptors.shape[1] ** 0.5 * noise
        lengths = np.linalg.norm(descriptors, axis=1, keepdims=True)
        return dataclasses.replace(features, descriptors=descriptors / lengths)


def _foreign_neighbors(descriptors, images):
    """Returns rows of the nearest descriptors in other images."""
    lists = min(_LISTS, len(descriptors) // 64)
    index = faiss.index_factory(descriptors.shape[1], f"IVF{lists},Flat")
    index.train(descriptors)
    index.add(descriptors)
    index.nprobe = _PROBES
    rows = index.search(descriptors, 4 * _NEAREST)[1]
    own = (rows < 0) | (images[rows] == images[:, None])
    order = np.argsort(own, axis=1, kind="stable")[:, :_NEAREST]
    return np.take_along_axis(rows, order, axis=1)
