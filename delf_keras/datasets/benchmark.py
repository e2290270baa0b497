"""A benchmark of retrieval: photographs, queries, and what they should find."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from delf_keras.datasets.benchmark_files import list_names, photograph_paths
from delf_keras.evaluation import (
    OxfordQuery,
    ProtocolResult,
    RevisitedGroundTruth,
    evaluate_oxford,
    evaluate_revisited,
)


@dataclass(frozen=True, eq=False)
class Benchmark:
    """Photographs to search, what for, and what should be found.

    Attributes:
        name: Of the benchmark, such as "roxford5k", or of its folder.
        image_names: N names of the photographs of the database, without
            suffixes, in the order in which rankings count them.
        image_paths: N `Path`.
        query_names: Q names of the queries: of the photographs for Revisited
            Oxford and Paris, such as "all_souls_1" for the classic ones,
            which have the photographs in the database too.
        query_paths: Q `Path`.
        boxes: float64 `[Q, 4]`. What queries must be cropped to: left, top,
            right, bottom in pixels.
        ground_truth: `RevisitedGroundTruth`, or dict of query name to
            `OxfordQuery`.
        learn_on: Name of the set that PCA and codebooks are learned on, which
            shows other landmarks; None for a folder.
    """

    name: str
    image_names: tuple[str, ...]
    image_paths: tuple[Path, ...]
    query_names: tuple[str, ...]
    query_paths: tuple[Path, ...]
    boxes: np.ndarray
    ground_truth: RevisitedGroundTruth | dict[str, OxfordQuery]
    learn_on: str | None

    def evaluate(self, ranks, ks=(1, 5, 10)):
        """Evaluates rankings.

        Args:
            ranks: int `[N, Q]`. A column holds the 0-based indices of all
                photographs of the database, best first.
            ks: Sequence of ints for the precision at k.

        Returns:
            dict of protocol to `ProtocolResult`: "E", "M" and "H" of the
            revisited ground truth, "mAP" of the classic one.

        Raises:
            ValueError: if a column is not a permutation of the database.
        """
        if isinstance(self.ground_truth, RevisitedGroundTruth):
            return evaluate_revisited(self.ground_truth, ranks, ks)
        ranks = np.asarray(ranks)
        self._check_ranks(ranks)
        names = np.array(self.image_names, object)
        result = evaluate_oxford(
            self.ground_truth,
            dict(zip(self.ground_truth, names[ranks.T], strict=True)),
            ks,
        )
        precisions = [*result.average_precision.values()]
        return {
            "mAP": ProtocolResult(
                mean_average_precision=result.mean_average_precision,
                mean_precision=result.mean_precision,
                average_precision=np.array(precisions, np.float64),
            )
        }

    def _check_ranks(self, ranks):
        shape = len(self.image_names), len(self.ground_truth)
        if ranks.shape != shape or ranks.dtype.kind not in "iu":
            raise ValueError(
                f"ranks must be integers of shape {shape}, a full ranking of "
                "the database in a column for each query. Received: "
                f"ranks.shape={ranks.shape}, ranks.dtype={ranks.dtype}"
            )
        outside = ranks[(ranks < 0) | (ranks >= len(ranks))]
        if outside.size:
            raise ValueError(
                f"ranks must be indices of {len(ranks)} photographs, from 0. "
                f"Received: {outside[0]}"
            )


def revisited_benchmark(name, folder, truth):
    """Makes a benchmark of a folder.

    Args:
        name: str. Of the benchmark.
        folder: str or `Path`. It holds `jpg/`.
        truth: `RevisitedGroundTruth`, which names the database.

    Returns:
        `Benchmark`.

    Raises:
        FileNotFoundError: if photographs are missing.
    """
    names = (*truth.image_names, *truth.query_names)
    paths = photograph_paths(folder, names)
    images = len(truth.image_names)
    return Benchmark(
        name=name,
        image_names=truth.image_names,
        image_paths=tuple(paths[:images]),
        query_names=truth.query_names,
        query_paths=tuple(paths[images:]),
        boxes=truth.boxes,
        ground_truth=truth,
        learn_on=None,
    )


def classic_benchmark(name, folder, truth, database=None):
    """Makes a benchmark of a folder.

    Args:
        name: str. Of the benchmark.
        folder: str or `Path`. It holds `jpg/`.
        truth: dict of query name to `OxfordQuery`.
        database: dict of name to `Path` of photographs; all there are, sorted
            by name, if not given.

    Returns:
        `Benchmark`.

    Raises:
        FileNotFoundError: if queries or positives are missing.
    """
    queries = truth.values()
    positives = set().union(*(query.positives for query in queries))
    photograph_paths(
        folder, sorted(positives | {query.image_name for query in queries})
    )
    if database is None:
        paths = list_names(folder / "jpg").values()
        database = {path.stem: path for path in paths}
        database = dict(sorted(database.items()))
    return Benchmark(
        name=name,
        image_names=tuple(database),
        image_paths=tuple(database.values()),
        query_names=tuple(truth),
        query_paths=tuple(database[query.image_name] for query in queries),
        boxes=np.array([query.box for query in queries], np.float64),
        ground_truth=truth,
        learn_on=None,
    )


def with_distractors(benchmark, distractors):
    """Adds photographs that no query looks for to the end of the database.

    Args:
        benchmark: `Benchmark`.
        distractors: dict of name to `Path`.

    Returns:
        `Benchmark`.
    """
    names = (*benchmark.image_names, *distractors)
    truth = benchmark.ground_truth
    if isinstance(truth, RevisitedGroundTruth):
        truth = dataclasses.replace(truth, image_names=names)
    return dataclasses.replace(
        benchmark,
        image_names=names,
        image_paths=(*benchmark.image_paths, *distractors.values()),
        ground_truth=truth,
    )
