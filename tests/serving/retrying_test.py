"""Trying again while a server is unavailable, and only then."""

import pytest

from delf_keras.serving.errors import ServerError
from delf_keras.serving.retrying import RetryOptions, with_retries


@pytest.fixture
def waits(monkeypatch):
    """The seconds that were waited, without waiting."""
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    return waits


def failing(codes):
    """A function that fails with each of the codes, and then returns."""
    codes = list(codes)

    def call():
        if codes:
            raise ServerError(codes.pop(0), "no")
        return "answer"

    return call


def test_no_wait_for_an_answer(waits):
    assert with_retries(failing([]), RetryOptions()) == "answer"
    assert waits == []


def test_waits_grow_up_to_the_longest(waits):
    options = RetryOptions(retries=5, first_seconds=1, longest_seconds=4)
    assert with_retries(failing(["UNAVAILABLE"] * 5), options) == "answer"
    for wait, longest in zip(waits, (1, 2, 4, 4, 4), strict=True):
        assert longest / 2 <= wait <= longest


def test_the_last_error_is_raised(waits):
    options = RetryOptions(retries=3)
    with pytest.raises(ServerError, match="no") as error:
        with_retries(failing(["UNAVAILABLE"] * 4), options)
    assert error.value.code == "UNAVAILABLE"
    assert len(waits) == 3


@pytest.mark.parametrize(
    "code", ["INVALID_ARGUMENT", "NOT_FOUND", "DEADLINE_EXCEEDED", "INTERNAL"]
)
def test_other_errors_are_final(waits, code):
    with pytest.raises(ServerError) as error:
        with_retries(failing(["UNAVAILABLE", code]), RetryOptions())
    assert error.value.code == code
    assert len(waits) == 1


def test_it_is_said_once(waits, caplog):
    with_retries(failing(["UNAVAILABLE"] * 3), RetryOptions())
    assert caplog.messages == ["Unavailable, trying again: no"]
