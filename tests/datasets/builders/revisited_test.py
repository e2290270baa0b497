"""Revisited Oxford and Paris in miniature."""

import os
import pickle

import pytest

from delf_keras.datasets.builders import Oxford5k, Roxford5k, Rparis6k
from delf_keras.evaluation import load_revisited

TRUTH = {
    "imlist": ["c", "a", "d"],
    "qimlist": ["q"],
    "gnd": [{"bbx": [1, 2, 30.5, 20], "easy": [2], "hard": [0], "junk": []}],
}


@pytest.fixture
def folder(tmp_path, write_photograph):
    """A folder in the layout of revisitop, with a photograph too many."""
    folder = tmp_path / "roxford5k"
    for seed, name in enumerate("abcdq"):
        write_photograph(folder / "jpg" / f"{name}.jpg", seed)
    for name in ("roxford5k", "rparis6k"):
        (folder / f"gnd_{name}.pkl").write_bytes(pickle.dumps(TRUTH))
    return folder


@pytest.mark.parametrize("builder_class", [Roxford5k, Rparis6k])
def test_database_has_the_order_of_the_ground_truth(
    build, folder, examples, builder_class
):
    builder = build(builder_class, folder)
    database = examples(builder, "database")
    assert [each["name"].decode() for each in database] == TRUTH["imlist"]
    for each in database:
        name = each["name"].decode()
        assert each["image"] == (folder / "jpg" / f"{name}.jpg").read_bytes()
        assert each["box"].tolist() == [0, 0, 40, 30]


def test_queries(build, folder, examples):
    (query,) = examples(build(Roxford5k, folder), "query")
    assert query["name"] == query["query"] == b"q"
    assert query["box"].tolist() == [1, 2, 30.5, 20]
    assert query["easy"].tolist() == [b"d"]
    assert query["hard"].tolist() == [b"c"]
    assert query["junk"].tolist() == []


def test_photographs_are_those_of_oxford5k():
    assert Roxford5k.PHOTOGRAPHS == Oxford5k.PHOTOGRAPHS


def test_photographs_that_are_missing(build, folder):
    (folder / "jpg" / "d.jpg").unlink()
    with pytest.raises(ValueError, match="names 1 .*d.jpg"):
        build(Roxford5k, folder)


class _Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm",)


def test_nothing_of_the_pickle_is_run(build, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    harmful = pickle.dumps({**TRUTH, "more": _Harmful()})
    (folder / "gnd_roxford5k.pkl").write_bytes(harmful)
    with pytest.raises(ValueError, match="gnd_roxford5k.pkl"):
        build(Roxford5k, folder)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("name", ["roxford5k", "rparis6k"])
def test_published_ground_truth_has_the_stated_numbers(test_data, name):
    truth = load_revisited(test_data / "revisitop_gnd" / f"gnd_{name}.pkl")
    builder_class = {"roxford5k": Roxford5k, "rparis6k": Rparis6k}[name]
    images, queries = len(truth.image_names), len(truth.query_names)
    assert f"{images} photographs, {queries} queries" in builder_class.__doc__
