"""Queries run at once, and their results come in order."""

import os
import signal
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import cv2
import faiss
import keras
import pytest
from threadpoolctl import threadpool_info

from delf_keras.retrieval.image_index import ImageIndex
from delf_keras.retrieval.index_files import index_info, verify_index
from delf_keras.retrieval.search_threads import (
    map_candidates,
    map_queries,
    one_blas_thread,
)


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


def _blas_threads():
    return [
        (each["filepath"], each["num_threads"])
        for each in threadpool_info()
        if each["user_api"] == "blas"
    ]


def test_uses_of_blas_that_overlap_restore_it():
    """The one that began first ends first."""
    before = _blas_threads()
    first, second = one_blas_thread(), one_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert {count for _, count in _blas_threads()} == {1}
    second.__exit__(None, None, None)
    assert _blas_threads() == before


def test_search_that_nobody_reads_to_its_end_leaves_blas_alone():
    before = _blas_threads()
    results = map_queries(lambda query: query, range(100), 2)
    next(results)
    results.gi_frame.f_locals["pool"].shutdown()
    assert _blas_threads() == before
    results.close()


def _state_of_process():
    umask = os.umask(0)
    os.umask(umask)
    streams = [os.fstat(descriptor) for descriptor in (0, 1, 2)]
    return {
        "streams": [(each.st_dev, each.st_ino) for each in streams],
        "blas": _blas_threads(),
        "openmp": faiss.omp_get_max_threads(),
        "opencv": cv2.getNumThreads(),
        "keras": [
            keras.config.dtype_policy().name,
            keras.config.floatx(),
            keras.config.image_data_format(),
        ],
        "signals": [*map(signal.getsignal, signal.valid_signals())],
        "warnings": [*warnings.filters],
        "folder": os.getcwd(),
        "umask": umask,
        "environment": dict(os.environ),
        "threads": sorted(each.name for each in threading.enumerate()),
    }


def test_process_is_left_as_it_was(
    tiny_index_folder, photographs, capfd, monkeypatch
):
    index = ImageIndex.load(tiny_index_folder)
    paths = sorted(photographs.glob("*.jpg"))
    queries = [index.extractor.extract(path) for path in paths]

    def work(number):
        loaded = ImageIndex.load(tiny_index_folder)
        assert not verify_index(tiny_index_folder)
        assert index_info(tiny_index_folder)["photographs"] == len(paths)
        found = loaded.search(queries[number % len(queries)])
        many = [*loaded.search_many(queries[:2], workers=2)]
        return found[0].name, [each[0].name for each in many]

    work(0)
    capfd.readouterr()
    before = _state_of_process()
    # Streams that are led elsewhere for a moment are so for other threads too.
    monkeypatch.delattr(os, "dup2")
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(work, range(16))]
    monkeypatch.undo()
    assert _state_of_process() == before
    assert capfd.readouterr() == ("", "")
    names = [path.name for path in paths]
    assert answers == [(names[n % len(names)], names[:2]) for n in range(16)]
