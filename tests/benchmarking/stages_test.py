"""What is kept is kept for what it depends on, and for nothing else."""

import dataclasses
import errno
import os
import shutil

import numpy as np
import pytest

from delf_keras.benchmarking.running import BenchmarkOptions, run_benchmark
from delf_keras.datasets.benchmarks import open_benchmark
from delf_keras.features.pca_fitting import PcaOptions
from delf_keras.retrieval import ImageIndex

OPTIONS = BenchmarkOptions(pca=PcaOptions(16))


@pytest.fixture(scope="module")
def run(tiny_extractor):
    """A function that runs a benchmark with a tiny extractor."""

    def run(benchmark, work=None, options=OPTIONS, **others):
        return run_benchmark(
            benchmark, tiny_extractor, options, work_folder=work, **others
        )

    return run


@pytest.fixture(scope="module")
def others(photographs):
    """Photographs of another set."""
    return sorted(photographs.glob("*.jpg"))


@pytest.fixture(scope="module")
def before(run, revisited_set, tmp_path_factory):
    """A set and the work folder of a run on it, not to be changed."""
    home = tmp_path_factory.mktemp("stages")
    folder = shutil.copytree(revisited_set, home / "set")
    run(open_benchmark(folder), home / "work")
    return home


@pytest.fixture
def benchmark(before):
    return open_benchmark(before / "set")


@pytest.fixture
def work(before, tmp_path):
    return shutil.copytree(before / "work", tmp_path / "work")


def test_pca_is_not_that_of_another_set(run, benchmark, work, others):
    again = run(benchmark, work, learn_on=others)
    alone = run(benchmark, learn_on=others)

    assert "learn" not in again.kept
    np.testing.assert_allclose(again.scores, alone.scores)


def test_changed_photograph_is_noticed(run, revisited_set, tmp_path):
    folder = shutil.copytree(revisited_set, tmp_path / "set")
    benchmark, work = open_benchmark(folder), tmp_path / "work"
    run(benchmark, work)
    shutil.copy(benchmark.image_paths[5], benchmark.image_paths[0])
    again, alone = run(benchmark, work), run(benchmark)

    assert "extract" not in again.kept
    np.testing.assert_allclose(again.scores, alone.scores)


def test_other_queries_are_searched_for(run, benchmark, work):
    changed = dataclasses.replace(
        benchmark,
        query_paths=benchmark.query_paths[::-1],
        boxes=benchmark.boxes[::-1],
    )
    again = run(changed, work)

    assert "index" in again.kept and "search" not in again.kept
    np.testing.assert_allclose(again.scores[:, ::-1], run(benchmark).scores)


def test_time_of_extraction_is_that_of_the_run_that_did_it(
    run, benchmark, others, tmp_path
):
    first = run(benchmark, tmp_path, learn_on=others)
    options = dataclasses.replace(OPTIONS, factory="Flat")
    second = run(benchmark, tmp_path, options, learn_on=others)

    assert not first.kept
    assert second.kept == {"learn", "extract", "queries"}
    for stage in ("learn", "extract"):
        assert second.seconds[stage] == first.seconds[stage] > 0
    assert second.extracted == first.extracted == len(benchmark.image_names)


def test_time_of_an_interrupted_extraction_counts(run, benchmark, tmp_path):
    options = dataclasses.replace(OPTIONS, pca=PcaOptions(0))

    def interrupt(iterable, total, label):
        for number, item in enumerate(iterable):
            if number == 5:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt):
        run(benchmark, tmp_path, options, progress=interrupt)
    outcome = run(benchmark, tmp_path, options)

    assert "extract" in outcome.kept
    assert outcome.extracted == len(benchmark.image_names)


@pytest.mark.parametrize("kind", ["features", "pca", "queries"])
def test_damaged_file_is_made_again(run, benchmark, work, kind):
    (file,) = (
        path
        for path in work.rglob(f"{kind}-*")
        if path.suffix in (".db", ".h5", ".npz")
    )
    file.write_bytes(b"damaged")
    for folder in work.glob("index-*/"):
        shutil.rmtree(folder)
    again = run(benchmark, work)

    if kind == "queries":
        assert again.kept == {"extract", "search", "verify"}
    else:
        assert again.kept == {"queries", "search", "verify"}
    assert again.extracted == len(benchmark.image_names)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES])
def test_what_the_system_cannot_open_stays(
    run, benchmark, work, monkeypatch, number
):
    before = sorted(work.rglob("*"))

    def fail(folder):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(ImageIndex, "load", fail)
        with pytest.raises(OSError, match=os.strerror(number)):
            run(benchmark, work)
    assert sorted(work.rglob("*")) == before
    assert "index" in run(benchmark, work).kept


def test_damaged_index_stays_until_there_is_another(run, benchmark, work):
    (folder,) = work.glob("index-*/")
    damaged = folder / "learned" / "descriptors.faiss"
    damaged.write_bytes(b"damaged")

    def interrupt(iterable, total, label):
        if label == "background":
            raise KeyboardInterrupt
        return iterable

    with pytest.raises(KeyboardInterrupt):
        run(benchmark, work, progress=interrupt)
    assert damaged.read_bytes() == b"damaged"
    assert "extract" in run(benchmark, work).kept
    assert [*work.glob("index-*/")] == [folder]
    assert "index" in run(benchmark, work).kept
