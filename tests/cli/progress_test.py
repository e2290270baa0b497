"""Progress on a terminal and elsewhere."""

import sys

import pytest

from delf_keras.cli import progress
from delf_keras.cli.progress import show_progress


def test_line_at_the_end(capsys):
    assert list(show_progress(iter("abc"), 3, "extract")) == ["a", "b", "c"]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "extract: 3 of 3 in 0 s\n"


def test_lines_every_half_minute(capsys, monkeypatch):
    seconds = iter([0, 20, 31, 45, 62, 63])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(seconds))
    list(show_progress("abcde", 5, "index"))
    assert capsys.readouterr().err.splitlines() == [
        "index: 2 of 5 in 31 s",
        "index: 4 of 5 in 62 s",
        "index: 5 of 5 in 63 s",
    ]


def test_items_are_passed_on_as_they_come():
    """No item waits for the next one."""
    items = show_progress(iter([1, pytest.fail]), 2, "extract")
    assert next(items) == 1


@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_to_do(capsys, monkeypatch, terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert list(show_progress([], 0, "extract")) == []
    assert "1 of" not in capsys.readouterr().err


def test_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(show_progress(iter("abc"), 3, "extract")) == ["a", "b", "c"]
    last = capsys.readouterr().err.split("\r")[-1]
    assert last.startswith("extract: 100%|")
    assert " 3/3 " in last
