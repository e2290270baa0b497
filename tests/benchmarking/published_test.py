"""Published results are shares of known sets, each with who reports it."""

import numpy as np
import pytest

from delf_keras.benchmarking.published import ROWS, published_table
from delf_keras.datasets.benchmarks import BENCHMARKS
from delf_keras.evaluation import ProtocolResult


def make_results(**means):
    """What an evaluation gives, but for the precision of single queries."""
    return {
        protocol: ProtocolResult(mean, {}, np.zeros(0))
        for protocol, mean in means.items()
    }


REVISITED = make_results(E=0.5, M=0.25, H=0.125)


def test_table_has_our_row_beside_those_of_the_set():
    table = published_table("roxford5k", "ours", REVISITED)
    head, *rows = table.split("\n")

    assert head.split() == ["E", "M", "H", "reported", "by"]
    assert len(rows) == 1 + sum(row.dataset == "roxford5k" for row in ROWS)
    assert rows[-1].split() == ["ours", "50.0", "25.0", "12.5", "this", "run"]
    start = head.index("reported by")
    assert all(row[start - 2 : start] == "  " for row in rows)
    assert all(row[start] != " " for row in rows)


def test_figure_that_nobody_reports_is_a_dash():
    table = published_table("roxford5k", "ours", REVISITED)
    (line,) = (line for line in table.split("\n") if "D2R" in line)
    assert line.split("(DELF-GLD)")[1].split()[:3] == ["-", "73.3", "47.6"]


def test_classic_set():
    table = published_table("paris106k", "ours", make_results(mAP=0.5))
    assert table.split("\n")[0].split()[0] == "mAP"
    assert "81.7" in table and "92.8" in table


@pytest.mark.parametrize("name", ["my folder", "roxford5k+1m"])
def test_set_of_which_nothing_is_published(name):
    assert published_table(name, "ours", REVISITED) == ""


def test_rows_are_shares_of_known_sets():
    for row in ROWS:
        assert row.source and row.dataset in BENCHMARKS
        protocols = {"E", "M", "H"} if row.dataset[0] == "r" else {"mAP"}
        assert row.figures and row.figures.keys() <= protocols
        assert all(20 < value < 100 for value in row.figures.values())
        order = [row.figures[p] for p in "EMH" if p in row.figures]
        assert order == sorted(order, reverse=True)


def test_no_row_is_there_twice():
    keys = [(row.method, row.dataset, row.source) for row in ROWS]
    assert len({*keys}) == len(keys)
