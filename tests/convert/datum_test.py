"""The `.datum` files of tensorflow/models."""

import struct

import numpy as np
import pytest

from delf_keras.convert.datum import read_datum


def datum(values, dims):
    """Writes the bytes of a `DatumProto`, all lengths below 128."""

    def field(number, content):
        return bytes([number << 3 | 2, len(content)]) + content

    shape = field(1, field(1, bytes(dims)))
    floats = struct.pack(f"<{len(values)}f", *values)
    return shape + field(2, field(1, floats))


def test_array(tmp_path):
    path = tmp_path / "a.datum"
    path.write_bytes(datum(range(6), (2, 3)))
    received = read_datum(path)
    assert received.dtype == np.float32
    np.testing.assert_array_equal(received, np.arange(6).reshape(2, 3))


@pytest.mark.parametrize(
    "contents",
    [b"text that is none", datum(range(6), (2, 3))[:-2], datum([1], (2,))],
)
def test_other_files(tmp_path, contents):
    path = tmp_path / "a.datum"
    path.write_bytes(contents)
    with pytest.raises(ValueError, match="is a DatumProto of floats.*a.datum"):
        read_datum(path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="Received: .*a.datum"):
        read_datum(tmp_path / "a.datum")


def test_google_s_files(test_data):
    """The mean of features of unit length, and falling variances."""
    folder = test_data / "delf_v1_20171026" / "pca"
    mean = read_datum(folder / "mean.datum")
    variances = read_datum(folder / "pca_variances.datum")

    assert mean.shape == variances.shape == (1, 1024)
    assert (mean > 0).all() and 0 < np.linalg.norm(mean) < 1
    assert (np.diff(variances[0]) <= 0).all() and (variances > 0).all()
    # E|x|^2 = 1 is the mean's part and that of the variances.
    total = np.sum(mean**2) + np.sum(variances)
    np.testing.assert_allclose(total, 1, atol=0.02)
