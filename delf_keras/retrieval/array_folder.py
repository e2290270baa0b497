"""Arrays as files of a folder, opened without reading them."""

import ctypes
import errno
import functools
import mmap
import os
import tokenize
import weakref

import numpy as np

# Rows that are copied at once.
_BLOCK = 1 << 18


def save_arrays(folder, arrays):
    """Writes arrays into a folder that is made, a file for each.

    Args:
        folder: `Path`.
        arrays: dict of name to array.
    """
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        save_array(folder / f"{name}.npy", array)


def save_array(path, array):
    """Writes one array.

    Raises:
        OSError: if the disk is full.
    """
    try:
        np.save(path, array)
    except OSError as error:
        if error.errno is not None:
            raise
        # numpy tells how much of it was written, and not why.
        raise OSError(
            errno.ENOSPC, f"The disk is full ({error})", str(path)
        ) from error


def load_arrays(folder, names):
    """Maps the arrays that `save_arrays` wrote into memory.

    Args:
        folder: `Path`.
        names: Names of the arrays.

    Returns:
        dict of name to array. Nothing is unpickled.
    """
    return {name: load_array(folder / f"{name}.npy") for name in names}


def load_array(path):
    """Maps one array into memory, read-only.

    Raises:
        OSError: if the file cannot be opened.
        ValueError: if it is no array, or not all of one.
    """
    with open(path, "rb") as file:
        shape, fortran_order, dtype = _read_header(file)
        start, size = file.tell(), os.fstat(file.fileno()).st_size
        if dtype.hasobject:
            raise ValueError(f"{path} holds Python objects")
        if min(shape, default=0) < 0 or size - start < dtype.itemsize * (
            np.prod(shape, dtype=object)
        ):
            raise ValueError(f"{path} is shorter than its array")
        buffer = _map(file.fileno(), size)
    order = "F" if fortran_order else "C"
    array = np.ndarray(shape, dtype, buffer, start, order=order)
    array.flags.writeable = False
    return array


def _read_header(file):
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(np.lib.format.read_magic(file))
    if read is None:
        raise ValueError(f"{file.name} is of an unknown version of .npy")
    try:
        return read(file)
    # numpy evaluates it as Python: the errors are those of its parser.
    except (SyntaxError, tokenize.TokenError) as error:
        raise ValueError(f"{file.name} is no array ({error})") from error


def _map(descriptor, size):
    """Maps a file, and needs its descriptor no longer.

    Python's own mapping keeps one: an index of many segments has thousands of
    arrays, and a process may have 256 files open.
    """
    if os.name == "nt":
        return mmap.mmap(descriptor, size, access=mmap.ACCESS_READ)
    libc = _libc()
    address = libc.mmap(
        None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0
    )
    if address == ctypes.c_void_p(-1).value:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    buffer = (ctypes.c_char * size).from_address(address)
    weakref.finalize(buffer, libc.munmap, address, size).atexit = False
    return buffer


@functools.cache
def _libc():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (
        ctypes.c_void_p,
        ctypes.c_size_t,
        *[ctypes.c_int] * 3,
        ctypes.c_ssize_t,
    )
    libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return libc


def write_rows(path, arrays, keeps):
    """Joins arrays to one file, without the rows that are not kept.

    Args:
        path: `Path` of the .npy file.
        arrays: list of arrays `[N, ...]` of one dtype.
        keeps: list of bool `[N]`, or None to keep all rows.
    """
    with RowFile(path, arrays[0]) as file:
        for array, keep in zip(arrays, keeps, strict=True):
            for start in range(0, len(array), _BLOCK):
                rows = array[start : start + _BLOCK]
                if keep is not None:
                    rows = rows[keep[start : start + _BLOCK]]
                file.write(rows)
            release(array)


def release(array):
    """Gives back the memory of what was read of a mapped array.

    It stays in the system's cache, and is read again when it is needed.

    Args:
        array: An array that `load_array` mapped, or any other.
    """
    buffer = array.base
    if isinstance(buffer, ctypes.Array):
        _libc().madvise(
            ctypes.addressof(buffer), len(buffer), mmap.MADV_DONTNEED
        )


class RowFile:
    """An .npy file that is written in blocks of rows.

    It is written and not mapped: a full disk is an error then, and not the
    death of the process.

    Args:
        path: `Path`.
        like: An array of the dtype and of the shape, but for its length.
    """

    def __init__(self, path, like):
        self._file = open(path, "wb")
        self._like = like
        self._count = 0
        self._write_header()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        with self._file:
            self._file.seek(0)
            self._write_header()

    def write(self, rows):
        """Appends rows."""
        self._file.write(np.ascontiguousarray(rows).data)
        self._count += len(rows)

    def _write_header(self):
        # numpy leaves room in a header for the first axis to grow.
        header = {
            "descr": np.lib.format.dtype_to_descr(self._like.dtype),
            "fortran_order": False,
            "shape": (self._count, *self._like.shape[1:]),
        }
        np.lib.format.write_array_header_2_0(self._file, header)
