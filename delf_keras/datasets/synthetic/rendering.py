"""Many photographs, rendered by several processes."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from delf_keras.datasets.synthetic.distractors import render_distractor
from delf_keras.datasets.synthetic.photographs import encode_jpeg
from delf_keras.datasets.synthetic.views import render_view
from delf_keras.parallel import ordered_map

# Distractors of one piece of work: what comes back from another process at
# once should be worth the way.
_DISTRACTORS_AT_ONCE = 6


@dataclass(frozen=True, eq=False)
class RenderedPhotograph:
    """An encoded photograph, and how to render it again.

    Attributes:
        jpeg: bytes.
        landmark_seed: int, -1 for a distractor.
        view_seed: int; the seed of a distractor.
        homography: float64 [3, 3], see `View`; NaN for a distractor.
    """

    jpeg: bytes
    landmark_seed: int
    view_seed: int
    homography: np.ndarray


@dataclass(frozen=True)
class _Landmark:
    """All views of a landmark are one piece of work: it is drawn once."""

    seed: int
    view_seeds: Iterable[int]
    size: tuple[int, int]


@dataclass(frozen=True)
class _Distractors:
    seeds: Iterable[int]
    size: tuple[int, int]


def render_landmarks(landmark_seeds, view_seeds, size, processes=1):
    """Renders the same views of several landmarks.

    Args:
        landmark_seeds: Sequence of ints, at least 0.
        view_seeds: Sequence of ints, at least 0.
        size: (height, width), pixels, each at least 96.
        processes: int. How many render at once. With more than one, the main
            module of the program must be guarded by
            `if __name__ == "__main__"`.

    Yields:
        `RenderedPhotograph`, all views of the first landmark first. They do
        not depend on the number of processes.

    Raises:
        ChildProcessError: if a process is killed, as one is that uses more
            memory than there is.
    """
    work = [_Landmark(seed, view_seeds, size) for seed in landmark_seeds]
    yield from _render_each(_views, work, processes)


def render_distractors(seeds, size, processes=1):
    """Renders photographs of things that are no landmarks.

    Args:
        seeds: Sequence of ints, at least 0.
        size: See `render_landmarks`.
        processes: See `render_landmarks`.

    Yields:
        `RenderedPhotograph`, in the order of the seeds.

    Raises:
        ChildProcessError: see `render_landmarks`.
    """
    starts = range(0, len(seeds), _DISTRACTORS_AT_ONCE)
    work = [
        _Distractors(seeds[start : start + _DISTRACTORS_AT_ONCE], size)
        for start in starts
    ]
    yield from _render_each(_distractors, work, processes)


def _views(landmark):
    photographs = []
    for view_seed in landmark.view_seeds:
        view = render_view(landmark.seed, view_seed, landmark.size)
        photographs.append(
            RenderedPhotograph(
                encode_jpeg(view.image),
                landmark.seed,
                view_seed,
                view.homography,
            )
        )
    return photographs


def _distractors(work):
    return [
        RenderedPhotograph(
            encode_jpeg(render_distractor(seed, work.size)),
            landmark_seed=-1,
            view_seed=seed,
            homography=np.full((3, 3), np.nan),
        )
        for seed in work.seeds
    ]


def _render_each(render, work, processes):
    """Yields the photographs of all pieces of work, in order."""
    if processes == 1:
        for each in work:
            yield from render(each)
        return
    # A fork of a process in which TensorFlow has threads may hang.
    executor = ProcessPoolExecutor(
        min(processes, max(len(work), 1)),
        multiprocessing.get_context("spawn"),
        _prepare_process,
    )
    try:
        for photographs in ordered_map(executor, render, work, 2 * processes):
            yield from photographs
    except BrokenExecutor as error:
        raise ChildProcessError(
            "A process that rendered photographs was killed, perhaps for want "
            f"of memory: try fewer. Received: processes={processes}"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _prepare_process():
    # Each process has a core of its own, and an interruption is the parent's.
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    # A parent that is killed leaves its processes waiting for ever.
    multiprocessing.parent_process().join()
    os._exit(1)
