"""Plain data comes out of pickles, and nothing else happens."""

import os
import pickle

import numpy as np
import pytest

from delf_keras.evaluation.restricted_pickle import load_restricted


def _load(folder, content, protocol=None):
    path = folder / "content.pkl"
    if not isinstance(content, bytes):
        content = pickle.dumps(content, protocol)
    path.write_bytes(content)
    return load_restricted(path)


class _Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_containers_and_numbers(tmp_path, protocol):
    content = {
        "list": [1, -2.5, None, True, 10**30],
        "tuple": ("text \u00e9", b"\x00\xff", b""),
        "sets": [{1, 2}, frozenset({"a"})],
    }
    assert _load(tmp_path, content, protocol) == content


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(5),
        np.arange(5, dtype=np.uint8),
        np.arange(6, dtype=">i4").reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(10.0, dtype=np.float32)[::2],
        np.array([True, False]),
        np.array(["a", "bcd\u00e9"]),
        np.array([b"a", b"bcd"]),
        np.array([1, "text", None], object),
        np.empty(0),
        np.empty((0, 4), np.int64),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_come_as_lists(tmp_path, array, protocol):
    expected = array.tolist()
    assert _load(tmp_path, {"array": array}, protocol) == {"array": expected}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_scalars_come_as_numbers(tmp_path, protocol):
    content = [np.int64(7), np.float32(0.5), np.bool_(True), np.str_("abc")]
    loaded = _load(tmp_path, content, protocol)
    assert loaded == [7, 0.5, True, "abc"]
    assert [type(each) for each in loaded] == [int, float, bool, str]


def test_arrays_within_an_array(tmp_path):
    array = np.empty(2, object)
    array[:] = [np.array([1, 2]), np.array([3, 4])]
    assert _load(tmp_path, array) == [[1, 2], [3, 4]]


def test_pickle_of_python_2(tmp_path):
    # dumps({"a": numpy.array([1, 255], "<i4")}, 2) of Python 2.7: the bytes
    # of the array are a str, which is how Python 2 wrote text.
    content = (
        b"\x80\x02}U\x01acnumpy.core.multiarray\n_reconstruct\n"
        b"cnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x02\x85"
        b"cnumpy\ndtype\nU\x02i4K\x00K\x01\x87R(K\x03U\x01<NNN"
        b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"U\x08\x01\x00\x00\x00\xff\x00\x00\x00tbs."
    )
    assert _load(tmp_path, content) == {"a": [1, 255]}


def test_a_call_is_refused_and_not_made(tmp_path):
    made = tmp_path / "made"
    with pytest.raises(ValueError, match=r"mkdir is not allowed.*Received"):
        _load(tmp_path, [_Call(os.mkdir, str(made))])
    assert not made.exists()


@pytest.mark.parametrize(
    "content",
    [
        _Call(eval, "1 + 1"),
        _Call(getattr, {}, "keys"),
        _Call(bytearray, 10),
        _Call(np.load, "file.npy"),
        os.path.join,
        np.array([1 + 2j]),
        np.zeros(2, [("x", "i4"), ("y", "f8")]),
        np.zeros(2, "M8[s]"),
    ],
    # Not by their text, which has addresses that differ between processes.
    ids=range(8),
)
def test_anything_else_is_refused(tmp_path, content):
    with pytest.raises(ValueError, match="is not allowed"):
        _load(tmp_path, content)


@pytest.mark.parametrize(
    "content", [b"", b"hello", pickle.dumps(list(range(50)))[:-10]]
)
def test_what_is_no_pickle_is_refused(tmp_path, content):
    with pytest.raises(ValueError, match="Expected a pickle.*Received: path="):
        _load(tmp_path, content)


def _array_pickle(code, shape, raw, then=b""):
    """An array as numpy writes it; its dtype is kept as memo 1."""
    return (
        b"\x80\x03]cnumpy._core.multiarray\n_reconstruct\n"
        b"cnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01"
        + pickle.dumps(shape, 3)[2:-1].replace(b"q\x00", b"")
        + b"cnumpy\ndtype\nX\x02\x00\x00\x00"
        + code
        + b"\x89\x88\x87Rq\x01(K\x03X\x01\x00\x00\x00|NNNK\x08K\x01K\x00tb"
        + b"\x89C"
        + bytes([len(raw)])
        + raw
        + b"tba"
        + then
        + b"."
    )


def test_an_array_cannot_grow_over_memory_of_others(tmp_path):
    # Once the array stands, the file states that an element of its dtype has
    # a million bytes: numpy would read far beyond the 16 that there are.
    grow = b"h\x01(K\x03X\x01\x00\x00\x00|NNNJ\x00\x00\x10\x00K\x01K\x00tb0"
    content = _array_pickle(b"S8", (2,), b"abcdefgh" * 2, then=grow)
    assert _load(tmp_path, content) == [[b"abcdefgh"] * 2]


@pytest.mark.parametrize("shape", [(3,), (2**40,), (2, 2), (-1,), ()])
def test_a_shape_that_is_not_that_of_the_bytes_is_refused(tmp_path, shape):
    content = _array_pickle(b"S8", shape, b"abcdefgh" * 2)
    with pytest.raises(ValueError, match="shape .* is not"):
        _load(tmp_path, content)


def test_an_empty_array_does_not_make_a_huge_list(tmp_path):
    content = _array_pickle(b"S8", (2**40, 0), b"")
    assert _load(tmp_path, content) == [[]]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing.pkl"):
        load_restricted(tmp_path / "missing.pkl")
