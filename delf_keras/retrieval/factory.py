"""Which faiss index suits how many descriptors."""

import math

# Below this, exact search is fast enough and loses nothing.
EXACT_LIMIT = 50_000
# faiss' k-means asks for this many training points a centroid.
POINTS_PER_CENTROID = 39

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
        "Flat" up to `EXACT_LIMIT` descriptors, and an inverted file with one
        byte of product-quantizer code for every two dimensions above.

    Reference:
        Noh et al., arXiv 1612.06321, section 4.4.
    """
    if count <= EXACT_LIMIT:
        return NAMED_FACTORIES["exact"]
    lists = 2 ** round(math.log2(4 * math.sqrt(count)))
    lists = min(lists, 2 ** int(math.log2(count / POINTS_PER_CENTROID)))
    subvectors = dimension // 2 if dimension % 2 == 0 else dimension
    return f"IVF{lists},PQ{subvectors}x8"


def choose_probes(lists):
    """Chooses how many inverted lists a query descriptor probes."""
    return max(1, min(lists, 8 + lists // 64))
