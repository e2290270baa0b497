"""Training a faiss index, and choosing how many lists a search probes."""

import faiss
import numpy as np

from delf_keras.retrieval.factory import NAMED_FACTORIES, choose_factory

# faiss trains on at most 256 points a centroid; more would only be copied.
_TRAINING_POINTS_PER_CENTROID = 256
# From so many lists on, k-means clusters clusters: all at once would take
# hours, and is hardly better.
_TWO_LEVELS = 16_384
_POINTS_OF_FIRST = 2000
# Neighbours that a graph of centroids chooses its links from, and that it
# follows while codes are trained: faiss' 40 and 16 lead some descriptors to
# lists that are far from them, and a codebook of 16 values that stretches to
# their residuals is coarse for all others.
_LINKED_FROM = 200
_FOLLOWED_IN_TRAINING = 256
# How many queries probes are chosen by, and how many of the neighbours that
# the whole database has they must find: those that vote.
_QUERIES = 500
_NEIGHBORS = 300
_MOST_PROBES = 1024
# Other descriptors of an image are no neighbours from elsewhere.
_OWN = 64


def make_faiss_index(dimension, factory):
    """Makes an untrained faiss index that knows descriptors by keys.

    Args:
        dimension: int.
        factory: str. A faiss factory string.

    Returns:
        A faiss index.

    Raises:
        ValueError: if the factory string is wrong.
    """
    try:
        index = faiss.index_factory(dimension, factory)
    except RuntimeError as error:
        raise ValueError(
            f"faiss cannot make an index of {dimension} dimensions. "
            f"Received: factory={factory!r} ({reason(error)})"
        ) from error
    inverted = inverted_file(index)
    if inverted and not inverted.nlist:
        raise ValueError(
            "An inverted file has at least one list. Received: "
            f"factory={factory!r}"
        )
    for part in (index, inverted):
        # Most of the training, for Hamming distances that nobody asks for.
        if hasattr(part, "do_polysemous_training"):
            part.do_polysemous_training = False
    graph = _graph_of_centroids(index)
    if graph:
        graph.efConstruction = _LINKED_FROM
    return index


def train_faiss_index(
    sample, images, count=None, factory=None, probes=None, recall=0.95, seed=0
):
    """Trains a faiss index on descriptors, and adds none.

    Args:
        sample: float32 `[M, dimension]`.
        images: int `[M]`. Whose descriptors they are.
        count: int. Descriptors that the index shall hold; those of the sample
            if not given.
        factory: str. A faiss factory string, "exact", "paper", or None to
            choose by `count`.
        probes: int. Inverted lists that a query descriptor probes, or None
            for as many as `recall` takes.
        recall: float. The share of a descriptor's 300 nearest neighbours that
            must be in the lists that are probed.
        seed: int. Of the samples that are drawn.

    Returns:
        A pair of the faiss index and its factory string.

    Raises:
        ValueError: if there are too few descriptors to train the index, or
            the factory string is wrong.
    """
    count = count or len(sample)
    dimension = sample.shape[1]
    factory = NAMED_FACTORIES.get(factory, factory) or choose_factory(
        count, dimension
    )
    index = make_faiss_index(dimension, factory)
    inverted = inverted_file(index)
    if inverted:
        _check_count(len(sample), inverted.nlist, factory)
    if not index.is_trained:
        _train(index, _training_sample(sample, inverted, seed), factory, seed)
    if inverted:
        probes = probes or calibrate_probes(
            index, sample, images, count, recall, seed
        )
        inverted.nprobe = min(probes, inverted.nlist)
    if not inverted or isinstance(index, faiss.IndexRefine):
        index, inner = faiss.IndexIDMap2(index), index
        inner.this.disown()
        index.own_fields = True
    _check_usable(index, sample, factory)
    return index, factory


def calibrate_probes(index, sample, images, count, recall=0.95, seed=0):
    """Finds how many inverted lists have enough of the nearest neighbours.

    For some descriptors of the sample, the exact neighbours among the rest
    are found: fewer than 300, by as much as the sample is smaller than the
    database, so that they are as near as there. The lists of these neighbours
    are looked up among those that a search probes, in its order.

    Args:
        index: A trained faiss index with inverted lists.
        sample: float32 `[M, dimension]`.
        images: int `[M]`. Whose descriptors they are; neighbours are those in
            other images.
        count: int. Descriptors that the index shall hold.
        recall: float. The share of the neighbours to find.
        seed: int. Of the choice of queries.

    Returns:
        int. The least number of probes, at most 1024.
    """
    inverted = inverted_file(index)
    rng = np.random.default_rng(seed)
    queries = rng.permutation(len(sample))[:_QUERIES]
    wanted = max(1, round(_NEIGHBORS * len(sample) / max(count, len(sample))))
    found = min(wanted + _OWN, len(sample))
    _, rows = faiss.knn(sample[queries], sample, found)
    foreign = images[rows] != images[queries][:, None]
    foreign &= np.cumsum(foreign, axis=1) <= wanted
    query, column = np.nonzero(foreign)
    if not len(query):
        return inverted.nlist
    neighbors = sample[rows[query, column]]
    lists = inverted.quantizer.search(_transformed(index, neighbors), 1)[1]
    most = min(inverted.nlist, _MOST_PROBES)
    probed = inverted.quantizer.search(
        _transformed(index, sample[queries]), most
    )[1]
    hits = probed[query] == lists
    ranks = np.where(hits.any(axis=1), hits.argmax(axis=1), most)
    reached = np.cumsum(np.bincount(ranks, minlength=most)[:most]) / len(ranks)
    return int(min(np.searchsorted(reached, recall) + 1, most))


