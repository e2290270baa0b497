"""How many votes an image gets from any query, whatever it shows."""

import numpy as np

from delf_keras.retrieval.voting import vote

# So many photographs of the database stand in for any query.
_QUERIES = 256
# The neighbours of their descriptors, beside those in themselves.
_NEIGHBORS = 300
# So many queries that hit all images alike are thought to have come before:
# a small database has few queries to tell by.
_EARLIER_QUERIES = 32


def background_votes(
    descriptor_index, store, seed=0, progress=lambda items, total, label: items
):
    """Lets a sample of the database vote for the rest of it.

    Some photographs, of bland skies or fine print, are near to everything and
    take votes of every query. Dividing by these votes takes that advantage.

    Args:
        descriptor_index: `DescriptorIndex`.
        store: `ImageStore` of the same descriptors.
        seed: int. Of the sample.
        progress: See `build_index`.

    Returns:
        float32 `[num_images]`, with a mean of 1.
    """
    rng = np.random.default_rng(seed)
    sample = np.sort(rng.permutation(len(store))[:_QUERIES])
    votes = np.zeros(len(store))
    voters = np.zeros(len(store))
    for image in progress(sample, len(sample), "background"):
        _, _, descriptors = store.features_of(image)
        votes += _votes_of(descriptor_index, store, image, descriptors)
        voters += np.arange(len(store)) != image
    mean_votes = votes / np.maximum(voters, 1)
    overall = mean_votes.mean()
    if not overall:
        return np.ones(len(store), np.float32)
    relative = len(sample) * mean_votes / overall + _EARLIER_QUERIES
    return (relative / (len(sample) + _EARLIER_QUERIES)).astype(np.float32)


def _votes_of(descriptor_index, store, image, descriptors):
    """Returns the votes of an image of the database, but for itself."""
    if not len(descriptors):
        return np.zeros(len(store))
    # Descriptors of the image itself are among the nearest: some more are
    # asked for, and the first that are not its own count.
    distances, rows = descriptor_index.search(descriptors, _NEIGHBORS + 40)
    images = store.image_ids(rows)
    foreign = np.argsort(images == image, axis=1, kind="stable")
    foreign = foreign[:, :_NEIGHBORS]
    distances = np.take_along_axis(distances, foreign, axis=1)
    images = np.take_along_axis(images, foreign, axis=1)
    return vote(distances, np.where(images == image, -1, images), len(store))
