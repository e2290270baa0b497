"""Names of kept files, and which of them are whole."""

import os

import h5py
import pytest

from delf_keras.benchmarking.kept_files import is_whole, key_of, stamp_of


def test_key_depends_on_every_part():
    keys = {key_of("a", 1), key_of("a", 2), key_of("b", 1), key_of("a")}
    assert len(keys) == 4
    assert all(len(key) == 16 for key in keys)


def test_names_that_are_no_text(tmp_path):
    path = tmp_path / "caf\udce9.jpg"
    path.touch()
    assert stamp_of([path]) != stamp_of([])
    assert key_of(path) != key_of(tmp_path)


def test_stamp_tells_other_files_apart(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"12")
    os.utime(path, ns=(0, 0))
    stamp = stamp_of([path])
    monkeypatch.chdir(tmp_path)
    assert stamp_of(["a.jpg"]) == stamp

    os.utime(path, ns=(0, 1))
    assert stamp_of([path]) != stamp
    path.write_bytes(b"123")
    os.utime(path, ns=(0, 0))
    assert stamp_of([path]) != stamp
    assert stamp_of([]) != stamp


def test_whole_and_damaged_features(tmp_path):
    path = tmp_path / "features.h5"
    with h5py.File(path, "w") as file:
        file["group/keypoints"] = [0.0] * 1000
    assert is_whole(path)
    path.write_bytes(path.read_bytes()[:-100])
    assert not is_whole(path)


def test_file_that_another_run_has_is_not_damaged(tmp_path):
    path = tmp_path / "features.h5"
    path.mkdir()
    with pytest.raises(OSError):
        is_whole(path)


def test_damaged_pca(tmp_path):
    path = tmp_path / "pca.npz"
    path.write_bytes(b"")
    assert not is_whole(path)
