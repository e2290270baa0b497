"""Oxford5k and Paris6k, by hand and against the reference evaluator."""

import json

import numpy as np
import pytest

from delf_keras.evaluation import (
    OxfordQuery,
    OxfordResult,
    evaluate_oxford,
    format_oxford,
    load_oxford,
    load_revisited,
)


def _write(folder, name, **texts):
    files = {
        "query": "oxc1_a 1 2.5 30 40",
        "good": "a\na\n",
        "ok": "b\n",
        "junk": "c\n",
    }
    for label, text in (files | texts).items():
        (folder / f"{name}_{label}.txt").write_text(text)


def test_load_oxford(tmp_path):
    _write(tmp_path, "keble_2", query="paris_x_01 0 0 5 6\r\n", junk="\n")
    _write(tmp_path, "keble_1")
    truth = load_oxford(tmp_path)
    assert list(truth) == ["keble_1", "keble_2"]
    assert truth["keble_1"] == OxfordQuery(
        image_name="a",
        box=(1.0, 2.5, 30.0, 40.0),
        positives=frozenset("ab"),
        junk=frozenset("c"),
    )
    assert truth["keble_2"].image_name == "paris_x_01"
    assert truth["keble_2"].junk == frozenset()


def test_average_precision_by_hand(tmp_path):
    _write(tmp_path, "keble_1")
    _write(tmp_path, "keble_2", junk="")
    ranked = ["a", "c", "d", "b", "e"]
    result = evaluate_oxford(
        load_oxford(tmp_path), {"keble_1": ranked, "keble_2": ranked}
    )
    # Image c is out of the first: a, d, b, e. The name a is one image,
    # although its file lists it twice.
    first = (1 + (1 / 2 + 2 / 3) / 2) / 2
    second = (1 + (1 / 3 + 2 / 4) / 2) / 2
    assert result.average_precision == pytest.approx(
        {"keble_1": first, "keble_2": second}
    )
    assert result.mean_average_precision == pytest.approx((first + second) / 2)


def test_precision_by_hand(tmp_path):
    _write(tmp_path, "keble_1")
    _write(tmp_path, "keble_2", good="", ok="d")
    ranked = ["c", "a", "d", "b", "e"]
    result = evaluate_oxford(
        load_oxford(tmp_path),
        {"keble_1": ranked, "keble_2": ranked},
        ks=(1, 2, 4),
    )
    # Without image c: a, d, b, e. Of the first a and b are positive, of the
    # second d, behind which nothing counts.
    assert result.mean_precision == pytest.approx(
        {1: (1 + 0) / 2, 2: (1 / 2 + 1 / 2) / 2, 4: (2 / 3 + 1 / 2) / 2}
    )


def test_unlisted_junk_changes_nothing(tmp_path):
    _write(tmp_path, "keble_1")
    truth = load_oxford(tmp_path)
    with_junk = evaluate_oxford(truth, {"keble_1": ["a", "d", "b", "c"]})
    without = evaluate_oxford(truth, {"keble_1": ["a", "d", "b"]})
    assert with_junk == without


@pytest.mark.parametrize(
    ("rankings", "message"),
    [
        ({"keble_1": ["a", "d"]}, "misses 1 of 2 .*Complete .* without b"),
        ({"keble_1": ["a", "b", "a"]}, "list an image once.*keble_1"),
        ({"keble_1": ["a", "b"], "keble_7": []}, "Received: query=keble_7"),
        ({}, "none for keble_1"),
    ],
)
def test_rankings_that_do_not_fit_are_refused(tmp_path, rankings, message):
    _write(tmp_path, "keble_1")
    with pytest.raises(ValueError, match=message):
        evaluate_oxford(load_oxford(tmp_path), rankings)


@pytest.mark.parametrize("text", ["", "oxc1_a", "oxc1_a 1 2 3", "a 1 2 3 x"])
def test_a_malformed_query_is_refused(tmp_path, text):
    _write(tmp_path, "keble_1", query=text)
    with pytest.raises(ValueError, match="Expected .*path=.*keble_1_query"):
        load_oxford(tmp_path)


def test_files_of_any_editor(tmp_path):
    _write(tmp_path, "keble_1")
    expected = load_oxford(tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_oxford(tmp_path) == expected


@pytest.mark.parametrize("label", ["query", "good"])
def test_a_file_in_another_encoding_is_named(tmp_path, label):
    _write(tmp_path, "keble_1")
    (tmp_path / f"keble_1_{label}.txt").write_bytes(b"caf\xe9 1 2 3 4")
    with pytest.raises(ValueError, match=f"UTF-8.*keble_1_{label}.txt"):
        load_oxford(tmp_path)


def test_an_image_is_not_both_positive_and_junk(tmp_path):
    _write(tmp_path, "keble_1", junk="b")
    with pytest.raises(ValueError, match="Received: b for query image a"):
        load_oxford(tmp_path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"\*_query.txt.*folder="):
        load_oxford(tmp_path)
    _write(tmp_path, "keble_1")
    (tmp_path / "keble_1_ok.txt").unlink()
    with pytest.raises(FileNotFoundError, match="keble_1_ok.txt"):
        load_oxford(tmp_path)


def test_format():
    result = OxfordResult(0.89696, {"keble_1": 0.89696})
    assert format_oxford("oxford5k", result) == ">> oxford5k: mAP 89.70"


def test_figures_are_those_of_the_reference(test_data):
    golden = json.loads(
        (test_data / "golden/average_precision.json").read_text()
    )
    folder = test_data / "oxford5k_gt"
    truth = load_oxford(folder)
    names = _database(test_data)
    rankings = {}
    for number, query in enumerate(truth):
        scores = np.random.default_rng(golden["SEED"] + number).random(5063)
        for label, gain in {"good": 0.5, "ok": 0.25, "junk": 0.4}.items():
            labelled = (folder / f"{query}_{label}.txt").read_text().split()
            scores[np.isin(names, labelled)] += gain
        rankings[query] = names[np.argsort(-scores, kind="stable")].tolist()
    result = evaluate_oxford(truth, rankings)
    expected = golden["oxford5k_classic"]
    assert list(result.average_precision) == list(expected["AP"])
    # The reference prints six digits.
    assert result.average_precision == pytest.approx(expected["AP"], abs=1e-6)
    assert result.mean_average_precision == pytest.approx(
        expected["mAP"], abs=1e-6
    )


def _database(test_data):
    """All names of Oxford5k: images and queries of its revised version."""
    truth = load_revisited(test_data / "revisitop_gnd/gnd_roxford5k.pkl")
    return np.array(sorted(truth.image_names + truth.query_names))
