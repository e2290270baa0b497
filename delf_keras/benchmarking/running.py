"""Running a benchmark, stage by stage, each kept for the next run."""

import contextlib
import dataclasses
import hashlib
import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from delf_keras.atomic import atomic_path
from delf_keras.datasets.benchmark import Benchmark
from delf_keras.features.files import names_h5, open_h5, read_h5, write_h5
from delf_keras.features.graph import ExtractionOptions
from delf_keras.features.pca_fitting import PcaOptions
from delf_keras.features.photographs import read_query
from delf_keras.retrieval import (
    AsmkOptions,
    ImageIndex,
    SearchOptions,
    build_index,
)

_ARRAYS = ("scores", "inliers", "seconds")


@dataclass(frozen=True)
class BenchmarkOptions:
    """What a run depends on beside photographs and extractor.

    Attributes:
        pca: `PcaOptions`, for an extractor without PCA.
        factory: See `build_index`, as the next three.
        probes: int or None.
        asmk: `AsmkOptions`.
        augmentation: int.
        search: `SearchOptions`.
        seed: int. Of PCA and codebooks.
    """

    pca: PcaOptions = PcaOptions()
    factory: str | None = None
    probes: int | None = None
    asmk: AsmkOptions = AsmkOptions()
    augmentation: int = 0
    search: SearchOptions = SearchOptions()
    seed: int = 0


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
        stages = _Stages(Path(work_folder), benchmark, options, progress)
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
            "factory": index.descriptor_index.factory,
            "dimension": index.descriptor_index.dimension,
            "descriptors": len(index.descriptor_index),
        },
    )


class _Stages:
    """The stages of a run, in files of its work folder."""

    def __init__(self, folder, benchmark, options, progress):
        self.kept = set()
        self.query_seconds = 0.0
        self._folder = folder
        self._benchmark = benchmark
        self._options = options
        self._progress = progress
        self._index_key = None

    def index(self, extractor, learn_on, batch_size):
        """Returns the `ImageIndex`, and a dict of what building it took."""
        options = self._options
        paths = self._benchmark.image_paths
        of_index = dataclasses.replace(options, search=SearchOptions())
        self._index_key = _key(
            extractor.cache_key, of_index, _stamp(paths), _stamp(learn_on or ())
        )
        folder = self._folder / f"index-{self._index_key}"
        record = folder / "benchmark.json"
        if record.is_file():
            self.kept |= {"learn", "extract", "index"}
            return ImageIndex.load(folder), json.loads(record.read_text())
        report = build_index(
            paths,
            extractor,
            pca=options.pca,
            factory=options.factory,
            probes=options.probes,
            asmk=options.asmk,
            augmentation=options.augmentation,
            learn_on=learn_on,
            seed=options.seed,
            work_folder=self._folder,
            batch_size=batch_size,
            progress=self._progress,
        )
        if report.extracted < len(report.index):
            self.kept.add("extract")
        built = {
            "skipped": report.skipped,
            "seconds": report.seconds,
            "extracted": report.extracted,
        }
        report.index.save(folder)
        with atomic_path(record) as temporary:
            temporary.write_text(json.dumps(built))
        return report.index, built

    def queries(self, index, batch_size):
        """Returns the `LocalFeatures` of the queries."""
        benchmark = self._benchmark
        key = _key(
            index.extractor.cache_key,
            _stamp(benchmark.query_paths),
            benchmark.boxes.tolist(),
        )
        names = [f"{n:05d}" for n in range(len(benchmark.query_names))]
        with open_h5(self._folder / f"queries-{key}.h5", "a") as file:
            known = {*names_h5(file)}
            missing = [name for name in names if name not in known]
            if len(missing) < len(names):
                self.kept.add("queries")
            pixels = (self._query(int(name)) for name in missing)
            results = index.extractor.extract_each(pixels, batch_size)
            results = self._progress(results, len(missing), "queries")
            start = time.perf_counter()
            for name, (_, features) in zip(missing, results, strict=True):
                if isinstance(features, Exception):
                    raise features
                write_h5(file, name, features)
                now = time.perf_counter()
                file.attrs["seconds"] = (
                    file.attrs.get("seconds", 0.0) + now - start
                )
                start = now
            self.query_seconds = float(file.attrs.get("seconds", 0.0))
            return [read_h5(file, name) for name in names]

    def search(self, index, queries):
        """Returns scores, inliers and seconds of each query, of the index."""
        key = _key(self._index_key, self._options.search)
        folder = self._folder / f"search-{key}"
        folder.mkdir(parents=True, exist_ok=True)
        searched = []
        each = self._progress(enumerate(queries), len(queries), "search")
        for number, features in each:
            path = folder / f"{number:05d}.npz"
            found = _load(path)
            if found is None:
                found = _search(index, features, self._options.search)
                with atomic_path(path) as temporary:
                    np.savez(
                        temporary, **dict(zip(_ARRAYS, found, strict=True))
                    )
            else:
                self.kept |= {"search", "verify"}
            searched.append(found)
        return searched

    def _query(self, number):
        benchmark = self._benchmark
        return read_query(
            benchmark.query_paths[number], benchmark.boxes[number]
        )


def _search(index, features, options):
    start = time.perf_counter()
    first = index.first_scores(features, options)
    middle = time.perf_counter()
    verified = index.verify(features, first, options)
    scores = index.final_scores(features, first, verified, options)
    inliers = np.zeros(len(index), np.int32)
    inliers[[*verified]] = [*map(len, verified.values())]
    end = time.perf_counter()
    return scores, inliers, np.array([middle - start, end - middle])


def _load(path):
    """Returns the arrays of a file, None if it is absent or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return tuple(arrays[name] for name in _ARRAYS)
    # numpy, zipfile and zlib have a dozen exceptions for a damaged file.
    except Exception:
        return None


def _in_order(benchmark, index, scores, inliers):
    """Brings `[Q, images of the index]` to `[N, Q]` of the benchmark."""
    position = {
        os.path.abspath(path)[1:]: number
        for number, path in enumerate(benchmark.image_paths)
    }
    rows = [position[name] for name in index.store.names]
    shape = len(benchmark.image_names), len(scores)
    all_scores = np.full(shape, -np.inf)
    all_inliers = np.zeros(shape, np.int32)
    all_scores[rows], all_inliers[rows] = scores.T, inliers.T
    return all_scores, all_inliers


def _check_queries(benchmark):
    for path, box in zip(benchmark.query_paths, benchmark.boxes, strict=True):
        read_query(path, box)


def _stamp(paths):
    """Identifies files by their names, sizes and times."""
    digest = hashlib.sha256()
    for path in paths:
        status = os.stat(path)
        digest.update(
            f"{path} {status.st_size} {status.st_mtime_ns}\n".encode()
        )
    return digest.hexdigest()


def _key(*parts):
    text = "\n".join(map(str, parts))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
