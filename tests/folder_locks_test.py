"""Folders are shared by many or claimed by one."""

import errno
import gc
import os

import pytest

from delf_keras import folder_locks
from delf_keras.folder_locks import claim, share


def test_claims_exclude_all_others(tmp_path):
    claimed = claim(tmp_path)
    for lock in (claim, share):
        with pytest.raises(BlockingIOError):
            lock(tmp_path)
    claimed.release()
    shared = [share(tmp_path), share(tmp_path)]
    with pytest.raises(BlockingIOError):
        claim(tmp_path)
    shared.pop()
    with pytest.raises(BlockingIOError):
        claim(tmp_path)
    shared.pop()
    gc.collect()
    claim(tmp_path).release()


def test_no_descriptor_is_left(tmp_path):
    before = os.listdir("/dev/fd")
    lock = claim(tmp_path)
    with pytest.raises(BlockingIOError):
        share(tmp_path)
    lock.release()
    lock.release()
    assert os.listdir("/dev/fd") == before


def test_absent_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        share(tmp_path / "absent")


def test_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(folder_locks.fcntl, "flock", refuse)
    assert claim(tmp_path) is None and share(tmp_path) is None


def test_system_without_locks(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_locks, "fcntl", None)
    assert claim(tmp_path) is None and share(tmp_path) is None
