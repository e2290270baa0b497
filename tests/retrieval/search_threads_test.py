"""Queries run at once, and their results come in order."""

import threading

import pytest
from threadpoolctl import threadpool_info

from delf_keras.retrieval.search_threads import map_candidates, map_queries


def test_queries_run_at_once():
    """Each waits for the other."""
    barrier = threading.Barrier(2, timeout=10)
    assert len([*map_queries(lambda _: barrier.wait(), range(4), 2)]) == 4


def test_error_of_a_query_is_raised_in_its_place():
    def search(query):
        return 1 / query

    results = map_queries(search, [1, 0, 2], 2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_candidates_share_the_processors_with_no_other_threads():
    def threads(_, __):
        return [
            each["num_threads"]
            for each in threadpool_info()
            if each["user_api"] == "blas" and "numpy" in each["filepath"]
        ]

    for counts in map_candidates(threads, range(3), "abc"):
        assert set(counts) <= {1}
