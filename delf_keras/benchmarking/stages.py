"""The stages of a benchmark, each kept for the next run."""

import dataclasses
import hashlib
import json
import os
import shutil
import time
from dataclasses import dataclass

import numpy as np

from delf_keras.atomic import atomic_path
from delf_keras.features.files import names_h5, open_h5, read_h5, write_h5
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


class Stages:
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
        record = folder.with_suffix(".json")
        kept = _load_index(folder, record)
        if kept is not None:
            self.kept |= {"learn", "extract", "index"}
            return kept
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
        # Without its record, the folder would not be known for whole.
        with atomic_path(record) as temporary:
            temporary.write_text(json.dumps(built))
        report.index.save(folder)
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


def _load_index(folder, record):
    """Returns a kept index and its record, None if there is no whole one."""
    if not folder.is_dir():
        return None
    try:
        return ImageIndex.load(folder), json.loads(record.read_text())
    except (OSError, ValueError):
        shutil.rmtree(folder)
        return None


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
