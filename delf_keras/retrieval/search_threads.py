"""Queries and candidates at once, in threads."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import faiss
from threadpoolctl import ThreadpoolController

from delf_keras.forking import at_fork, lock_across_forks
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

    def search_alone(query):
        with one_blas_thread():
            return search(query)

    with ThreadPoolExecutor(
        workers, initializer=faiss.omp_set_num_threads, initargs=(1,)
    ) as pool:
        yield from ordered_map(pool, search_alone, queries, workers + 1)


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


@contextlib.contextmanager
def one_blas_thread():
    """Keeps numpy from threads of its own, which a small product wastes.

    Their number is the same for all threads of a process: the first that
    comes here lowers it, the last that leaves restores it.
    """
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()


class _BlasLimit:
    def __init__(self):
        self._lock = lock_across_forks()
        self._users = 0
        self._controller = None
        self._limiter = None

    def enter(self):
        with self._lock:
            if not self._users:
                self._controller = self._controller or ThreadpoolController()
                self._limiter = self._controller.limit(
                    limits=1, user_api="blas"
                )
            self._users += 1

    def leave(self):
        with self._lock:
            self._users -= 1
            if not self._users:
                self._limiter.restore_original_limits()

    def forget_users(self):
        """Restores the number in a fork, which has no other threads."""
        if self._users:
            self._users = 0
            self._limiter.restore_original_limits()


_limit = _BlasLimit()
at_fork(_limit.forget_users)
# The threads of OpenMP that searched are not in a fork, which would wait for
# them.
at_fork(lambda: faiss.omp_set_num_threads(1))
