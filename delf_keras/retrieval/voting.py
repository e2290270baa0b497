"""Votes: from the neighbours of query descriptors to scores of images."""

import numpy as np

_INFINITY_BITS = np.float32(np.inf).view(np.int32).astype(np.int64)


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
    """Sums weights by image, of each row the largest for every image.

    Args:
        weights: float32 `[N, K]`, not negative. Those that are 0 count for
            nothing.
        images: int64 `[N, K]`, from 0 to `num_images - 1` where the weight is
            not 0.
        num_images: int.

    Returns:
        float64 `[num_images]`.
    """
    # Image and weight in one integer: numpy sorts integers several times as
    # fast as it finds unique ones and where they were. The bits of a number
    # that is not negative rise with it; the largest weight comes first.
    keys = np.where(weights > 0, images, num_images) << 32
    keys |= _INFINITY_BITS - weights.view(np.int32)
    keys.sort(axis=1)
    images = keys >> 32
    first = np.ones(images.shape, bool)
    np.not_equal(images[:, 1:], images[:, :-1], out=first[:, 1:])
    bits = (_INFINITY_BITS - (keys & 0xFFFFFFFF)).astype(np.int32)
    sums = np.bincount(
        images.ravel(),
        weights=(bits.view(np.float32) * first).ravel(),
        minlength=num_images + 1,
    )
    return sums[:num_images]
