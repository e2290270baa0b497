"""A file or folder appears whole, or what was there stays."""

import errno
import multiprocessing
import os
import signal
import stat

import pytest

from delf_keras import atomic
from delf_keras.atomic import atomic_path, durable_path


def test_file_appears_at_the_end(tmp_path):
    path = tmp_path / "file.txt"
    with atomic_path(path) as temporary:
        assert not temporary.exists()
        assert temporary.suffix == ".txt"
        temporary.write_text("new")
        assert not path.exists()

    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_parent_folders_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "file.txt"
    with atomic_path(str(path)) as temporary:
        temporary.write_text("new")

    assert path.read_text() == "new"


def test_old_file_is_replaced(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"

    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["file.txt"]


# An interrupt from the keyboard is no Exception.
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(error), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error

    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_failure_leaves_nothing_new(tmp_path):
    with (
        pytest.raises(ValueError),
        atomic_path(tmp_path / "file.txt") as temporary,
    ):
        temporary.write_text("half")
        raise ValueError

    assert os.listdir(tmp_path) == []


def test_nothing_written_is_an_error(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_path(path):
        pass

    assert path.read_text() == "old"


def test_folder_appears_whole(tmp_path):
    path = tmp_path / "folder"
    with atomic_path(path) as temporary:
        temporary.mkdir()
        (temporary / "file.txt").write_text("new")
        assert not path.exists()

    assert os.listdir(tmp_path) == ["folder"]
    assert (path / "file.txt").read_text() == "new"


def test_folder_is_never_replaced(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "file.txt").write_text("old")
    with pytest.raises(OSError), atomic_path(path) as temporary:
        temporary.mkdir()
        (temporary / "file.txt").write_text("new")
    with pytest.raises(OSError), atomic_path(path) as temporary:
        temporary.write_text("a file in place of the folder")

    assert os.listdir(tmp_path) == ["folder"]
    assert (path / "file.txt").read_text() == "old"


def test_empty_folder_is_never_replaced(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    with (
        pytest.raises(FileExistsError, match=f"Received: path={path}"),
        atomic_path(path) as temporary,
    ):
        temporary.mkdir()
        (temporary / "file.txt").write_text("new")

    assert os.listdir(tmp_path) == ["folder"]
    assert not list(path.iterdir())


def _write_for_ever(path, started):
    with durable_path(path) as temporary:
        temporary.mkdir()
        (temporary / "large.npy").write_text("much")
        started.set()
        signal.pause()


def test_what_a_killed_writer_left_is_removed(tmp_path):
    """By the next writer of the same folder, and not while it lives."""
    path = tmp_path / "index"
    context = multiprocessing.get_context("fork")
    started = context.Event()
    writer = context.Process(target=_write_for_ever, args=(path, started))
    writer.start()
    assert started.wait(60)
    (left,) = os.listdir(tmp_path)
    with durable_path(path) as temporary:
        temporary.mkdir()
    assert sorted(os.listdir(tmp_path)) == [left, "index"]

    writer.kill()
    writer.join()
    with durable_path(tmp_path / "another") as temporary:
        temporary.mkdir()
    assert left in os.listdir(tmp_path)
    path.rmdir()
    with durable_path(path) as temporary:
        temporary.mkdir()
    assert sorted(os.listdir(tmp_path)) == ["another", "index"]


def test_too_many_open_files(tmp_path, monkeypatch):
    def fail(folder):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(atomic, "claim", fail)
    with pytest.raises(OSError, match="Too many open files"):
        with atomic_path(tmp_path / "file.txt"):
            pass
    assert os.listdir(tmp_path) == []


def test_large_file(tmp_path, monkeypatch):
    """It is on disk, and what a killed writer left of it is removed."""
    path = tmp_path / "features.h5"
    with atomic_path(path) as temporary:
        temporary.write_text("old")
        left = temporary.parent
    left.mkdir()
    synced = []
    monkeypatch.setattr(atomic, "sync", synced.append)
    with durable_path(path) as temporary:
        temporary.write_text("new")
    assert os.listdir(tmp_path) == ["features.h5"]
    assert path.read_text() == "new"
    assert synced == [temporary, tmp_path]


def test_file_system_that_syncs_no_folders(tmp_path, monkeypatch):
    fsync = os.fsync

    def files_only(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", files_only)
    with durable_path(tmp_path / "index") as temporary:
        temporary.mkdir()
        (temporary / "file.txt").write_text("new")
    assert (tmp_path / "index/file.txt").read_text() == "new"

    def full(descriptor):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="Input/output error"):
        with durable_path(tmp_path / "other") as temporary:
            temporary.mkdir()
    assert os.listdir(tmp_path) == ["index"]


def test_name_of_255_bytes(tmp_path):
    path = tmp_path / ("x" * 255)
    with atomic_path(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
