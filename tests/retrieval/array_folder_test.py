"""Arrays are written in blocks and mapped."""

import ctypes
import os
import resource
from pathlib import Path

import numpy as np
import pytest

from delf_keras.retrieval import array_folder
from delf_keras.retrieval.array_folder import (
    RowFile,
    load_array,
    load_arrays,
    release,
    save_array,
    save_arrays,
    write_rows,
)


def test_rows_of_several_arrays(tmp_path, monkeypatch):
    monkeypatch.setattr(array_folder, "_BLOCK", 3)
    arrays = [np.arange(24.0).reshape(8, 3), np.ones((2, 3))]
    keep = np.arange(8) % 2 == 0
    write_rows(tmp_path / "rows.npy", arrays, [keep, None])

    expected = np.concatenate([arrays[0][keep], arrays[1]])
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), expected)


def test_rows_of_an_array_that_is_not_contiguous(tmp_path):
    array = np.arange(24, dtype=np.float32).reshape(4, 6).T
    write_rows(tmp_path / "rows.npy", [array, array], [None, np.zeros(6, bool)])

    rows = np.load(tmp_path / "rows.npy")
    np.testing.assert_array_equal(rows, array)
    assert rows.dtype == np.float32


def test_no_rows(tmp_path):
    with RowFile(tmp_path / "rows.npy", np.zeros((5, 2), np.float16)):
        pass
    array = np.load(tmp_path / "rows.npy")
    assert array.shape == (0, 2) and array.dtype == np.float16


def test_header_has_room_for_many_rows(tmp_path):
    with RowFile(tmp_path / "rows.npy", np.zeros(1, np.uint8)) as file:
        for _ in range(100):
            file.write(np.ones(12_345, np.uint8))
    assert np.load(tmp_path / "rows.npy").sum() == 1_234_500


def test_saved_arrays_are_mapped(tmp_path):
    save_arrays(tmp_path / "folder", {"a": np.arange(3), "b": np.eye(2)})
    arrays = load_arrays(tmp_path / "folder", ("a", "b"))

    assert isinstance(arrays["b"].base, ctypes.Array)
    assert not arrays["b"].flags.writeable
    np.testing.assert_array_equal(arrays["a"], [0, 1, 2])


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 3), np.float16),
        np.array(2.5),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(["a", "bc"]),
    ],
)
def test_mapped_array_is_what_numpy_reads(tmp_path, array):
    save_array(tmp_path / "a.npy", array)
    mapped = load_array(tmp_path / "a.npy")
    np.testing.assert_array_equal(mapped, array)
    assert (mapped.dtype, mapped.shape) == (array.dtype, array.shape)
    assert mapped.flags.f_contiguous == array.flags.f_contiguous


def test_mapped_arrays_are_no_open_files(tmp_path):
    """However many there are; they outlive the names of their files."""
    save_array(tmp_path / "a.npy", np.arange(100))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        arrays = [load_array(tmp_path / "a.npy") for _ in range(1000)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    os.unlink(tmp_path / "a.npy")
    assert sum(int(array[7]) for array in arrays) == 7000


def test_part_of_an_array(tmp_path):
    save_array(tmp_path / "a.npy", np.arange(100))
    whole = (tmp_path / "a.npy").read_bytes()
    for length in (0, 5, 64, len(whole) - 1):
        (tmp_path / "a.npy").write_bytes(whole[:length])
        with pytest.raises(ValueError):
            load_array(tmp_path / "a.npy")


@pytest.mark.parametrize("damage", [b"\0", b"|", b"(", b'"'])
def test_damaged_header(tmp_path, damage):
    """Read as Python, it gives the errors of a parser."""
    save_array(tmp_path / "a.npy", np.arange(100))
    contents = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(contents.replace(b"}", damage))
    with pytest.raises(ValueError, match="a.npy is no array"):
        load_array(tmp_path / "a.npy")


def test_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"evil": 1}], object))
    with pytest.raises(ValueError, match="Python objects"):
        load_array(tmp_path / "a.npy")


def resident(path):
    """Bytes of a file that this process has mapped and in memory."""
    text = Path("/proc/self/smaps").read_text()
    return sum(
        int(part.split("Rss:")[1].split()[0]) * 1024
        for part in text.split(str(path))[1:]
    )


@pytest.mark.skipif(
    not Path("/proc/self/smaps").exists(), reason="Linux tells what is mapped"
)
def test_released_array_takes_no_memory(tmp_path):
    """And is there when it is read again."""
    np.save(tmp_path / "a.npy", np.ones(1_000_000))
    array = load_array(tmp_path / "a.npy")
    assert array.sum() == 1_000_000
    assert resident(tmp_path / "a.npy") > 7_000_000

    release(array)
    assert resident(tmp_path / "a.npy") < 1_000_000
    assert array.sum() == 1_000_000
    release(np.ones(3))


def test_full_disk_is_said_to_be_full(tmp_path, monkeypatch):
    def write(*_):
        raise OSError("111840 requested and 36800 written")

    monkeypatch.setattr(np, "save", write)
    with pytest.raises(OSError, match="The disk is full .*36800 written"):
        save_array(tmp_path / "a.npy", np.zeros(3))
