"""Costs add up over runs."""

import json

import pytest

from delf_keras.benchmarking.extraction_costs import ExtractionCosts

STAGES = {"fit PCA": "learn", "extract": "extract"}


@pytest.fixture
def measure(tmp_path):
    """A function that starts to measure."""

    def measure(progress=lambda iterable, total, label: iterable):
        return ExtractionCosts(tmp_path / "costs.json", progress, STAGES)

    return measure


def test_build_that_extracts_nothing_adds_nothing(measure):
    costs = measure()
    assert [*costs("abc", 3, "extract")] == ["a", "b", "c"]
    assert costs.write({"learn": 1.0, "extract": 6.0}) == {
        "learn": 0.0,
        "extract": 6.0,
        "extracted": 3,
    }
    again = measure()
    assert again.kept == {"extract"}
    assert [*again("", 0, "extract")] == []
    assert [*again("ab", 2, "background")] == ["a", "b"]
    total = again.write({"learn": 0.1, "extract": 0.1})
    assert total["extract"] == 6.0 and total["extracted"] == 3


def test_interrupted_build_adds_what_it_did(measure):
    def interrupt(iterable, total, label):
        yield from iterable[:2]
        raise KeyboardInterrupt

    costs = measure(interrupt)
    with pytest.raises(KeyboardInterrupt):
        [*costs("abc", 3, "extract")]
    written = costs.write()
    assert written["extracted"] == 2 and written["extract"] > 0
    rest = measure()
    assert [*rest("c", 1, "extract")] == ["c"]
    total = rest.write({"learn": 0.0, "extract": 5.0})
    assert total["extracted"] == 3
    assert total["extract"] == written["extract"] + 5.0


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"learn": 1})])
def test_damaged_file_says_nothing(measure, tmp_path, content):
    (tmp_path / "costs.json").write_text(content)
    assert not measure().kept
