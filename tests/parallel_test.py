"""Work done in parallel."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from delf_keras.parallel import ordered_map


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.mark.parametrize("ahead", [1, 3, 100])
def test_results_come_in_order(pool, ahead):
    squares = ordered_map(pool, lambda number: number**2, range(20), ahead)
    assert list(squares) == [number**2 for number in range(20)]


def test_items_are_taken_only_as_they_are_needed(pool):
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    results = ordered_map(pool, str, items(), ahead=3)
    assert next(results) == "0"
    assert taken == [0, 1, 2]
    assert next(results) == "1"
    assert taken == [0, 1, 2, 3]


def test_work_goes_on_while_the_caller_is_busy(pool):
    done = [threading.Event() for _ in range(3)]
    results = ordered_map(pool, lambda event: event.set(), done, ahead=3)
    next(results)
    assert all(event.wait(10) for event in done)


def test_an_error_is_that_of_the_function(pool):
    results = ordered_map(pool, lambda number: 1 / number, [1, 0], ahead=2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_cores_are_those_of_the_process():
    """In a container or under taskset they are fewer than the machine's."""
    code = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); "
        "from delf_keras.parallel import usable_cores; print(usable_cores())"
    )
    program = [sys.executable, "-c", code]
    assert subprocess.check_output(program, text=True) == "1\n"
