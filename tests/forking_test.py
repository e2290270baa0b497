"""A fork of a process searches as that does, or says why it cannot."""

import multiprocessing
import os
import threading

import faiss
import pytest

from delf_keras.forking import lock_across_forks
from delf_keras.retrieval.search_threads import one_blas_thread

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks"),
    # Python 3.12 warns of a fork of several threads; that is what is tested.
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


@pytest.fixture
def in_fork():
    """A function that calls another in a fork and returns what it returns."""

    def call(function, pipe):
        try:
            pipe.send(function())
        except Exception as error:
            pipe.send(error)

    def in_fork(function):
        received, sent = multiprocessing.Pipe(duplex=False)
        context = multiprocessing.get_context("fork")
        process = context.Process(target=call, args=(function, sent))
        process.start()
        try:
            assert received.poll(30), "the fork hangs"
            return received.recv()
        finally:
            process.kill()
            process.join()

    return in_fork


@pytest.fixture
def two_threads():
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(2)
    yield
    faiss.omp_set_num_threads(before)


def test_search(tiny_index, tiny_extractor, photographs, in_fork, two_threads):
    query = tiny_index.extractor.extract(sorted(photographs.glob("*.jpg"))[0])

    def search():
        return [each.name for each in tiny_index.search(query)]

    assert search() == in_fork(search)


def test_search_while_others_search(tiny_index, photographs, in_fork):
    """Locks of theirs are not locked for ever, nor BLAS limited."""
    query = tiny_index.extractor.extract(sorted(photographs.glob("*.jpg"))[0])
    done = threading.Event()

    def search():
        while not done.is_set():
            tiny_index.search(query)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            assert in_fork(lambda: len(tiny_index.search(query)))
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_blas_is_not_limited_by_threads_that_are_gone(in_fork):
    from threadpoolctl import threadpool_info

    def blas_threads():
        return [
            each["num_threads"]
            for each in threadpool_info()
            if each["user_api"] == "blas"
            and each["threading_layer"] != "openmp"
        ]

    before = blas_threads()
    with one_blas_thread():
        assert in_fork(blas_threads) == before


def test_extraction_says_that_it_cannot(tiny_index, photographs, in_fork):
    path = sorted(photographs.glob("*.jpg"))[0]
    assert tiny_index.search(path)
    error = in_fork(lambda: tiny_index.search(path))
    assert isinstance(error, RuntimeError)
    assert "start it by spawn. Received: process" in str(error)


def test_lock_of_a_thread_that_is_gone(in_fork):
    lock = lock_across_forks()
    locked, done = threading.Event(), threading.Event()

    def hold():
        with lock:
            locked.set()
            done.wait(0.2)

    thread = threading.Thread(target=hold)
    thread.start()
    locked.wait()
    assert in_fork(lambda: lock.acquire(timeout=5))
    thread.join()
