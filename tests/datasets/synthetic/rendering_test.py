"""Many photographs, by one process or several."""

import multiprocessing
import subprocess
import sys

import numpy as np
import pytest

from delf_keras.datasets.synthetic.rendering import (
    render_distractors,
    render_landmarks,
)

SIZE = (96, 128)


def test_all_views_of_a_landmark_in_order():
    photographs = render_landmarks([4, 2], range(1, 3), SIZE)
    seeds = [(each.landmark_seed, each.view_seed) for each in photographs]
    assert seeds == [(4, 1), (4, 2), (2, 1), (2, 2)]


def test_several_processes_render_the_same_bytes():
    for render in (
        lambda processes: render_landmarks([4, 2], [0], SIZE, processes),
        lambda processes: render_distractors(range(13), SIZE, processes),
    ):
        for here, there in zip(render(1), render(2), strict=True):
            assert here.jpeg == there.jpeg
            assert here.view_seed == there.view_seed
            np.testing.assert_array_equal(here.homography, there.homography)


def test_stops_when_nobody_takes_the_photographs():
    photographs = render_distractors(range(1200), SIZE, processes=2)
    next(photographs)
    photographs.close()
    assert not multiprocessing.active_children()


def test_a_process_that_is_killed():
    photographs = render_distractors(range(1200), SIZE, processes=2)
    next(photographs)
    for process in multiprocessing.active_children():
        process.kill()
    with pytest.raises(ChildProcessError, match="processes=2"):
        list(photographs)


KILLED = """
import os, signal
from delf_keras.datasets.synthetic.rendering import render_distractors
photographs = render_distractors(range(1200), (96, 128), processes=2)
next(photographs)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_processes_end_when_their_parent_is_killed():
    # Their output ends when the last of them does.
    program = [sys.executable, "-c", KILLED]
    finished = subprocess.run(program, stdout=subprocess.PIPE, timeout=60)
    assert finished.returncode < 0
