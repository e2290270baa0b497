"""Revisited Oxford and Paris, by hand and against the reference evaluator."""

import json
import os
import pickle

import numpy as np
import pytest

from delf_keras.evaluation import (
    ProtocolResult,
    RevisitedGroundTruth,
    evaluate_revisited,
    format_revisited,
    load_revisited,
)


def _ground_truth(**changes):
    """Six images and two queries; the second has no hard positives."""
    fields = {
        "image_names": tuple("abcdef"),
        "query_names": ("p", "q"),
        "boxes": [[0, 0, 10, 20], [5, 5, 50, 60]],
        "easy": ([0], [3, 4]),
        "hard": ([1, 2], []),
        "junk": ([5], []),
    }
    return RevisitedGroundTruth(**(fields | changes))


def _ranks():
    # Of p: junk f, hard b, negative d, easy a, hard c, negative e.
    # Of q: easy d, negative a, negative b, negative c, easy e, negative f.
    return np.array([[5, 1, 3, 0, 2, 4], [3, 0, 1, 2, 4, 5]]).T


def test_protocols_by_hand():
    results = evaluate_revisited(_ground_truth(), _ranks(), ks=(1, 2))

    # Of q: full for the first, then from 1/4 up to 2/5.
    q = (1 + (1 / 4 + 2 / 5) / 2) / 2
    # Of p without junk and hard images: d, a. From 0 up to 1/2.
    easy = (0 + 1 / 2) / 2
    np.testing.assert_allclose(results["E"].average_precision, [easy, q])
    assert results["E"].mean_average_precision == pytest.approx((easy + q) / 2)
    assert results["E"].mean_precision == {1: 1 / 2, 2: 1 / 2}
    # Of p without junk: b, d, a, c.
    medium = (1 + (1 / 2 + 2 / 3) / 2 + (2 / 3 + 3 / 4) / 2) / 3
    np.testing.assert_allclose(results["M"].average_precision, [medium, q])
    # Of p without junk and easy images: b, d, c; nothing is hard for q.
    hard = (1 + (1 / 2 + 2 / 3) / 2) / 2
    np.testing.assert_allclose(results["H"].average_precision, [hard, np.nan])
    assert results["H"].mean_average_precision == pytest.approx(hard)
    assert results["H"].mean_precision == {1: 1, 2: 1 / 2}


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.uint64])
def test_ranks_of_any_integer_type(dtype):
    results = evaluate_revisited(_ground_truth(), _ranks().astype(dtype))
    expected = evaluate_revisited(_ground_truth(), _ranks())
    for protocol, result in results.items():
        np.testing.assert_array_equal(
            result.average_precision, expected[protocol].average_precision
        )


def test_ranks_must_be_full_and_of_the_database():
    truth = _ground_truth()
    with pytest.raises(ValueError, match=r"shape \(6, 2\).*complete short"):
        evaluate_revisited(truth, _ranks()[:4])
    with pytest.raises(ValueError, match=r"Received: ranks.shape=\(2, 6\)"):
        evaluate_revisited(truth, _ranks().T)
    with pytest.raises(ValueError, match="Received: ranks.dtype=float64"):
        evaluate_revisited(truth, _ranks().astype(np.float64))


@pytest.mark.parametrize("wrong", [0, -1, 6])
def test_the_first_query_that_is_no_permutation_is_named(wrong):
    ranks = _ranks()
    ranks[4, 1] = wrong
    with pytest.raises(ValueError, match=r"ranks\[:, 1\] of query q does not"):
        evaluate_revisited(_ground_truth(), ranks)


def test_format_is_that_of_the_reference():
    def result(mean, *precisions):
        precisions = dict(zip((1, 5, 10), precisions, strict=True))
        return ProtocolResult(mean, precisions, np.array([mean]))

    results = {
        "E": result(0.84812, 0.97058824, 0.92058824, 0.86488971),
        "M": result(0.64671, 0.97142857, 0.90666667, 0.84666667),
        "H": result(0.38469, 0.81428571, 0.63, 0.53),
    }
    assert format_revisited("roxford5k", results).splitlines() == [
        ">> roxford5k: mAP E: 84.81, M: 64.67, H: 38.47",
        ">> roxford5k: mP@k[1 5 10] E: [97.06 92.06 86.49], "
        "M: [97.14 90.67 84.67], H: [81.43 63.00 53.00]",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"easy": ([0], [6, 4])}, "from 0. Received: 6 for query q"),
        ({"junk": ([-1], [])}, "Received: -1 for query p"),
        ({"junk": ([2], [])}, "image c more than once for query p"),
        ({"hard": ([1, 1], [])}, "image b more than once for query p"),
        ({"hard": ([1],)}, r"hard .* 2 queries. Received: len\(hard\)=1"),
        ({"hard": ([1.5], [])}, "integer indices.*float64"),
        ({"boxes": [[0, 0, 1]] * 2}, r"boxes.shape=\(2, 3\)"),
    ],
)
def test_impossible_ground_truth_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        _ground_truth(**changes)


