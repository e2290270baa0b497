"""Folders, and published sets in miniature."""

import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest

from delf_keras.datasets import published
from delf_keras.datasets.benchmarks import (
    BENCHMARKS,
    learning_photographs,
    open_benchmark,
)
from delf_keras.evaluation import load_oxford, load_revisited


def names_of(paths):
    return tuple(path.stem for path in paths)


def perfect_ranks(benchmark):
    """Rankings with what must be found first."""
    ranks = []
    for query in benchmark.ground_truth.values():
        wanted = np.isin(benchmark.image_names, [*query.positives])
        ranks.append(np.argsort(~wanted, kind="stable"))
    return np.stack(ranks, axis=1)


def test_a_classic_folder(oxford_set):
    benchmark = open_benchmark(oxford_set)
    assert benchmark.name == oxford_set.name
    assert benchmark.learn_on is None
    # The queries are in the database too.
    assert len(benchmark.image_names) == 22
    assert list(benchmark.image_names) == sorted(benchmark.image_names)
    assert names_of(benchmark.image_paths) == benchmark.image_names
    assert all(path.is_file() for path in benchmark.image_paths)
    truth = load_oxford(oxford_set / "gt_files")
    assert benchmark.ground_truth == truth
    assert benchmark.query_names == tuple(truth)
    for index, query in enumerate(truth.values()):
        assert benchmark.query_paths[index].stem == query.image_name
        assert tuple(benchmark.boxes[index]) == query.box
    assert benchmark.boxes.dtype == np.float64
    result = benchmark.evaluate(perfect_ranks(benchmark))["mAP"]
    assert result.mean_average_precision == 1
    assert result.mean_precision == {1: 1, 5: 1, 10: 1}


def test_a_revisited_folder(revisited_set):
    benchmark = open_benchmark(str(revisited_set))
    truth = load_revisited(revisited_set / "gnd_tiny.pkl")
    assert benchmark.name == revisited_set.name
    assert benchmark.learn_on is None
    assert benchmark.image_names == truth.image_names
    assert names_of(benchmark.image_paths) == truth.image_names
    assert benchmark.query_names == truth.query_names
    assert names_of(benchmark.query_paths) == truth.query_names
    np.testing.assert_array_equal(benchmark.boxes, truth.boxes)
    assert not {*truth.query_names} & {*benchmark.image_names}


def test_photographs_may_be_in_subfolders(oxford_set, tmp_path):
    folder = shutil.copytree(oxford_set, tmp_path / "set")
    (folder / "jpg" / "some").mkdir()
    for path in (folder / "jpg").glob("landmark_*"):
        path.rename(path.parent / "some" / path.name)
    benchmark = open_benchmark(folder)
    assert benchmark.image_names == open_benchmark(oxford_set).image_names
    assert benchmark.query_paths[0].parent == folder / "jpg" / "some"


@pytest.mark.parametrize("kind", ["oxford_set", "revisited_set"])
@pytest.mark.parametrize("view", [0, 1])
def test_missing_photographs(kind, view, request, tmp_path):
    folder = shutil.copytree(request.getfixturevalue(kind), tmp_path / "set")
    for landmark in (1, 2):
        name = f"landmark_{landmark:02d}_view_{view}.jpg"
        (folder / "jpg" / name).unlink()
    message = f"landmark_01_view_{view}.jpg, which is missing, .* of 2"
    with pytest.raises(FileNotFoundError, match=message):
        open_benchmark(folder)


def test_a_folder_without_ground_truth(tmp_path):
    message = f"gnd_.*_query.txt.*Received: folder={tmp_path}"
    with pytest.raises(FileNotFoundError, match=message):
        open_benchmark(tmp_path)


@pytest.mark.parametrize("function", [open_benchmark, learning_photographs])
def test_neither_a_name_nor_a_folder(function):
    message = "oxford5k, .*or a folder. Received: oxfrod5k"
    with pytest.raises(FileNotFoundError, match=message):
        function("oxfrod5k", data_dir=".")


@pytest.mark.parametrize("function", [open_benchmark, learning_photographs])
def test_a_name_without_a_folder_of_data(function):
    with pytest.raises(ValueError, match="Received: data_dir=None"):
        function("oxford5k")


