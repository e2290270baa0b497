"""Votes: from the neighbours of query descriptors to scores of images."""

import numpy as np

# The power of the margin that weights a vote, by measurement on photographs
# (benchmarks/retrieval_quality.py).
MARGIN_POWER = 1.5


def vote_weights(distances, reach):
    """Weighs neighbours by their margin over the last one.

    Args:
        distances: float32 `[...]`. Squared distances between unit vectors.
        reach: float32, of a shape that fits. Squared distance of the last
            neighbour that the query descriptor has in the database.

    Returns:
        float64 `[...]`, not negative.
    """
    return np.maximum((reach - distances) / 2.0, 0.0) ** MARGIN_POWER


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
    `MARGIN_POWER`: a query descriptor whose neighbours are all about equally
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
    weights = np.where(found, vote_weights(distances, reach), 0.0)
    if not weights.any():
        weights = found.astype(np.float64)

    rows, columns = np.nonzero(found)
    votes = rows * num_images + image_ids[rows, columns]
    # np.unique gives the first of equal votes: the nearest neighbour.
    _, nearest = np.unique(votes, return_index=True)
    rows, columns = rows[nearest], columns[nearest]
    return np.bincount(
        image_ids[rows, columns],
        weights=weights[rows, columns],
        minlength=num_images,
    )
