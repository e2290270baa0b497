"""What the system cannot do is not called damage."""

import errno
import os

import h5py
import pytest

from delf_keras.system_errors import is_of_one_file, is_of_system


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.ENOSPC])
def test_limits_and_rights(number):
    assert is_of_system(OSError(number, os.strerror(number)))


def test_damage(tmp_path):
    path = tmp_path / "cut.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(OSError) as raised:
        h5py.File(path)
    assert not is_of_system(raised.value)
    assert not is_of_system(OSError(errno.EINVAL, "a negative position"))
    assert not is_of_system(KeyError("mean"))
    assert is_of_system(MemoryError())


def test_what_says_nothing_of_other_files(tmp_path):
    for path in (tmp_path, tmp_path / "absent", tmp_path / ("x" * 300)):
        with pytest.raises(OSError) as raised:
            path.read_bytes()
        assert is_of_one_file(raised.value)
    for number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO):
        assert not is_of_one_file(OSError(number, os.strerror(number)))


@pytest.mark.tf_only
def test_limits_and_rights_that_tensorflow_tells_of():
    import tensorflow as tf

    for kind in ("ResourceExhaustedError", "PermissionDeniedError"):
        assert is_of_system(getattr(tf.errors, kind)(None, None, "told"))
    assert not is_of_system(tf.errors.DataLossError(None, None, "told"))
