"""What is found in a folder to evaluate on."""

from pathlib import Path

import pytest

from delf_keras.datasets.benchmark_files import (
    find_ground_truth,
    find_text_ground_truth,
    list_names,
    photograph_paths,
)


@pytest.fixture
def make_files(tmp_path):
    """A function that makes empty files of a folder, which it returns."""

    def make_files(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make_files


def test_ground_truth(make_files):
    folder = make_files("gnd_b.pkl", "gnd_a.pkl", "other.pkl")
    assert find_ground_truth(str(folder)) == folder / "gnd_a.pkl"


def test_no_ground_truth(make_files):
    folder = make_files("jpg/a.jpg")
    message = f"jpg/ and gnd_.*Received: folder={folder}"
    with pytest.raises(FileNotFoundError, match=message):
        find_ground_truth(folder)


@pytest.mark.parametrize("place", [".", "gt", "gt_files/of/oxford"])
def test_text_files_are_found_at_any_depth(make_files, place):
    folder = make_files(f"{place}/a_1_query.txt", ".gt/a_1_query.txt")
    assert find_text_ground_truth(str(folder)) == folder / place


def test_no_text_files(make_files):
    assert find_text_ground_truth(make_files("jpg/a.txt")) is None
    assert find_text_ground_truth("/is/not/there") is None


def test_names(make_files):
    folder = make_files("b/a.jpg", "c.JPG", "d.png", ".e.jpg", "a.b.jpg")
    assert list(list_names(folder).items()) == [
        ("a.b", folder / "a.b.jpg"),
        ("b/a", folder / "b" / "a.jpg"),
        ("c", folder / "c.JPG"),
        ("d", folder / "d.png"),
    ]


def test_photographs_in_one_folder(make_files):
    folder = make_files("jpg/a.jpg", "jpg/b.jpg", "jpg/d/c.jpg")
    names = ("b", "d/c", "a")
    expected = [Path(folder, "jpg", f"{name}.jpg") for name in names]
    assert photograph_paths(str(folder), names) == expected


def test_photographs_in_subfolders(make_files):
    folder = make_files("jpg/a.jpg", "jpg/x/a.jpg", "jpg/x/y/b.jpg")
    assert photograph_paths(folder, ["b", "a"]) == [
        folder / "jpg/x/y/b.jpg",
        folder / "jpg/a.jpg",
    ]


def test_photographs_of_all_formats(make_files):
    folder = make_files("jpg/a.JPG", "jpg/x/b.png", "jpg/c.d.tiff")
    assert photograph_paths(folder, ["a", "b", "x/b", "c.d"]) == [
        folder / "jpg/a.JPG",
        folder / "jpg/x/b.png",
        folder / "jpg/x/b.png",
        folder / "jpg/c.d.tiff",
    ]


def test_the_first_of_missing_photographs_is_named(make_files):
    folder = make_files("jpg/a.jpg")
    message = f"Received: {folder}/jpg/c.jpg, which is missing, .* of 2"
    with pytest.raises(FileNotFoundError, match=message):
        photograph_paths(folder, ["a", "c", "b"])
