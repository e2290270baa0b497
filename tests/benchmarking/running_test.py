"""A benchmark runs by stages, and none of them twice."""

import dataclasses
import shutil

import numpy as np
import pytest

from delf_keras.benchmarking.running import BenchmarkOptions, run_benchmark
from delf_keras.datasets.benchmarks import open_benchmark
from delf_keras.features.decoding import ImageError
from delf_keras.features.pca_fitting import PcaOptions
from delf_keras.retrieval import SearchOptions

OPTIONS = BenchmarkOptions(pca=PcaOptions(16))


@pytest.fixture(scope="module")
def benchmark(revisited_set):
    return open_benchmark(revisited_set)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def outcome(benchmark, tiny_extractor, work):
    return run_benchmark(benchmark, tiny_extractor, OPTIONS, work_folder=work)


class Progress:
    """Counts what is done, and interrupts it where it is told to."""

    def __init__(self, stop=None):
        self.done = {}
        self._stop = stop

    def __call__(self, iterable, total, label):
        for number, item in enumerate(iterable):
            if (label, number) == self._stop:
                raise KeyboardInterrupt
            self.done[label] = number + 1
            yield item


def test_rankings_are_full_and_evaluated(outcome, benchmark):
    images, queries = len(benchmark.image_names), len(benchmark.query_names)

    assert outcome.ranks.shape == (images, queries)
    np.testing.assert_array_equal(
        np.sort(outcome.ranks, axis=0),
        np.tile(np.arange(images)[:, None], queries),
    )
    expected = benchmark.evaluate(outcome.ranks)
    for protocol, result in outcome.results.items():
        np.testing.assert_equal(
            result.average_precision, expected[protocol].average_precision
        )
    assert set(outcome.seconds) == {
        "learn",
        "extract",
        "index",
        "queries",
        "search",
        "verify",
        "evaluate",
    }
    assert not outcome.kept and not outcome.skipped
    assert outcome.extracted == images


def test_second_run_does_nothing_again(
    outcome, benchmark, tiny_extractor, work
):
    progress = Progress()
    again = run_benchmark(
        benchmark,
        tiny_extractor,
        OPTIONS,
        work_folder=work,
        progress=progress,
    )

    assert "extract" not in progress.done and "queries" not in progress.done
    assert again.kept >= {"extract", "index", "queries", "search", "verify"}
    np.testing.assert_array_equal(again.ranks, outcome.ranks)
    for stage in again.seconds.keys() - {"evaluate"}:
        assert again.seconds[stage] == pytest.approx(outcome.seconds[stage])


def test_other_search_needs_no_extraction(
    outcome, benchmark, tiny_extractor, work
):
    options = dataclasses.replace(OPTIONS, search=SearchOptions(candidates=0))
    again = run_benchmark(benchmark, tiny_extractor, options, work_folder=work)

    assert again.kept == {"learn", "extract", "index", "queries"}
    assert not again.inliers.any()
    assert outcome.inliers.any()


def test_interrupted_search_goes_on(outcome, benchmark, tiny_extractor, work):
    options = dataclasses.replace(OPTIONS, search=SearchOptions(neighbors=50))
    with pytest.raises(KeyboardInterrupt):
        run_benchmark(
            benchmark,
            tiny_extractor,
            options,
            work_folder=work,
            progress=Progress(stop=("search", 2)),
        )
    files = {*work.glob("search-*/*.npz")}
    times = {file: file.stat().st_mtime_ns for file in files}
    run_benchmark(benchmark, tiny_extractor, options, work_folder=work)

    added = {*work.glob("search-*/*.npz")} - files
    assert len(added) == len(benchmark.query_names) - 2
    assert all(file.stat().st_mtime_ns == times[file] for file in files)


def test_damaged_file_is_computed_again(
    outcome, benchmark, tiny_extractor, work
):
    for file in work.glob("search-*/00000.npz"):
        file.write_bytes(b"damaged")
    again = run_benchmark(benchmark, tiny_extractor, OPTIONS, work_folder=work)
    np.testing.assert_array_equal(again.ranks, outcome.ranks)


@pytest.mark.parametrize("damage", ["learned/descriptors.faiss", "record"])
def test_damaged_index_is_built_again(
    outcome, benchmark, tiny_extractor, tmp_path, work, damage
):
    copy = shutil.copytree(work, tmp_path / "work")
    for folder in copy.glob("index-*/"):
        if damage == "record":
            folder.with_suffix(".json").unlink()
        else:
            (folder / damage).write_bytes(b"damaged")
    progress = Progress()
    again = run_benchmark(
        benchmark,
        tiny_extractor,
        OPTIONS,
        work_folder=copy,
        progress=progress,
    )

    assert progress.done.get("extract", 0) == 0 < progress.done["background"]
    assert "index" not in again.kept and "extract" in again.kept
    np.testing.assert_array_equal(again.ranks, outcome.ranks)


def test_learned_on_others(outcome, benchmark, tiny_extractor, photographs):
    """Its PCA is another, and so is the descriptor space."""
    others = sorted(photographs.glob("*.jpg"))
    progress = Progress()
    again = run_benchmark(
        benchmark,
        tiny_extractor,
        OPTIONS,
        learn_on=others,
        progress=progress,
    )

    assert progress.done["extract"] == len(benchmark.image_names)
    assert progress.done["fit PCA"] == len(others)
    assert (again.scores != outcome.scores).any()


@pytest.fixture
def damaged(revisited_set, tmp_path):
    """A function that damages a photograph of a copy of the set."""

    def damaged(name):
        folder = shutil.copytree(revisited_set, tmp_path / "set")
        (folder / "jpg" / f"{name}.jpg").write_bytes(b"no photograph")
        return open_benchmark(folder)

    return damaged


def test_corrupt_photograph_is_ranked_last(benchmark, tiny_extractor, damaged):
    name = benchmark.image_names[1]
    outcome = run_benchmark(damaged(name), tiny_extractor, OPTIONS)

    assert len(outcome.skipped) == 1
    assert (outcome.ranks[-1] == 1).all()
    assert np.isneginf(outcome.scores[1]).all()


def test_corrupt_query_is_noticed_first(benchmark, tiny_extractor, damaged):
    broken = damaged(benchmark.query_names[0])
    progress = Progress()
    with pytest.raises(ImageError, match=benchmark.query_names[0]):
        run_benchmark(broken, tiny_extractor, OPTIONS, progress=progress)

    assert not progress.done
