"""Which files of a folder are photographs, and what a query shows."""

import numpy as np
import pytest
from PIL import Image

from delf_keras.features.decoding import ImageError
from delf_keras.features.photographs import find_photographs, read_query


def make_files(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_photographs_of_subfolders(tmp_path):
    make_files(
        tmp_path, "b.jpg", "a/z.PNG", "a/b/c.webp", "B.jpeg", "d.gif", "e.bmp"
    )
    names = ["B.jpeg", "a/b/c.webp", "a/z.PNG", "b.jpg", "d.gif", "e.bmp"]

    assert find_photographs(tmp_path) == names
    assert find_photographs(str(tmp_path)) == names


def test_other_files_are_left_out(tmp_path):
    make_files(tmp_path, "a.jpg", "a.jpg.txt", "notes.md", "jpg", "a.mp4")
    (tmp_path / "folder.jpg").mkdir()
    make_files(tmp_path, "folder.jpg/b.jpg")

    assert find_photographs(tmp_path) == ["a.jpg", "folder.jpg/b.jpg"]


def test_hidden_files_and_folders_are_left_out(tmp_path):
    folder = tmp_path / ".hidden" / "photographs"
    make_files(folder, "a.jpg", "._a.jpg", ".thumbnails/a.jpg", "b/.c/d/e.jpg")

    # That the folder itself lies in a hidden one does not matter.
    assert find_photographs(folder) == ["a.jpg"]


def test_links_are_photographs(tmp_path):
    """Even dangling ones, so that it is said that they cannot be read."""
    make_files(tmp_path, "a.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "c.jpg").symlink_to(tmp_path / "gone.jpg")

    assert find_photographs(tmp_path) == ["a.jpg", "b.jpg", "c.jpg"]


def test_odd_names(tmp_path):
    names = ["a b.jpg", "été.jpg", "日本/京都.jpg", "%20.jpg", "a.b.jpg"]
    make_files(tmp_path, *names)

    assert find_photographs(tmp_path) == sorted(names)


def test_no_folder(tmp_path):
    make_files(tmp_path, "a.jpg")
    for path in (tmp_path / "absent", tmp_path / "a.jpg"):
        with pytest.raises(
            FileNotFoundError, match=f"no folder .* Received: {path}$"
        ):
            find_photographs(path)


def test_no_photographs(tmp_path):
    make_files(tmp_path, "notes.txt", ".hidden.jpg")
    with pytest.raises(
        ValueError, match=f".bmp, .gif, .* Received: {tmp_path}, which has none"
    ):
        find_photographs(tmp_path)


@pytest.fixture(scope="module")
def photograph(tmp_path_factory, make_photograph):
    """The path of a photograph of 60x40 pixels."""
    path = tmp_path_factory.mktemp("queries") / "a.png"
    Image.fromarray(make_photograph(40, 60)).save(path)
    return path


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 60, 40),
        (10, 5, 33, 17),
        (10.4, 4.6, 33.5, 16.5),
        (-7, -3, 20, 12),
        (50, 30, 75, 55),
        (-5, -5, 70, 50),
        # Wholly outside.
        (70, 5, 90, 20),
        (5, -30, 20, -4),
        (-25, 45, -2, 60),
    ],
)
def test_a_query_is_what_pillow_crops(photograph, box):
    query = read_query(photograph, np.array(box))
    with Image.open(photograph) as image:
        expected = np.asarray(image.crop(box))

    assert query.dtype == np.uint8
    np.testing.assert_array_equal(query, expected)


@pytest.mark.parametrize("box", [(10, 5, 10, 17), (33, 17, 10, 5)])
def test_an_empty_box(photograph, box):
    with pytest.raises(
        ValueError, match=r"not empty. Received: \[\d+, .* for .*a.png"
    ):
        read_query(photograph, box)


def test_a_query_that_is_missing(tmp_path):
    with pytest.raises(ImageError, match="cannot be read. Received: .*b.jpg"):
        read_query(tmp_path / "b.jpg", (0, 0, 10, 10))
