"""Which faiss index suits how many descriptors."""

import math

# Below this, exact search is fast enough and loses nothing.
EXACT_LIMIT = 50_000
# Above this, codes of 4 bits: as long and nearly as good as those of 8, and
# scanned several times as fast, but by each process in memory of its own
# (benchmarks/code_speed.py).
FAST_SCAN_LIMIT = 5_000_000
# faiss' k-means asks for this many training points a centroid.
POINTS_PER_CENTROID = 39

_MOST_LISTS = 65_536

NAMED_FACTORIES = {
    "exact": "Flat",
    # 8K visual words; 10 sub-vectors of 32 centroids, 50 bits a descriptor.
    "paper": "IVF8192,PQ10x5",
}


def choose_factory(count, dimension):
    """Chooses a faiss factory string for a number of descriptors.

    Args:
        count: int. Descriptors that the index shall hold.
        dimension: int. Length of a descriptor.

    Returns:
        "Flat" up to `EXACT_LIMIT` descriptors, and above an inverted file
        with half a byte of product-quantizer code for every dimension, whose
        centroids are found through a graph above `FAST_SCAN_LIMIT`.

    Reference:
        Noh et al., arXiv 1612.06321, section 4.4.
    """
    if count <= EXACT_LIMIT:
        return NAMED_FACTORIES["exact"]
    lists = 2 ** round(math.log2(4 * math.sqrt(count)))
    lists = min(lists, 2 ** int(math.log2(count / POINTS_PER_CENTROID)))
    if count > FAST_SCAN_LIMIT:
        return f"IVF{min(lists, _MOST_LISTS)}_HNSW32,PQ{dimension}x4"
    subvectors = dimension // 2 if dimension % 2 == 0 else dimension
    return f"IVF{lists},PQ{subvectors}x8"