def two_level_centroids(sample, clusters, count):
    """Clusters the points of each cluster, which is faster than all at once.

    Args:
        sample: float32 `[M, dimension]`.
        clusters: int. Clusters that are clustered.
        count: int. Clusters in the end, as many of each as it has points.

    Returns:
        float32 `[count, dimension]`, those of a cluster after each other.
    """
    first = faiss.Kmeans(
        sample.shape[1], clusters, max_points_per_centroid=_POINTS_OF_FIRST
    )
    first.train(sample)
    _, assigned = first.assign(sample)
    sizes = np.bincount(assigned, minlength=clusters)
    counts = np.diff(np.cumsum(sizes) * count // len(sample), prepend=0)
    rows = np.split(np.argsort(assigned), np.cumsum(sizes)[:-1])
    centroids = []
    for of_cluster, number in zip(rows, counts.tolist(), strict=True):
        if number:
            second = faiss.Kmeans(sample.shape[1], number)
            second.train(sample[of_cluster])
            centroids.append(second.centroids)
    return np.concatenate(centroids)


def inverted_file(index):
    """Returns the part of an index that has inverted lists, or None."""
    inverted = faiss.try_extract_index_ivf(index)
    return inverted and faiss.downcast_index(inverted)


def reason(error):
    """Returns what faiss says, without its C++ signature and condition."""
    message = str(error).strip().split("\n")[-1].split(": ", 1)[-1]
    return message.split(" failed: ", 1)[-1].strip()


def _transformed(index, descriptors):
    """Applies the rotation before the inverted lists, where there is one."""
    if isinstance(index, faiss.IndexRefine):
        index = faiss.downcast_index(index.base_index)
    if isinstance(index, faiss.IndexPreTransform):
        for position in range(index.chain.size()):
            descriptors = index.chain.at(position).apply(descriptors)
    return descriptors


def _check_count(count, lists, factory):
    if count < lists:
        raise ValueError(
            f"An inverted file of {lists} lists is trained on at least as many "
            f"descriptors. Received: {count} descriptors, factory={factory!r}"
        )


def _check_usable(index, sample, factory):
    """Adds twice to a copy, as not every kind of index that parses can."""
    try:
        copy = faiss.clone_index(index)
        for key in range(2):
            copy.add_with_ids(sample[:1], np.array([key]))
        copy.search(sample[:1], 1)
    except RuntimeError as error:
        raise ValueError(
            "An index is copied, and added to several times with numbers for "
            f"keys. Received: factory={factory!r} ({reason(error)})"
        ) from error


def _graph_of_centroids(index):
    """Returns what finds the centroids of an index, if it is a graph."""
    inverted = inverted_file(index)
    quantizer = inverted and faiss.downcast_index(inverted.quantizer)
    return getattr(quantizer, "hnsw", None)


def _train(index, sample, factory, seed):
    try:
        # A rotation would have to come before the centroids.
        if isinstance(index, faiss.IndexIVF) and index.nlist >= _TWO_LEVELS:
            _train_in_two_levels(index, sample, seed)
        else:
            index.train(sample)
    except RuntimeError as error:
        raise ValueError(
            "faiss cannot train the index on these descriptors. Received: "
            f"{len(sample)} descriptors, factory={factory!r} ({reason(error)})"
        ) from error


def _train_in_two_levels(index, sample, seed):
    clusters = int(np.sqrt(index.nlist))
    centroids = two_level_centroids(sample, clusters, index.nlist)
    index.quantizer.train(centroids)
    # Those of a cluster follow each other: added in this order, a graph has
    # few links between clusters.
    index.quantizer.add(np.random.default_rng(seed).permutation(centroids))
    graph = _graph_of_centroids(index)
    if graph:
        followed, graph.efSearch = graph.efSearch, _FOLLOWED_IN_TRAINING
    index.train(sample)
    if graph:
        graph.efSearch = followed


def _training_sample(descriptors, inverted, seed):
    centroids = max(inverted.nlist if inverted else 0, 256)
    limit = _TRAINING_POINTS_PER_CENTROID * centroids
    if len(descriptors) > limit:
        rows = np.random.default_rng(seed).choice(
            len(descriptors), limit, replace=False
        )
        descriptors = descriptors[np.sort(rows)]
    return np.ascontiguousarray(descriptors, np.float32)
