"""How many votes an image gets from any query, whatever it shows."""

from dataclasses import dataclass

import numpy as np

from delf_keras.retrieval.array_folder import load_arrays, save_arrays
from delf_keras.retrieval.voting import reach_of, sum_of_nearest, vote_weights

# So many photographs of the database stand in for any query.
_QUERIES = 256
# The neighbours of their descriptors, beside those in themselves.
_NEIGHBORS = 300
# Descriptors of an image itself are among the nearest: some more are asked
# for, and the first that are not its own count.
_OWN = 40
# So many queries that hit all images alike are thought to have come before:
# a small database has few queries to tell by.
_EARLIER_QUERIES = 32

_ARRAYS = ("descriptors", "offsets", "images", "reach", "mean_votes")


@dataclass(frozen=True, eq=False)
class BackgroundQueries:
    """Photographs of a database that stand in for any query.

    Some photographs, of bland skies or fine print, are near to everything and
    take votes of every query. Dividing by these votes takes that advantage.
    The weights of votes are those that the database had when the queries were
    chosen, so that photographs that are added later are measured alike.

    Attributes:
        descriptors: float16 `[M, D]`.
        offsets: int64 `[Q + 1]`. Query `i` has the rows `offsets[i]` to
            `offsets[i + 1]`.
        images: int64 `[Q]`, the number of each in the database.
        reach: float32 `[M]`. Squared distance of the last neighbour of each
            descriptor, as voting takes it.
        mean_votes: float64 `[]`. Votes of a query for an image, on average.
    """

    descriptors: np.ndarray
    offsets: np.ndarray
    images: np.ndarray
    reach: np.ndarray
    mean_votes: np.ndarray

    def background_of(self, descriptor_index, numbers):
        """Lets the queries vote for photographs.

        Args:
            descriptor_index: `DescriptorIndex` of the photographs.
            numbers: int64 `[num_images]`, their numbers, rising.

        Returns:
            float32 `[num_images]`, with a mean near 1.
        """
        votes = np.zeros(len(numbers))
        for query, image in enumerate(self.images):
            rows = slice(self.offsets[query], self.offsets[query + 1])
            found = descriptor_index.search(
                self.descriptors[rows].astype(np.float32), _NEIGHBORS + _OWN
            )
            found = _foreign(found, image)
            votes += _votes(found, self.reach[rows], numbers)
        return _relative(votes, self.images, numbers, self.mean_votes)

    def save(self, folder):
        """Writes the queries into a folder that is made."""
        save_arrays(folder, {name: getattr(self, name) for name in _ARRAYS})

    @classmethod
    def load(cls, folder):
        """Opens what `save` wrote; arrays are mapped, not read."""
        return cls(**load_arrays(folder, _ARRAYS))


def choose_background_queries(
    descriptor_index, store, seed=0, progress=lambda items, total, label: items
):
    """Draws queries from a database and lets them vote for it.

    Args:
        descriptor_index: `DescriptorIndex`.
        store: `ImageStore` of the same descriptors.
        seed: int. Of the sample.
        progress: See `build_index`.

    Returns:
        A pair of the `BackgroundQueries` and float32 `[num_images]`, what
        `background_of` gives for the database.
    """
    rng = np.random.default_rng(seed)
    sample = np.sort(rng.permutation(len(store))[:_QUERIES])
    votes = np.zeros(len(store))
    descriptors, reaches = [], []
    for image in progress(sample, len(sample), "background"):
        of_image = store.features_of(image)[2]
        if len(of_image):
            found = descriptor_index.search(of_image, _NEIGHBORS + _OWN)
            found = _foreign(found, store.numbers[image])
            reach = reach_of(found[0], found[1])
            votes += _votes(found, reach, store.numbers)
            reaches.append(reach)
        descriptors.append(of_image)
    images = store.numbers[sample]
    queries = BackgroundQueries(
        np.concatenate(descriptors).astype(np.float16),
        np.cumsum([0, *map(len, descriptors)], dtype=np.int64),
        images,
        np.concatenate([*reaches, np.zeros(0)]).astype(np.float32),
        np.mean(votes / _voters(images, store.numbers)),
    )
    return queries, _relative(votes, images, store.numbers, queries.mean_votes)


def _foreign(found, image):
    """Returns distances and images of neighbours that are not an image's."""
    own = found.images == image
    order = np.argsort(own, axis=1, kind="stable")[:, :_NEIGHBORS]
    distances = np.take_along_axis(found.distances, order, axis=1)
    images = np.where(own, -1, found.images)
    return distances, np.take_along_axis(images, order, axis=1)


def _votes(found, reach, numbers):
    """Sums votes by number, those for other photographs left out."""
    distances, images = found
    positions = np.searchsorted(numbers, images)
    weights = np.where(images >= 0, vote_weights(distances, reach[:, None]), 0)
    return sum_of_nearest(weights, positions, len(numbers))


def _voters(images, numbers):
    """Returns how many queries may vote for each image: not for itself."""
    return np.maximum(len(images) - np.isin(numbers, images), 1)


def _relative(votes, images, numbers, mean_votes):
    if not mean_votes:
        return np.ones(len(numbers), np.float32)
    relative = votes / _voters(images, numbers) / mean_votes
    relative = len(images) * relative + _EARLIER_QUERIES
    return (relative / (len(images) + _EARLIER_QUERIES)).astype(np.float32)
