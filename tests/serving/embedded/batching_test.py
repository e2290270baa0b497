"""Requests in a queue, and the batches that are made of them."""

import threading

import grpc
import numpy as np
import pytest

from delf_keras.serving.embedded.batching import Batcher, BatchingOptions
from delf_keras.serving.embedded.errors import RequestError

LONG = 60.0
SECONDS = 20.0


class Model:
    """Doubles numbers but -1, and notes the batches that it was given.

    Attributes:
        gate: It answers when this is set.
    """

    def __init__(self):
        self.batches = []
        self.gate = threading.Event()
        self._entered = threading.Semaphore(0)

    def __call__(self, inputs):
        self.batches.append(inputs["x"].tolist())
        self._entered.release()
        assert self.gate.wait(SECONDS)
        if -1 in inputs["x"]:
            raise ValueError("not -1")
        return {"y": 2 * inputs["x"]}

    def wait_for_call(self):
        assert self._entered.acquire(timeout=SECONDS)


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def make_batcher(model):
    """A function of options to a `Batcher`, which is closed at the end."""
    batchers = []

    def make_batcher(**options):
        batchers.append(Batcher(BatchingOptions(**options)))
        return batchers[-1]

    yield make_batcher
    model.gate.set()
    for batcher in batchers:
        batcher.close()


@pytest.fixture
def busy(make_batcher, model):
    """A function like `make_batcher`; the only thread runs a request of 0."""

    def busy(**options):
        batcher = make_batcher(threads=1, **options)
        batcher.submit(model, None, {"x": np.array([0])})
        model.wait_for_call()
        return batcher

    return busy


@pytest.fixture
def submit(model):
    """A function that queues a request of numbers."""

    def submit(batcher, *numbers, key="key", timeout=None):
        inputs = {"x": np.array(numbers)}
        return batcher.submit(model, key, inputs, timeout)

    return submit


def result(future):
    return future.result(SECONDS)["y"].tolist()


def test_joins_up_to_the_largest_batch(busy, submit, model):
    batcher = busy(max_batch_size=3)
    futures = [submit(batcher, number) for number in range(1, 6)]
    model.gate.set()

    assert [result(future) for future in futures] == [[2], [4], [6], [8], [10]]
    assert model.batches == [[0], [1, 2, 3], [4, 5]]


def test_requests_of_several_rows(busy, submit, model):
    """They are not split, nor does one overtake another."""
    batcher = busy(max_batch_size=3)
    requests = [(1, 2), (3, 4), (5,), (6, 7, 8, 9), (10,)]
    futures = [submit(batcher, *numbers) for numbers in requests]
    model.gate.set()

    for numbers, future in zip(requests, futures, strict=True):
        assert result(future) == [2 * number for number in numbers]
    assert model.batches == [[0], [1, 2], [3, 4, 5], [6, 7, 8, 9], [10]]


def test_only_equal_keys_are_joined(busy, submit, model):
    """The oldest request runs first, and those without a key alone."""
    batcher = busy(max_batch_size=8)
    futures = [
        submit(batcher, number, key=key)
        for number, key in enumerate(("a", "b", "a", None, None, "b"), 1)
    ]
    model.gate.set()

    for number, future in enumerate(futures, 1):
        assert result(future) == [2 * number]
    assert model.batches == [[0], [1, 3], [2, 6], [4], [5]]


def test_waits_until_the_batch_is_full(make_batcher, submit, model):
    model.gate.set()
    batcher = make_batcher(max_batch_size=2, timeout_seconds=LONG)
    first = submit(batcher, 1)
    with pytest.raises(TimeoutError):
        first.result(0.05)

    assert result(submit(batcher, 2)) == [4] and result(first) == [2]
    assert model.batches == [[1, 2]]


def test_waits_no_longer_than_the_timeout(make_batcher, submit, model):
    model.gate.set()
    batcher = make_batcher(max_batch_size=2, timeout_seconds=0.01)
    assert result(submit(batcher, 1)) == [2]


def test_a_batch_that_waits_holds_no_other_back(make_batcher, submit, model):
    model.gate.set()
    batcher = make_batcher(max_batch_size=2, timeout_seconds=LONG, threads=2)
    submit(batcher, 1, key="a")
    for _ in range(5):
        assert result(submit(batcher, 2, key=None)) == [4]
    other = submit(batcher, 3, key="b")
    assert result(submit(batcher, 4, key="b")) == [8]
    assert result(other) == [6]


def test_threads_bound_what_runs(make_batcher, submit, model):
    batcher = make_batcher(threads=2)
    futures = [submit(batcher, number, key=None) for number in range(4)]
    model.wait_for_call()
    model.wait_for_call()
    with pytest.raises(TimeoutError):
        futures[2].result(0.05)
    assert len(model.batches) == 2

    model.gate.set()
    assert [result(future) for future in futures] == [[0], [2], [4], [6]]


def test_cancelled_requests_are_not_run(busy, submit, model):
    batcher = busy(max_queued=2)
    cancelled, kept = submit(batcher, 1), submit(batcher, 2)
    assert cancelled.cancel()
    # Its place in the queue is free.
    another = submit(batcher, 3)
    assert another.cancel()
    model.gate.set()

    assert result(kept) == [4]
    assert model.batches == [[0], [2]]


def test_bytes_that_wait_are_bounded(busy, submit, model):
    """However few requests they are; one alone always waits."""
    batcher = busy(max_queued_bytes=30)
    waiting = submit(batcher, 1, 2, 3, 4)
    with pytest.raises(RequestError, match="32 bytes of") as error:
        submit(batcher, 5)
    assert error.value.code == grpc.StatusCode.UNAVAILABLE
    model.gate.set()
    assert result(waiting) == [2, 4, 6, 8]
    assert result(submit(batcher, 5)) == [10]


def test_deadline(busy, submit, model):
    batcher = busy()
    late = submit(batcher, 1, timeout=0)
    in_time = submit(batcher, 2, timeout=LONG)
    model.gate.set()

    with pytest.raises(RequestError, match="deadline passed") as error:
        result(late)
    assert error.value.code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert result(in_time) == [4]
    assert model.batches == [[0], [2]]


def test_full_queue(busy, submit, model):
    batcher = busy(max_queued=2)
    futures = [submit(batcher, 1), submit(batcher, 2)]
    with pytest.raises(RequestError, match="2 requests wait") as error:
        submit(batcher, 3)
    assert error.value.code == grpc.StatusCode.UNAVAILABLE

    model.gate.set()
    assert [result(future) for future in futures] == [[2], [4]]


def test_a_bad_request_fails_alone(busy, submit, model):
    batcher = busy(max_batch_size=3)
    good, bad, other = (submit(batcher, number) for number in (1, -1, 2))
    model.gate.set()

    assert result(good) == [2] and result(other) == [4]
    with pytest.raises(ValueError, match="not -1"):
        result(bad)
    assert model.batches == [[0], [1, -1, 2], [1], [-1], [2]]


def test_close_answers_what_is_queued(busy, submit, model):
    batcher = busy(timeout_seconds=LONG)
    queued = [submit(batcher, number) for number in (1, 2)]
    closing = threading.Thread(target=batcher.close)
    closing.start()
    model.gate.set()
    closing.join(SECONDS)

    assert not closing.is_alive()
    assert [future.result(0)["y"].tolist() for future in queued] == [[2], [4]]
    with pytest.raises(RequestError, match="The server stops") as error:
        submit(batcher, 3)
    assert error.value.code == grpc.StatusCode.UNAVAILABLE
