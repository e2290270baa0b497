"""A SavedModel run through TensorFlow's C API, without its Python.

`TF_LoadSessionFromSavedModel` is the loader that TensorFlow Serving is built
on.
"""

import ctypes
from pathlib import Path

import numpy as np
import tensorflow as tf

_LIBRARY = Path(tf.__file__).parent / "libtensorflow_cc.so.2"
_STRING_BYTES = 24


class _Output(ctypes.Structure):
    """A TF_Output: an operation, and which of its outputs."""

    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


def _load_library():
    library = ctypes.CDLL(str(_LIBRARY))
    pointer, number = ctypes.c_void_p, ctypes.c_size_t
    for name in (
        "TF_NewStatus",
        "TF_NewGraph",
        "TF_NewSessionOptions",
        "TF_LoadSessionFromSavedModel",
        "TF_GraphOperationByName",
        "TF_AllocateTensor",
        "TF_TensorData",
        "TF_StringGetDataPointer",
    ):
        getattr(library, name).restype = pointer
    library.TF_Message.restype = ctypes.c_char_p
    library.TF_Dim.restype = ctypes.c_int64
    library.TF_StringGetSize.restype = number
    library.TF_GraphOperationByName.argtypes = [pointer, ctypes.c_char_p]
    library.TF_AllocateTensor.argtypes = [
        ctypes.c_int,
        ctypes.POINTER(ctypes.c_int64),
        ctypes.c_int,
        number,
    ]
    for name in ("TF_TensorData", "TF_TensorType", "TF_NumDims", "TF_Message"):
        getattr(library, name).argtypes = [pointer]
    library.TF_GetCode.argtypes = [pointer]
    library.TF_Dim.argtypes = [pointer, ctypes.c_int]
    library.TF_StringInit.argtypes = [pointer]
    library.TF_StringCopy.argtypes = [pointer, ctypes.c_char_p, number]
    library.TF_StringGetDataPointer.argtypes = [pointer]
    library.TF_StringGetSize.argtypes = [pointer]
    library.TF_LoadSessionFromSavedModel.argtypes = [
        *[pointer] * 2,
        ctypes.c_char_p,
        ctypes.POINTER(ctypes.c_char_p),
        ctypes.c_int,
        *[pointer] * 3,
    ]
    library.TF_SessionRun.argtypes = [
        *[pointer] * 4,
        ctypes.c_int,
        *[pointer] * 2,
        ctypes.c_int,
        pointer,
        ctypes.c_int,
        *[pointer] * 2,
    ]
    return library


class CSession:
    """A session of TensorFlow's C API.

    It is not closed: the test's process ends soon.

    Args:
        folder: `Path` of a SavedModel.
    """

    def __init__(self, folder):
        self._library = _load_library()
        self._status = self._library.TF_NewStatus()
        self._graph = self._library.TF_NewGraph()
        tags = (ctypes.c_char_p * 1)(b"serve")
        self._session = self._library.TF_LoadSessionFromSavedModel(
            self._library.TF_NewSessionOptions(),
            None,
            str(folder).encode(),
            tags,
            1,
            self._graph,
            None,
            self._status,
        )
        self._check()

    def run(self, feeds, fetches):
        """Runs the graph.

        Args:
            feeds: dict of a tensor's name, such as "images:0", to its array.
            fetches: list of names of tensors.

        Returns:
            list of arrays; of bytes objects where a tensor has strings.
        """
        inputs = (_Output * len(feeds))(*map(self._output, feeds))
        values = (ctypes.c_void_p * len(feeds))(
            *map(self._tensor, feeds.values())
        )
        outputs = (_Output * len(fetches))(*map(self._output, fetches))
        results = (ctypes.c_void_p * len(fetches))()
        self._library.TF_SessionRun(
            self._session,
            None,
            inputs,
            values,
            len(feeds),
            outputs,
            results,
            len(fetches),
            None,
            0,
            None,
            self._status,
        )
        self._check()
        return [self._array(result) for result in results]

    def _check(self):
        if self._library.TF_GetCode(self._status):
            raise ValueError(self._library.TF_Message(self._status).decode())

    def _output(self, name):
        operation, _, index = name.partition(":")
        found = self._library.TF_GraphOperationByName(
            self._graph, operation.encode()
        )
        assert found, name
        return _Output(found, int(index))

    def _tensor(self, array):
        strings = array.dtype.kind in "SO"
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        tensor = self._library.TF_AllocateTensor(
            tf.as_dtype(array.dtype).as_datatype_enum,
            shape,
            array.ndim,
            array.size * _STRING_BYTES if strings else array.nbytes,
        )
        data = self._library.TF_TensorData(tensor)
        if not strings:
            ctypes.memmove(data, array.tobytes(), array.nbytes)
            return tensor
        for row, text in enumerate(array.ravel()):
            string = data + row * _STRING_BYTES
            self._library.TF_StringInit(string)
            self._library.TF_StringCopy(string, text, len(text))
        return tensor

    def _array(self, tensor):
        library = self._library
        shape = [
            library.TF_Dim(tensor, axis)
            for axis in range(library.TF_NumDims(tensor))
        ]
        dtype = tf.as_dtype(library.TF_TensorType(tensor))
        data = library.TF_TensorData(tensor)
        count = int(np.prod(shape))
        if dtype == tf.string:
            texts = [
                self._string(data + row * _STRING_BYTES) for row in range(count)
            ]
            return np.array(texts, object).reshape(shape)
        raw = ctypes.string_at(data, count * dtype.size)
        return np.frombuffer(raw, dtype.as_numpy_dtype).reshape(shape)

    def _string(self, string):
        return ctypes.string_at(
            self._library.TF_StringGetDataPointer(string),
            self._library.TF_StringGetSize(string),
        )
