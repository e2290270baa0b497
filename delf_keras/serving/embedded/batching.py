"""Dynamic batching: requests that wait are answered together."""

import itertools
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field

import grpc
import numpy as np

from delf_keras.serving.embedded.errors import RequestError


@dataclass(frozen=True)
class BatchingOptions:
    """How requests are batched.

    Attributes:
        max_batch_size: Rows of a batch. A request of more runs by itself.
        timeout_seconds: How long a batch that is not full waits for more.
        threads: Batches that run at a time.
        max_queued: Requests that wait; more are refused as UNAVAILABLE.
        max_queued_bytes: Bytes of their inputs.
    """

    max_batch_size: int = 4
    timeout_seconds: float = 0.0
    threads: int = 2
    max_queued: int = 256
    max_queued_bytes: int = 2**28


@dataclass(eq=False)
class _Request:
    """A request in the queue.

    Attributes:
        run: A function of inputs, the same for all that may share a batch.
        key: What requests of one batch have in common, or None for a request
            that shares with none.
        inputs: dict of name to array.
        rows: Rows of each input.
        size: Bytes of all inputs.
        deadline: Of `time.monotonic`, or None.
        queued: When it came, of `time.monotonic`.
        future: `Future` of the outputs.
    """

    run: object
    key: object
    inputs: dict
    rows: int
    size: int
    deadline: float | None
    queued: float
    future: Future = field(default_factory=Future)

    def is_wanted(self):
        """Whether somebody waits for the answer, who is told if too late."""
        if not self.future.set_running_or_notify_cancel():
            return False
        if self.deadline is not None and time.monotonic() > self.deadline:
            self.future.set_exception(
                RequestError(
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                    "The deadline passed before the request ran",
                )
            )
            return False
        return True


class Batcher:
    """Runs requests in batches, on a fixed number of threads.

    Each image that is extracted takes hundreds of megabytes meanwhile: the
    number of threads bounds how many there are at a time.

    Args:
        options: `BatchingOptions`.
    """

    def __init__(self, options):
        self._options = options
        self._queue = []
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"batch-{i}", daemon=True)
            for i in range(options.threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, run, key, inputs, timeout=None):
        """Queues a request.

        Args:
            run: A function from a dict of arrays to a dict of arrays.
            key: Hashable. Requests of an equal key may be joined row by row
                into one call of `run`; None for one that may not.
            inputs: dict of name to array.
            timeout: float. Seconds after which nobody waits for it.

        Returns:
            `Future` of the outputs. Where it is cancelled in time, the
            request is not run.

        Raises:
            RequestError: if too many requests wait.
        """
        now = time.monotonic()
        deadline = None if timeout is None else now + timeout
        rows = 1 if key is None else len(next(iter(inputs.values())))
        size = sum(map(_bytes_of, inputs.values()))
        request = _Request(run, key, inputs, rows, size, deadline, now)
        with self._changed:
            # The room of those whose clients are gone is free.
            self._queue = [r for r in self._queue if not r.future.cancelled()]
            self._check_room(size)
            self._queue.append(request)
            self._changed.notify()
        return request.future

    def _check_room(self, size):
        queued = sum(request.size for request in self._queue)
        if self._closed:
            problem = "The server stops"
        elif len(self._queue) >= self._options.max_queued:
            problem = f"{len(self._queue)} requests wait already"
        elif queued and queued + size > self._options.max_queued_bytes:
            problem = f"{queued} bytes of requests wait already"
        else:
            return
        raise RequestError(grpc.StatusCode.UNAVAILABLE, problem)

    def close(self):
        """Answers what is queued, takes no more, and ends the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self):
        while batch := self._next_batch():
            wanted = [request for request in batch if request.is_wanted()]
            if wanted:
                _answer(wanted)

    def _next_batch(self):
        """Returns the requests to run next; none when there will be no more."""
        with self._changed:
            while self._queue or not self._closed:
                batch, wait = self._ready_batch()
                if batch:
                    self._queue = [r for r in self._queue if r not in batch]
                    return batch
                self._changed.wait(wait)
        return []

    def _ready_batch(self):
        """Returns a batch that waits for no more, or how long the next does."""
        end = time.monotonic() - self._options.timeout_seconds
        waits = []
        for batch, full in _batches(self._queue, self._options.max_batch_size):
            wait = batch[0].queued - end
            if full or wait <= 0 or self._closed:
                return batch, None
            waits.append(wait)
        return [], min(waits, default=None)


def _batches(queue, max_rows):
    """Yields the first batch of each key, and whether it can take no more."""
    by_key = {}
    for request in queue:
        key = request if request.key is None else request.key
        by_key.setdefault(key, []).append(request)
    for requests in by_key.values():
        rows = list(itertools.accumulate(r.rows for r in requests))
        count = max(1, sum(total <= max_rows for total in rows))
        full = rows[count - 1] >= max_rows or count < len(requests)
        yield requests[:count], full or requests[0].key is None


def _answer(requests):
    """Runs requests together, or one by one where that fails."""
    try:
        outputs = requests[0].run(_joined(requests))
    except Exception as error:
        if len(requests) > 1:
            for request in requests:
                _answer([request])
        else:
            requests[0].future.set_exception(error)
        return
    if len(requests) == 1:
        requests[0].future.set_result(outputs)
        return
    start = 0
    for request in requests:
        end = start + request.rows
        request.future.set_result(
            {name: rows[start:end] for name, rows in outputs.items()}
        )
        start = end


def _bytes_of(array):
    array = np.asarray(array)
    if array.dtype == object:
        return sum(map(len, array.flat))
    return array.nbytes


def _joined(requests):
    if len(requests) == 1:
        return requests[0].inputs
    return {
        name: np.concatenate([request.inputs[name] for request in requests])
        for name in requests[0].inputs
    }
