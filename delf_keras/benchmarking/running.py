"""Running a benchmark, from photographs to figures."""

import contextlib
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from delf_keras.benchmarking.stages import BenchmarkOptions, Stages
from delf_keras.datasets.benchmark import Benchmark
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.photographs import read_query


@dataclass(frozen=True, eq=False)
class BenchmarkRun:
    """What a run found and what it cost.

    Attributes:
        benchmark: `Benchmark`.
        results: dict of protocol to `ProtocolResult`.
        ranks: int64 `[N, Q]`, full rankings of the database.
        scores: float64 `[N, Q]`; -inf for a photograph that is not in the
            index.
        inliers: int32 `[N, Q]`.
        skipped: dict of photograph to the reason why it is not in the index.
        seconds: dict of stage to the seconds that it took, in this run or in
            the one that it is kept from.
        kept: Names of the stages of which at least a part was kept from an
            earlier run.
        extracted: Photographs that `seconds["extract"]` was taken for.
        extraction: `ExtractionOptions`.
        settings: dict of what the index is, for a report.
    """

    benchmark: Benchmark
    results: dict
    ranks: np.ndarray
    scores: np.ndarray
    inliers: np.ndarray
    skipped: dict[str, str]
    seconds: dict[str, float]
    kept: frozenset[str]
    extracted: int
    extraction: ExtractionOptions
    settings: dict = field(default_factory=dict)


def run_benchmark(
    benchmark,
    extractor,
    options=None,
    *,
    learn_on=None,
    work_folder=None,
    batch_size=1,
    progress=lambda iterable, total, label: iterable,
):
    """Extracts, indexes, searches, verifies and evaluates.

    What a stage makes is kept in the work folder under a name that holds all
    it depends on, photographs included: an interrupted run goes on from
    there, and a run with other options does again only what they change.

    Args:
        benchmark: `Benchmark`.
        extractor: `Extractor`.
        options: `BenchmarkOptions`.
        learn_on: list of `Path` of photographs that PCA and codebooks are
            learned on. Defaults to the database.
        work_folder: str or `Path`. Defaults to a temporary folder.
        batch_size: int. Photographs of one size that run together.
        progress: Wraps an iterable, its length and a label, for a progress
            bar.

    Returns:
        `BenchmarkRun`.

    Raises:
        ImageError: if a query cannot be used; nothing is extracted then.
        ValueError: if no photograph of the database can be used.
    """
    options = options or BenchmarkOptions()
    _check_queries(benchmark)
    with contextlib.ExitStack() as stack:
        if work_folder is None:
            work_folder = stack.enter_context(tempfile.TemporaryDirectory())
        stages = Stages(Path(work_folder), benchmark, options, progress)
        index, built = stages.index(extractor, learn_on, batch_size)
        queries = stages.queries(index, batch_size)
        searched = stages.search(index, queries)
    start = time.perf_counter()
    scores, inliers, seconds = map(np.stack, zip(*searched, strict=True))
    scores, inliers = _in_order(benchmark, index, scores, inliers)
    ranks = np.argsort(-scores, axis=0, kind="stable")
    results = benchmark.evaluate(ranks)
    measured = dict(zip(("search", "verify"), seconds.sum(axis=0), strict=True))
    return BenchmarkRun(
        benchmark=benchmark,
        results=results,
        ranks=ranks,
        scores=scores,
        inliers=inliers,
        skipped=built["skipped"],
        seconds=built["seconds"]
        | {"queries": stages.query_seconds}
        | {stage: float(value) for stage, value in measured.items()}
        | {"evaluate": time.perf_counter() - start},
        kept=frozenset(stages.kept),
        extracted=built["extracted"],
        extraction=index.extraction,
        settings={
            "factory": index.database.factory,
            "dimension": index.database.dimension,
            "descriptors": index.database.num_descriptors,
        },
    )


def _in_order(benchmark, index, scores, inliers):
    """Brings `[Q, images of the index]` to `[N, Q]` of the benchmark."""
    position = {
        os.path.abspath(path)[1:]: number
        for number, path in enumerate(benchmark.image_paths)
    }
    rows = [position[name] for name in index.database.names]
    shape = len(benchmark.image_names), len(scores)
    all_scores = np.full(shape, -np.inf)
    all_inliers = np.zeros(shape, np.int32)
    all_scores[rows], all_inliers[rows] = scores.T, inliers.T
    return all_scores, all_inliers


def _check_queries(benchmark):
    for path, box in zip(benchmark.query_paths, benchmark.boxes, strict=True):
        read_query(path, box)
