"""Evaluation of both kinds, by hand and against the reference evaluators."""

import json

import numpy as np
import pytest

from delf_keras.datasets.benchmark import Benchmark, with_distractors
from delf_keras.datasets.benchmarks import open_benchmark
from delf_keras.evaluation import OxfordQuery, load_oxford, load_revisited


@pytest.fixture
def golden(test_data):
    path = test_data / "golden" / "average_precision.json"
    return json.loads(path.read_text())


def make_benchmark(truth, image_names, query_names):
    """A benchmark of photographs that are nowhere."""
    return Benchmark(
        name="made",
        image_names=tuple(image_names),
        image_paths=(),
        query_names=tuple(query_names),
        query_paths=(),
        boxes=np.zeros((len(query_names), 4)),
        ground_truth=truth,
        learn_on=None,
    )


def random_ranks(seed, gains):
    """Rankings by random scores; what has a gain tends to the front."""
    ranks = []
    for number, gain in enumerate(gains):
        scores = np.random.default_rng(seed + number).random(len(gain))
        ranks.append(np.argsort(-(scores + gain), kind="stable"))
    return np.stack(ranks, axis=1)


def revisited_ranks(truth, seed):
    gains = np.zeros((len(truth.query_names), len(truth.image_names)))
    for label, gain in {"easy": 0.5, "hard": 0.25, "junk": 0.4}.items():
        for query, images in enumerate(getattr(truth, label)):
            gains[query, images] = gain
    return random_ranks(seed, gains)


def check_revisited(results, expected):
    assert list(results) == ["E", "M", "H"]
    for protocol, result in results.items():
        figures = expected[protocol]
        assert result.mean_average_precision == pytest.approx(
            figures["mAP"], abs=1e-6
        )
        assert [*result.mean_precision.values()] == pytest.approx(
            figures["mP@1,5,10"], abs=1e-6
        )
        valid = np.isfinite(result.average_precision)
        assert valid.sum() == figures["queries"]


@pytest.mark.parametrize("name", ["roxford5k", "rparis6k"])
def test_revisited_figures_are_those_of_the_reference(test_data, golden, name):
    truth = load_revisited(test_data / f"revisitop_gnd/gnd_{name}.pkl")
    benchmark = make_benchmark(truth, truth.image_names, truth.query_names)
    results = benchmark.evaluate(revisited_ranks(truth, golden["SEED"]))
    check_revisited(results, golden["revisited"][name])


def test_a_folder_has_the_figures_of_the_reference(test_data, golden):
    benchmark = open_benchmark(test_data / "landmarks")
    assert len(benchmark.image_names) == len(benchmark.image_paths) == 315
    assert len(benchmark.query_names) == len(benchmark.query_paths) == 54
    ranks = revisited_ranks(benchmark.ground_truth, golden["SEED"])
    check_revisited(benchmark.evaluate(ranks), golden["revisited"]["landmarks"])


def test_classic_figures_are_those_of_the_reference(test_data, golden):
    revised = load_revisited(test_data / "revisitop_gnd/gnd_roxford5k.pkl")
    names = np.array(sorted(revised.image_names + revised.query_names))
    folder = test_data / "oxford5k_gt"
    truth = load_oxford(folder)
    gains = np.zeros((len(truth), len(names)))
    for row, query in zip(gains, truth, strict=True):
        for label, gain in {"good": 0.5, "ok": 0.25, "junk": 0.4}.items():
            labelled = (folder / f"{query}_{label}.txt").read_text().split()
            row[np.isin(names, labelled)] += gain
    benchmark = make_benchmark(truth, names.tolist(), truth)
    (result,) = benchmark.evaluate(random_ranks(golden["SEED"], gains)).values()
    expected = golden["oxford5k_classic"]
    assert result.mean_average_precision == pytest.approx(
        expected["mAP"], abs=1e-6
    )
    assert result.average_precision.tolist() == pytest.approx(
        [*expected["AP"].values()], abs=1e-6
    )
    assert [*result.mean_precision] == [1, 5, 10]


@pytest.fixture
def classic():
    """A benchmark of the photographs a to e; c is junk, e is not shown."""
    queries = {
        "keble_1": OxfordQuery(
            "a", (0, 0, 1, 1), frozenset("ab"), frozenset("c")
        ),
        "keble_2": OxfordQuery("d", (0, 0, 1, 1), frozenset("d"), frozenset()),
    }
    return make_benchmark(queries, "abcde", queries)


def test_classic_figures_by_hand(classic):
    # Both times: a, c, d, b, e.
    ranks = np.array([[0, 2, 3, 1, 4]] * 2).T
    results = classic.evaluate(ranks, ks=(1, 2))
    assert list(results) == ["mAP"]
    result = results["mAP"]
    # Without c of the first: a, d, b, e. Of the second d is the third.
    first, second = (1 + (1 / 2 + 2 / 3) / 2) / 2, (0 + 1 / 3) / 2
    np.testing.assert_allclose(result.average_precision, [first, second])
    assert result.mean_average_precision == pytest.approx((first + second) / 2)
    assert result.mean_precision == {1: 1 / 2, 2: 1 / 4}


@pytest.mark.parametrize(
    ("ranks", "message"),
    [
        (np.zeros((5, 3), int), r"shape \(5, 2\).*Received: .*\(5, 3\)"),
        (np.zeros((5, 2)), "integers.*float64"),
        (np.full((5, 2), 5), "from 0. Received: 5"),
        (np.full((5, 2), -1), "from 0. Received: -1"),
        (np.zeros((5, 2), int), "list an image once"),
    ],
)
def test_classic_ranks_must_be_permutations(classic, ranks, message):
    with pytest.raises(ValueError, match=message):
        classic.evaluate(ranks)


def test_revisited_ranks_must_be_permutations(revisited_set):
    benchmark = open_benchmark(revisited_set)
    with pytest.raises(ValueError, match="0 to 17 once"):
        benchmark.evaluate(np.zeros((18, 4), int))


@pytest.mark.parametrize("kind", ["oxford_set", "revisited_set"])
def test_distractors_come_last_and_are_negative(kind, request, tmp_path):
    folder = request.getfixturevalue(kind)
    benchmark = open_benchmark(folder)
    names = ("more/a", "more/b")
    paths = {name: tmp_path / f"{name}.jpg" for name in names}
    larger = with_distractors(benchmark, paths)
    assert larger.image_names == benchmark.image_names + names
    assert larger.image_paths == (*benchmark.image_paths, *paths.values())
    assert larger.query_paths == benchmark.query_paths
    images, queries = len(benchmark.image_names), len(benchmark.query_names)
    ranks = np.tile(np.arange(images)[:, None], queries)
    last = np.tile(np.arange(images, images + 2)[:, None], queries)
    expected = benchmark.evaluate(ranks)
    received = larger.evaluate(np.concatenate([ranks, last]))
    worse = larger.evaluate(np.concatenate([last, ranks]))
    for protocol, result in expected.items():
        np.testing.assert_array_equal(
            received[protocol].average_precision, result.average_precision
        )
        assert (
            worse[protocol].average_precision < result.average_precision
        ).all()