def _content(array=list):
    queries = [
        {"bbx": [1, 2, 30.5, 40], "easy": [0], "hard": [1, 2], "junk": []},
        {"bbx": [0, 0, 9, 9], "easy": [], "hard": [0], "junk": [1]},
    ]
    return {
        "imlist": array(["a", "b", "c"]),
        "qimlist": array(["p", "q"]),
        "gnd": [{k: array(v) for k, v in each.items()} for each in queries],
    }


def _row_of_integers(values):
    """As files of MATLAB come: rows, of 32 bits, empty ones of floats."""
    array = np.array([values])
    return array.astype(np.int32) if array.dtype == np.int64 else array


@pytest.mark.parametrize("array", [list, tuple, np.array, _row_of_integers])
def test_load_revisited(tmp_path, array):
    content = _content(array)
    content["imlist"] = np.ravel(content["imlist"])
    content["qimlist"] = np.ravel(content["qimlist"])
    path = tmp_path / "gnd_test.pkl"
    path.write_bytes(pickle.dumps(content))
    truth = load_revisited(path)
    assert truth.image_names == ("a", "b", "c")
    assert truth.query_names == ("p", "q")
    np.testing.assert_array_equal(truth.boxes, [[1, 2, 30.5, 40], [0, 0, 9, 9]])
    assert [each.tolist() for each in truth.easy] == [[0], []]
    assert [each.tolist() for each in truth.hard] == [[1, 2], [0]]
    assert [each.tolist() for each in truth.junk] == [[], [1]]
    assert all(each.dtype == np.int64 for each in truth.easy + truth.junk)


class _Hostile:
    def __reduce__(self):
        return os.mkdir, ("made-by-a-pickle",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_Hostile(), "mkdir is not allowed"),
        ([1, 2], "keys imlist, qimlist, gnd"),
        ({"imlist": [], "qimlist": []}, r"keys .*\['imlist', 'qimlist'\]"),
        (_content() | {"gnd": []}, "at least one"),
        (_content() | {"gnd": [{"ok": [0], "junk": []}]}, "keys bbx, easy"),
        (_content() | {"imlist": ["a", "b"]}, "Received: 2 for query p"),
        (_content() | {"qimlist": [1, 2]}, "must be text"),
    ],
)
def test_other_pickles_are_refused(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "gnd_test.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=message) as caught:
        load_revisited(path)
    assert "gnd_test.pkl" in str(caught.value)
    assert not (tmp_path / "made-by-a-pickle").exists()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("roxford5k", "revisitop_gnd/gnd_roxford5k.pkl"),
        ("rparis6k", "revisitop_gnd/gnd_rparis6k.pkl"),
        ("landmarks", "landmarks/gnd_landmarks.pkl"),
    ],
)
def test_figures_are_those_of_the_reference(test_data, name, path):
    golden = json.loads(
        (test_data / "golden/average_precision.json").read_text()
    )
    truth = load_revisited(test_data / path)
    columns = []
    for query in range(len(truth.query_names)):
        random = np.random.default_rng(golden["SEED"] + query)
        scores = random.random(len(truth.image_names))
        scores[truth.easy[query]] += 0.5
        scores[truth.hard[query]] += 0.25
        scores[truth.junk[query]] += 0.4
        columns.append(np.argsort(-scores, kind="stable"))
    results = evaluate_revisited(truth, np.stack(columns, axis=1))
    assert list(results) == ["E", "M", "H"]
    for protocol, result in results.items():
        expected = golden["revisited"][name][protocol]
        counted = np.isfinite(result.average_precision)
        assert counted.sum() == expected["queries"]
        assert result.mean_average_precision == pytest.approx(
            expected["mAP"], abs=1e-9
        )
        assert list(result.mean_precision) == [1, 5, 10]
        assert list(result.mean_precision.values()) == pytest.approx(
            expected["mP@1,5,10"], abs=1e-9
        )
