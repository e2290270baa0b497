"""One rule says which files are photographs; more is in `photographs_test`."""

import logging
import os
import socket

import pytest

from delf_keras.photograph_files import SUFFIXES, list_photographs


def test_every_suffix(tmp_path):
    names = [
        f"a{case(suffix)}" for suffix in SUFFIXES for case in (str, str.upper)
    ]
    for name in [*names, "a.txt", "b", ".jpg"]:
        (tmp_path / name).touch()

    assert list_photographs(tmp_path) == sorted(names)


def test_names_are_relative(tmp_path, monkeypatch):
    """Also where the folder is named in another way than it is walked."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c.jpg").touch()

    for folder in (tmp_path / "a", f"{tmp_path}/a/", f"{tmp_path}/a/../a"):
        assert list_photographs(folder) == ["b/c.jpg"]
    monkeypatch.chdir(tmp_path)
    assert list_photographs(".") == ["a/b/c.jpg"]


def test_no_photographs(tmp_path):
    assert list_photographs(tmp_path) == []
    assert list_photographs(tmp_path / "absent") == []


@pytest.fixture
def left_out(caplog):
    """A function that lists a folder, and returns what is said of it."""

    def left_out(folder):
        with caplog.at_level(logging.WARNING):
            names = list_photographs(folder)
        messages = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return names, messages

    return left_out


def test_only_regular_files(tmp_path, left_out):
    """A pipe, say, would be waited for until somebody writes to it."""
    (tmp_path / "a.jpg").touch()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "device.png").symlink_to(os.devnull)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.gif"))
        assert left_out(tmp_path) == (
            ["a.jpg"],
            [
                f"Left out of {tmp_path}: what is no regular file "
                "(device.png, pipe.jpg, socket.gif)."
            ],
        )


def test_links_to_folders_are_followed(tmp_path, left_out):
    photos, elsewhere = tmp_path / "photos", tmp_path / "elsewhere"
    (elsewhere / "b").mkdir(parents=True)
    (elsewhere / "b" / "b.jpg").touch()
    photos.mkdir()
    (photos / "a").symlink_to(elsewhere)

    assert left_out(photos) == (["a/b/b.jpg"], [])


def test_no_folder_is_listed_twice(tmp_path, left_out):
    """Neither in a circle, nor by two ways."""
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "c.jpg").touch()
    (tmp_path / "c" / "up").symlink_to(tmp_path)
    (tmp_path / "a").symlink_to(tmp_path / "c")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")

    assert left_out(tmp_path) == (
        ["c/c.jpg", "loop.jpg"],
        [
            f"Left out of {tmp_path}: links to folders that are listed "
            "(a, c/up)."
        ],
    )


def test_other_formats_are_told(tmp_path, left_out):
    for number in range(5):
        (tmp_path / f"{number}.CR2").touch()
    (tmp_path / "a.jpg").touch()
    (tmp_path / "notes.txt").touch()

    assert left_out(tmp_path) == (
        ["a.jpg"],
        [
            f"Left out of {tmp_path}: formats that are not read "
            "(0.CR2, 1.CR2, 2.CR2 and 2 more)."
        ],
    )


def test_a_folder_that_may_not_be_read(tmp_path, left_out, monkeypatch):
    """Other errors, such as too many open files, are nothing to pass over."""
    (tmp_path / "a.jpg").touch()
    (tmp_path / "private").mkdir()
    scandir = os.scandir
    error = PermissionError(13, "Permission denied")

    def refuse(path):
        if str(path).endswith("private"):
            raise error
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert left_out(tmp_path) == (
        ["a.jpg"],
        [f"Left out of {tmp_path}: folders that may not be read (private)."],
    )
    error = OSError(24, "Too many open files")
    with pytest.raises(OSError, match="Too many open files"):
        list_photographs(tmp_path)
