"""What a run shows, of rankings that are known."""

import numpy as np
import pytest

from delf_keras.benchmarking.report import (
    figures_of,
    precision_recall,
    ranked_pages,
    result_lines,
)
from delf_keras.benchmarking.running import BenchmarkRun
from delf_keras.datasets.benchmarks import open_benchmark
from delf_keras.features.extraction_options import ExtractionOptions


def make_run(benchmark, seed=0):
    """A run of random scores."""
    rng = np.random.default_rng(seed)
    shape = len(benchmark.image_names), len(benchmark.query_names)
    scores = rng.uniform(0.1, 1, shape)
    scores[-1] = -np.inf
    ranks = np.argsort(-scores, axis=0)
    return BenchmarkRun(
        benchmark=benchmark,
        results=benchmark.evaluate(ranks),
        ranks=ranks,
        scores=scores,
        inliers=rng.integers(0, 40, shape),
        skipped={"a.jpg": "corrupt"},
        seconds={"extract": 10.0, "search": 1.0, "verify": 3.0},
        kept=frozenset(["extract"]),
        extracted=5,
        extraction=ExtractionOptions(),
    )


@pytest.fixture(scope="module")
def revisited(revisited_set):
    return make_run(open_benchmark(revisited_set))


@pytest.fixture(scope="module")
def classic(oxford_set):
    return make_run(open_benchmark(oxford_set))


def test_lines_of_the_reference(revisited, classic):
    first, second = result_lines(revisited).split("\n")
    assert first.startswith(f">> {revisited.benchmark.name}: mAP E: ")
    assert "mP@k[1 5 10] E: [" in second
    first, second = result_lines(classic).split("\n")
    mean = 100 * classic.results["mAP"].mean_average_precision
    assert first == f">> {classic.benchmark.name}: mAP {mean:.2f}"
    assert "mP@k[1 5 10] [" in second


def test_figures(revisited, classic):
    figures = figures_of(revisited, {"preset": "tiny"})

    assert figures["M"] == pytest.approx(
        100 * revisited.results["M"].mean_average_precision
    )
    assert figures["mP@k"]["M"].keys() == {"1", "5", "10"}
    assert figures["seconds_per_image"] == 2.0
    assert figures["seconds_per_query"] == 4 / revisited.ranks.shape[1]
    assert figures["seconds_per_search"] == 1 / revisited.ranks.shape[1]
    assert figures["seconds_per_verification"] == 3 / revisited.ranks.shape[1]
    assert figures["seconds_kept"] == ["extract"]
    assert figures["skipped"] == 1 and figures["preset"] == "tiny"
    assert 0 < figures_of(classic, {})["mAP"] <= 100


@pytest.mark.parametrize("kind", ["revisited", "classic"])
def test_curve_counts_all_queries(kind, request):
    """Without junk, and with the positives that no query returned."""
    run = request.getfixturevalue(kind)
    curve = precision_recall(run)
    truth = run.benchmark.ground_truth
    if kind == "classic":
        total = sum(len(query.positives) for query in truth.values())
    else:
        total = sum(map(len, truth.easy)) + sum(map(len, truth.hard))

    assert curve.num_relevant == total
    assert curve.num_true_positives[-1] <= total
    assert 0 < curve.average_precision < 1


@pytest.mark.parametrize("kind", ["revisited", "classic"])
def test_pages_show_the_ranking(kind, request):
    run = request.getfixturevalue(kind)
    pages = ranked_pages(run)

    assert [page.name for page in pages] == [*run.benchmark.query_names]
    for query, page in enumerate(pages):
        paths = [entry.path for entry in page.entries]
        order = run.ranks[: len(paths), query]
        assert paths == [run.benchmark.image_paths[image] for image in order]
        assert page.entries[0].rank == 1
        assert "inliers" in page.entries[0].note
        for entry in page.missed:
            assert entry.label in ("easy", "hard", "positive")
