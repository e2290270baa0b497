"""Reading pickles of plain data without running what is in them."""

import math
import pickle
import re

import numpy as np

_MAX_RANK = 8


def load_restricted(path):
    """Reads a pickle that holds only builtin containers and numpy values.

    Nothing of the file is called or imported. numpy arrays come back as
    (nested) lists and numpy scalars as Python ones, decoded here from their
    bytes: numpy's own unpickling trusts the element sizes that the file
    states, and reads beyond its memory where they lie.

    Args:
        path: str or `Path` of a pickle of any protocol, also of Python 2.

    Returns:
        The unpickled object: dict, list, tuple, set, str, bytes, numbers,
        bool, None.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a pickle or holds anything else.
    """
    with open(path, "rb") as file:
        try:
            # Python 2 wrote text and the bytes of arrays as one type.
            return _Unpickler(file, encoding="latin1").load()
        # A damaged or hostile file can raise nearly any exception.
        except Exception as error:
            raise ValueError(
                "Expected a pickle of builtin containers and numpy arrays "
                f"({type(error).__name__}: {error}). Received: path={path}"
            ) from error


class _Unpickler(pickle.Unpickler):
    # Bound methods stand for what files call: a file can set attributes of
    # classes and functions that it gets hold of, but not of bound methods.

    def find_class(self, module, name):
        module = module.replace("numpy.core.", "numpy._core.")
        allowed = {
            ("__builtin__", "set"): set,
            ("builtins", "set"): set,
            ("__builtin__", "frozenset"): frozenset,
            ("builtins", "frozenset"): frozenset,
            ("__builtin__", "bytes"): self._empty_bytes,
            ("_codecs", "encode"): self._encode,
            ("numpy", "dtype"): self._dtype,
            ("numpy", "ndarray"): None,
            ("numpy._core.multiarray", "_reconstruct"): self._array,
            ("numpy._core.multiarray", "scalar"): self._scalar,
            ("numpy._core.numeric", "_frombuffer"): self._from_buffer,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return allowed[module, name]

    def _empty_bytes(self):
        return b""

    def _encode(self, text, encoding):
        if encoding != "latin1":
            raise pickle.UnpicklingError(f"encoding {encoding} is not allowed")
        return text.encode("latin1")

    def _dtype(self, code, align=False, copy=True):
        return _ElementType(code)

    def _array(self, subtype, shape, code):
        return _ArrayAsList()

    def _scalar(self, element_type, raw):
        return element_type.decode(raw, (1,), "C")[0]

    def _from_buffer(self, raw, element_type, shape, order):
        return element_type.decode(raw, shape, order)


class _ElementType:
    """A numpy dtype of numbers, text or objects, as its pickle states it."""

    def __init__(self, code):
        if not re.fullmatch(r"b1|[iu][1248]|f[248]|[SU][1-9]\d*|O\d?", code):
            raise pickle.UnpicklingError(f"dtype {code} is not allowed")
        self._code = code
        self._byte_order = "="

    def __setstate__(self, state):
        if state[1] in ("<", ">"):
            self._byte_order = state[1]

    def decode(self, raw, shape, order):
        """Returns the array of these bytes or objects as a nested list."""
        if len(shape) < 1 or len(shape) > _MAX_RANK:
            raise pickle.UnpicklingError(f"shape {shape} is not allowed")
        if self._code.startswith("O"):
            values = np.fromiter(raw, object, len(raw))
        elif not len(raw):
            values = np.empty(0)
        else:
            # Python 2 wrote the bytes as text.
            raw = raw.encode("latin1") if isinstance(raw, str) else raw
            values = np.frombuffer(raw, self._byte_order + self._code)
        if len(values) != math.prod(shape):
            raise pickle.UnpicklingError(f"shape {shape} is not that of data")
        if not len(values):
            # Lists cannot state the other sides, which may be huge.
            return []
        return values.reshape(shape, order=order).tolist()


class _ArrayAsList(list):
    """An array whose values arrive after it was made."""

    def __setstate__(self, state):
        _, shape, element_type, column_major, raw = state
        order = "F" if column_major else "C"
        self[:] = element_type.decode(raw, shape, order)
