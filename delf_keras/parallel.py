"""Work done by several threads or processes, in order."""

import os
from collections import deque


def usable_cores():
    """Returns how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ordered_map(executor, function, items, ahead):
    """Calls a function for each item, some items ahead of the caller.

    Unlike `executor.map` it takes items and keeps results only as they are
    needed, so that there may be any number of them.

    Args:
        executor: `concurrent.futures.Executor`.
        function: Called with one item.
        items: Iterable.
        ahead: int. Results that may be under way or waiting at once.

    Yields:
        The results, in the order of the items.
    """
    pending = deque()
    try:
        for item in items:
            pending.append(executor.submit(function, item))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
