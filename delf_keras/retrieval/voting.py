"""Votes: from the neighbours of query descriptors to scores of images."""

import numpy as np

_CACHED_ELEMENTS = 1 << 14


def vote_weights(distances, reach):
    """Weighs neighbours by their margin over the last one.

    Args:
        distances: float32 `[...]`. Squared distances between unit vectors.
        reach: float32, of a shape that fits. Squared distance of the last
            neighbour that the query descriptor has in the database.

    Returns:
        float32 `[...]`, the margin to the power 1.5, which is best by
        measurement on photographs; not negative.
    """
    margins = np.maximum((reach - distances) / np.float32(2), np.float32(0))
    return margins * np.sqrt(margins)


def reach_of(distances, image_ids):
    """Returns the squared distance of the last neighbour of each row.

    Args:
        distances: float32 `[N, K]`. See `vote`.
        image_ids: int `[N, K]`. See `vote`.

    Returns:
        float32 `[N]`, 0 for a row without neighbours.
    """
    return np.max(distances, axis=1, where=image_ids >= 0, initial=0.0)


def vote(distances, image_ids, num_images, weighting="margin"):
    """Scores the images of a database by the neighbours that they have.

    Each query descriptor votes once for every image among its neighbours, for
    the nearest descriptor of that image. The vote weighs the margin by which
    this descriptor is more similar than the farthest neighbour, to the power
    1.5: a query descriptor whose neighbours are all about equally
    near, like a patch of foliage, says little about any image. Where that is
    so of all of them, as with a single neighbour each, every vote weighs 1.

    Args:
        distances: float32 `[N, K]`. Squared distances between unit vectors,
            rising along each row.
        image_ids: int `[N, K]`. The image of each neighbour, -1 where there
            is none.
        num_images: int.
        weighting: "margin", or "count" for votes that all weigh 1, one for
            each neighbour, as in the paper.

    Returns:
        float64 `[num_images]`, the sum of the votes for each image.

    Reference:
        Noh et al., arXiv 1612.06321, section 4.4, where every vote weighs 1.
    """
    found = image_ids >= 0
    if weighting == "count":
        counts = np.bincount(image_ids[found], minlength=num_images)
        return counts.astype(np.float64)
    reach = reach_of(distances, image_ids)[:, None]
    weights = np.where(found, vote_weights(distances, reach), np.float32(0))
    if not weights.any():
        weights = found.astype(np.float32)
    return sum_of_nearest(weights, image_ids, num_images)


def sum_of_nearest(weights, images, num_images):
    """Sums weights by image, of each row the first for every image.

    Args:
        weights: float32 `[N, K]`, not negative. Those that are 0 count for
            nothing.
        images: int64 `[N, K]`, from 0 to `num_images - 1` where the weight is
            not 0.
        num_images: int.

    Returns:
        float64 `[num_images]`.
    """
    columns = weights.shape[1]
    # Image and column in one integer, of 32 bits if it fits: numpy sorts
    # integers several times as fast as it finds unique ones and where they
    # were.
    bits = (columns - 1).bit_length()
    fits = (num_images + 1) << bits <= 1 << 32
    kind = np.uint32 if fits else np.int64
    sums = np.zeros(num_images + 1)
    # As many rows at a time as stay in the cache.
    step = max(1, _CACHED_ELEMENTS // columns)
    for start in range(0, len(weights), step):
        rows = slice(start, start + step)
        block = weights[rows]
        keys = np.where(block > 0, images[rows], num_images).astype(kind)
        keys <<= kind(bits)
        keys |= np.arange(columns, dtype=kind)
        keys.sort(axis=1)
        of_keys = (keys >> kind(bits)).astype(np.intp)
        first = np.ones(keys.shape, bool)
        np.not_equal(of_keys[:, 1:], of_keys[:, :-1], out=first[:, 1:])
        keys &= kind((1 << bits) - 1)
        keys += columns * np.arange(len(keys), dtype=kind)[:, None]
        summands = block.take(keys) * first.astype(np.float64)
        # Of the same types, sums are added twenty times as fast.
        np.add.at(sums, of_keys.ravel(), summands.ravel())
    return sums[:-1]
