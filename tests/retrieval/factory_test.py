"""The faiss index that is chosen can be trained on what there is."""

import faiss
import pytest

from delf_keras.retrieval.factory import (
    EXACT_LIMIT,
    FAST_SCAN_LIMIT,
    NAMED_FACTORIES,
    POINTS_PER_CENTROID,
    choose_factory,
)

COUNTS = [
    EXACT_LIMIT + 1,
    79_999,
    100_000,
    262_144,
    1_000_000,
    4_992_688,
    10**8,
    10**9,
]


def inverted_file(factory, dimension=40):
    index = faiss.index_factory(dimension, factory)
    return faiss.downcast_index(faiss.extract_index_ivf(index))


@pytest.mark.parametrize("count", [0, 1, 780, EXACT_LIMIT])
def test_small_databases_are_searched_exactly(count):
    assert choose_factory(count, 40) == "Flat"


@pytest.mark.parametrize("count", COUNTS)
def test_lists_suit_the_count(count):
    """About 4 sqrt(N) of them, and enough descriptors to train each."""
    lists = inverted_file(choose_factory(count, 40)).nlist

    assert lists & (lists - 1) == 0
    assert lists * POINTS_PER_CENTROID <= count
    assert lists == 65_536 or 2 * count**0.5 <= lists <= 8 * count**0.5


def test_codebooks_can_be_trained_above_the_limit():
    count = EXACT_LIMIT + 1
    pq = inverted_file(choose_factory(count, 40)).pq

    assert pq.ksub * POINTS_PER_CENTROID <= count


@pytest.mark.parametrize(
    ("dimension", "subvectors"), [(40, 20), (1024, 512), (2, 1), (41, 41)]
)
def test_one_byte_for_two_dimensions(dimension, subvectors):
    index = inverted_file(choose_factory(10**6, dimension), dimension)

    assert index.pq.M == subvectors
    assert index.pq.nbits == 8


def test_codes_of_large_databases_are_scanned_fast():
    """Half a byte for a dimension, and lists that a graph finds."""
    index = faiss.index_factory(40, choose_factory(FAST_SCAN_LIMIT + 1, 40))

    assert (index.pq.M, index.pq.nbits) == (40, 4)
    assert isinstance(
        faiss.downcast_index(index.quantizer), faiss.IndexHNSWFlat
    )


def test_the_index_of_the_paper():
    """8K words, and 50 bits for a descriptor of 40 dimensions."""
    index = inverted_file(NAMED_FACTORIES["paper"])

    assert index.nlist == 8192
    assert (index.pq.M, index.pq.nbits) == (10, 5)
