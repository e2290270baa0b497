"""Rows of results, of runs that measured different things."""

import csv
import json
import os

import delf_keras
from delf_keras.benchmarking.recording import record


def rows_of(folder):
    with open(folder / "quality.csv", newline="", encoding="utf-8") as file:
        return [*csv.DictReader(file)]


def test_rows_are_added(tmp_path):
    results = tmp_path / "results"
    record("quality", {"M": 12.3456, "seconds": {"search": 2.0}}, results)
    record("quality", {"M": None, "images": 5}, results)
    first, second = rows_of(results)

    assert first["M"] == "12.35" and first["seconds.search"] == "2"
    assert first["images"] == ""
    assert second["M"] == "" and second["images"] == "5"
    for row in (first, second):
        assert row["version"] == delf_keras.__version__
        assert row["date"] and row["processor"] and row["cores"]


def test_names_that_are_no_utf_8(tmp_path):
    for _ in range(2):
        figures = {"dataset": os.fsdecode(b"benb\xe9"), "preset": "caf\xe9"}
        record("quality", figures, tmp_path, tmp_path / "figures.json")
    for row in rows_of(tmp_path):
        assert row["dataset"] == r"benb\udce9" and row["preset"] == "caf\xe9"
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["dataset"] == os.fsdecode(b"benb\xe9")


def test_json_has_the_figures_as_they_are(tmp_path):
    figures = {"M": 12.3456, "seconds": {"search": 2.0}}
    path = tmp_path / "figures.json"
    record("quality", figures, None, path)

    assert json.loads(path.read_text()) == figures
    assert [*tmp_path.iterdir()] == [path]
