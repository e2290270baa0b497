"""`import delf_keras` is light, and gives what it promises."""

import subprocess
import sys

import pytest

import delf_keras

IMPORT = """
import sys, time
start = time.perf_counter()
import delf_keras
seconds = time.perf_counter() - start
assert set(delf_keras.__all__) <= set(dir(delf_keras)), dir(delf_keras)
heavy = {"tensorflow", "keras", "numpy", "faiss", "cv2", "matplotlib", "h5py"}
print(seconds, *heavy & set(sys.modules))
"""


def test_import_is_light():
    """It brings neither TensorFlow nor anything else that is large."""
    seconds, *modules = subprocess.run(
        [sys.executable, "-c", IMPORT],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert not modules
    assert float(seconds) < 0.5


@pytest.mark.parametrize("name", delf_keras.__all__)
def test_names_are_found(name):
    value = getattr(delf_keras, name)
    if name == "__version__":
        assert isinstance(value, str)
    else:
        assert value.__name__ == name and value.__doc__


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'Extract'"):
        _ = delf_keras.Extract
