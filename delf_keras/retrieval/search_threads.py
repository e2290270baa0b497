"""Queries and candidates at once, in threads."""

import functools
from concurrent.futures import ThreadPoolExecutor

import faiss
from threadpoolctl import ThreadpoolController

from delf_keras.parallel import ordered_map, usable_cores


def map_queries(search, queries, workers=None):
    """Applies a function to queries in threads, in their order.

    Each query takes one core. faiss and numpy let other threads work
    meanwhile, so that no part of a search leaves a core idle, as it does
    where queries come one after the other.

    Args:
        search: Callable of a query.
        queries: Iterable. It is read as far ahead as there are workers.
        workers: int. One for each core if not given.

    Yields:
        What the function returns.
    """
    workers = workers or usable_cores()
    with (
        one_blas_thread(),
        ThreadPoolExecutor(
            workers, initializer=faiss.omp_set_num_threads, initargs=(1,)
        ) as pool,
    ):
        yield from ordered_map(pool, search, queries, workers + 1)


def map_candidates(verify, *candidates):
    """Applies a function to candidates in threads, in their order.

    Args:
        verify: Callable.
        *candidates: Iterables of its arguments; the shortest counts.

    Returns:
        list of what the function returns.
    """
    with one_blas_thread(), ThreadPoolExecutor(usable_cores()) as pool:
        return [*pool.map(verify, *candidates)]


def one_blas_thread():
    """Keeps numpy from threads of its own, which a small product wastes."""
    return _controller().limit(limits=1, user_api="blas")


@functools.cache
def _controller():
    return ThreadpoolController()
