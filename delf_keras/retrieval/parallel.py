"""Queries and candidates at once, in threads."""

import collections
import functools
import os
from concurrent.futures import ThreadPoolExecutor

import faiss
from threadpoolctl import ThreadpoolController


def map_queries(search, queries, workers=None):
    """Applies a function to queries in threads, in their order.

    Each query takes one processor. faiss and numpy let other threads work
    meanwhile, so that no part of a search leaves a processor idle, as it does
    where queries come one after the other.

    Args:
        search: Callable of a query.
        queries: Iterable. It is read as far ahead as there are workers.
        workers: int. One for each processor if not given.

    Yields:
        What the function returns.
    """
    workers = workers or processors()
    with (
        one_blas_thread(),
        ThreadPoolExecutor(
            workers, initializer=faiss.omp_set_num_threads, initargs=(1,)
        ) as pool,
    ):
        running = collections.deque()
        try:
            for query in queries:
                running.append(pool.submit(search, query))
                if len(running) > workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for each in running:
                each.cancel()


def map_candidates(verify, *candidates):
    """Applies a function to candidates in threads, in their order.

    Args:
        verify: Callable.
        *candidates: Iterables of its arguments; the shortest counts.

    Returns:
        list of what the function returns.
    """
    with one_blas_thread(), ThreadPoolExecutor(processors()) as pool:
        return [*pool.map(verify, *candidates)]


def processors():
    """Returns how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def one_blas_thread():
    """Keeps numpy from threads of its own, which a small product wastes."""
    return _controller().limit(limits=1, user_api="blas")


@functools.cache
def _controller():
    return ThreadpoolController()