@pytest.fixture
def data_dir(oxford_set, revisited_set, tmp_path, monkeypatch):
    """A folder of all published sets, of as few photographs as are rendered.

    Paris has its photographs in folders by landmark, two of them broken.
    """
    folder = tmp_path / "data"
    broken = frozenset(("distractor_03", "landmark_01_view_3"))
    monkeypatch.setitem(published.BROKEN, "paris6k", broken)
    for name, revisited, texts, count in (
        ("oxford5k", "roxford5k", "gt_files_170407", 22),
        ("paris6k", "rparis6k", "paris_120310/paris_120310", 20),
    ):
        monkeypatch.setitem(published.PHOTOGRAPH_COUNTS, name, count)
        shutil.copytree(oxford_set / "jpg", folder / name / "jpg")
        shutil.copytree(oxford_set / "gt_files", folder / name / texts)
        (folder / revisited).mkdir()
        shutil.copy(
            revisited_set / "gnd_tiny.pkl",
            folder / revisited / f"gnd_{revisited}.pkl",
        )
    jpg = folder / "paris6k" / "jpg"
    (jpg / "paris" / "general").mkdir(parents=True)
    for path in jpg.glob("*.jpg"):
        path.rename(jpg / "paris" / "general" / path.name)
    for name in ("1m", "100k"):
        source = oxford_set / "jpg" / "distractor_00.jpg"
        for path in {
            "1m": ("revisitop1m/jpg/0d3/x.jpg", "revisitop1m/jpg/0a1/y.jpg"),
            "100k": ("flickr100k/castle/z.jpg", "flickr100k/church/z.jpg"),
        }[name]:
            (folder / path).parent.mkdir(parents=True)
            shutil.copy(source, folder / path)
    (folder / "revisitop1m/revisitop1m.txt").write_text("0d3/x.jpg\n0a1/y\n")
    return folder


MORE = {
    "105k": ("flickr100k/castle/z", "flickr100k/church/z"),
    "106k": ("flickr100k/castle/z", "flickr100k/church/z"),
    "+1m": ("revisitop1m/0d3/x", "revisitop1m/0a1/y"),
}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_published_sets(data_dir, oxford_set, revisited_set, name):
    benchmark = open_benchmark(name, data_dir)
    assert benchmark.name == name
    is_oxford = "oxford" in name
    assert benchmark.learn_on == ("paris6k" if is_oxford else "oxford5k")
    own = revisited_set if name.startswith("r") else oxford_set
    images = open_benchmark(own).image_names
    if not is_oxford and not name.startswith("r"):
        broken = published.BROKEN["paris6k"]
        images = tuple(each for each in images if each not in broken)
        # Nobody is to find what is broken.
        assert not benchmark.ground_truth["landmark_01_1"].junk
    end = next((MORE[each] for each in MORE if name.endswith(each)), ())
    assert benchmark.image_names == images + end
    assert all(path.is_file() for path in benchmark.image_paths)
    assert all(path.is_file() for path in benchmark.query_paths)
    assert len(benchmark.image_paths) == len(benchmark.image_names)
    ranks = np.arange(len(benchmark.image_names))[:, None].repeat(4, axis=1)
    protocols = ["E", "M", "H"] if name.startswith("r") else ["mAP"]
    assert list(benchmark.evaluate(ranks)) == protocols


def test_a_name_comes_before_a_folder(data_dir, monkeypatch):
    monkeypatch.chdir(data_dir)
    assert open_benchmark("oxford5k", data_dir).learn_on == "paris6k"
    assert open_benchmark("./oxford5k").learn_on is None


@pytest.mark.parametrize("name", ["oxford5k", "paris6k"])
def test_the_number_of_photographs_must_be_right(data_dir, name):
    next((data_dir / name / "jpg").rglob("distractor_01.jpg")).unlink()
    for function in (open_benchmark, learning_photographs):
        with pytest.raises(ValueError, match=f"{name} has .*Received: [12]"):
            function(name, data_dir)


def test_distractors_that_are_missing(data_dir):
    (data_dir / "revisitop1m/jpg/0a1/y.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="y.jpg, which is missing"):
        open_benchmark("roxford5k+1m", data_dir)


def test_distractors_that_cannot_be_downloaded(tmp_path):
    message = f"put its photographs into {tmp_path}/flickr100k"
    with pytest.raises(FileNotFoundError, match=message):
        open_benchmark("oxford105k", tmp_path, download=True)


def test_a_ground_truth_that_is_none(data_dir):
    content = pickle.dumps({"imlist": []})
    (data_dir / "roxford5k/gnd_roxford5k.pkl").write_bytes(content)
    with pytest.raises(ValueError, match="gnd_roxford5k.pkl"):
        open_benchmark("roxford5k", data_dir)


def test_photographs_to_learn_on(data_dir, oxford_set):
    photographs = sorted((oxford_set / "jpg").iterdir())
    oxford = learning_photographs("oxford5k", data_dir)
    assert names_of(oxford) == names_of(photographs)
    # Neither queries nor distractors make a difference.
    assert learning_photographs("roxford5k+1m", data_dir) == oxford
    paris = learning_photographs("paris6k", data_dir)
    broken = published.BROKEN["paris6k"]
    assert {*names_of(paris)} == {*names_of(photographs)} - broken


def test_a_folder_to_learn_on(oxford_set):
    photographs = sorted((oxford_set / "jpg").iterdir())
    assert learning_photographs(oxford_set) == photographs
    assert learning_photographs(str(oxford_set / "jpg")) == photographs
    with pytest.raises(FileNotFoundError, match="which has none"):
        learning_photographs(oxford_set / "gt_files")


def test_tensorflow_is_not_needed():
    code = (
        "import sys, delf_keras.datasets.benchmarks; "
        "sys.exit(bool({'tensorflow', 'keras'} & {*sys.modules}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
