"""The stages of a benchmark, each kept for the next run."""

import dataclasses
import json
import shutil
import time
from dataclasses import dataclass

import numpy as np

from delf_keras.atomic import atomic_path
from delf_keras.benchmarking.extraction_costs import ExtractionCosts
from delf_keras.benchmarking.kept_files import is_whole, key_of, stamp_of
from delf_keras.features.files import names_h5, open_h5, read_h5, write_h5
from delf_keras.features.pca_fitting import PcaOptions
from delf_keras.features.photographs import read_query
from delf_keras.retrieval import (
    AsmkOptions,
    ImageIndex,
    SearchOptions,
    build_index,
)
from delf_keras.system_errors import is_of_system

_ARRAYS = ("scores", "inliers", "seconds")


@dataclass(frozen=True)
class BenchmarkOptions:
    """What a run depends on beside photographs and extractor.

    Attributes:
        pca: `PcaOptions`, for an extractor without PCA.
        factory: See `build_index`, as the next five.
        probes: int or None.
        recall: float.
        asmk: `AsmkOptions`.
        descriptor_type: str.
        augmentation: int.
        search: `SearchOptions`.
        seed: int. Of PCA and codebooks.
    """

    pca: PcaOptions = PcaOptions()
    factory: str | None = None
    probes: int | None = None
    recall: float = 0.95
    asmk: AsmkOptions = AsmkOptions()
    descriptor_type: str = "int8"
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
        self._queries_key = None

    def index(self, extractor, learn_on, batch_size):
        """Returns the `ImageIndex`, and a dict of what building it took."""
        options = self._options
        features_key = key_of(
            extractor.cache_key,
            options.pca,
            stamp_of(self._benchmark.image_paths),
            # The seed chooses among the photographs to learn on.
            learn_on and (stamp_of(learn_on), options.seed),
        )
        of_index = dataclasses.replace(options, search=SearchOptions())
        self._index_key = key_of(features_key, of_index)
        folder = self._folder / f"index-{self._index_key}"
        record = folder.with_suffix(".json")
        kept = _load_index(folder, record)
        if kept is not None:
            self.kept |= {"learn", "extract", "index"}
            return kept
        features_folder = self._folder / f"features-{features_key}"
        new = folder.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        report, costs = self._build(
            features_folder, new, extractor, learn_on, batch_size
        )
        built = {
            "skipped": report.skipped,
            "seconds": {
                "learn": costs["learn"],
                "extract": costs["extract"],
                "index": report.seconds["index"],
            },
            "extracted": costs["extracted"],
        }
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
        # Without its record, the folder is not known for whole.
        with atomic_path(record) as temporary:
            temporary.write_text(json.dumps(built))
        return ImageIndex.load(folder), built

    def _build(self, folder, output, extractor, learn_on, batch_size):
        """Returns the `BuildReport`, and what extraction cost in all."""
        if not all(map(is_whole, _files_of_build(folder))):
            shutil.rmtree(folder)
        fit_stage = "extract" if learn_on is None else "learn"
        costs = ExtractionCosts(
            folder / "costs.json",
            self._progress,
            {"learn": "learn", "fit PCA": fit_stage, "extract": "extract"},
        )
        self.kept |= costs.kept
        options = self._options
        try:
            report = build_index(
                self._benchmark.image_paths,
                extractor,
                pca=options.pca,
                factory=options.factory,
                probes=options.probes,
                asmk=options.asmk,
                descriptor_type=options.descriptor_type,
                recall=options.recall,
                augmentation=options.augmentation,
                learn_on=learn_on,
                seed=options.seed,
                output=output,
                # A build tells photographs apart by name only, and PCAs not
                # by what they are learned on.
                work_folder=folder,
                batch_size=batch_size,
                progress=costs,
            )
        except BaseException:
            # An interruption too, after hours of it.
            costs.write()
            raise
        return report, costs.write(report.seconds)

    def queries(self, index, batch_size):
        """Returns the `LocalFeatures` of the queries."""
        benchmark = self._benchmark
        key = self._queries_key = key_of(
            index.extractor.cache_key,
            stamp_of(benchmark.query_paths),
            benchmark.boxes.tolist(),
        )
        path = self._folder / f"queries-{key}.h5"
        if path.exists() and not is_whole(path):
            path.unlink()
        names = [f"{n:05d}" for n in range(len(benchmark.query_names))]
        with open_h5(path, "a") as file:
            known = {*names_h5(file)}
            missing = [name for name in names if name not in known]
            if len(missing) < len(names):
                self.kept.add("queries")
            pixels = (
                self._query(int(name), index.extraction.upright)
                for name in missing
            )
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
        key = key_of(self._index_key, self._queries_key, self._options.search)
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

    def _query(self, number, upright):
        benchmark = self._benchmark
        return read_query(
            benchmark.query_paths[number], benchmark.boxes[number], upright
        )


def _files_of_build(folder):
    return [*folder.glob("*.db"), *folder.glob("*.npz")]


def _load_index(folder, record):
    """Returns a kept index and its record, None if there is no whole one."""
    try:
        return ImageIndex.load(folder), json.loads(record.read_text())
    except (FileNotFoundError, ValueError):
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
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return tuple(arrays[name] for name in _ARRAYS)
    # numpy, zipfile and zlib have a dozen exceptions for a damaged file.
    except Exception as error:
        if is_of_system(error):
            raise
        return None
