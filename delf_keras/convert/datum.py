"""The `.datum` files of tensorflow/models: an array each."""

from functools import cache

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

_FIELD = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "delf_keras.datum"


def read_datum(path):
    """Reads the array of a `.datum` file.

    Args:
        path: `Path`.

    Returns:
        float32 array.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such file, or cut off.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no .datum file. Received: {path}")
    datum = _datum_class()()
    try:
        datum.ParseFromString(path.read_bytes())
        values = np.array(datum.float_list.value, np.float32)
        # Without a shape, the array would pass for a single number.
        return values.reshape(tuple(datum.shape.dim) or (len(values),))
    except (DecodeError, ValueError) as error:
        raise ValueError(
            "A .datum file is a DatumProto of floats. "
            f"Received: {path} ({error})"
        ) from error


@cache
def _datum_class():
    """Makes the class of `DatumProto` from its published definition."""
    file = descriptor_pb2.FileDescriptorProto(
        name="delf_keras/datum.proto", package=_PACKAGE
    )
    for message, fields in {
        "DatumShape": [("dim", 1, _FIELD.TYPE_INT64, None)],
        "FloatList": [("value", 1, _FIELD.TYPE_FLOAT, None)],
        "DatumProto": [
            ("shape", 1, _FIELD.TYPE_MESSAGE, "DatumShape"),
            ("float_list", 2, _FIELD.TYPE_MESSAGE, "FloatList"),
        ],
    }.items():
        proto = file.message_type.add(name=message)
        for name, number, kind, of in fields:
            field = proto.field.add(name=name, number=number, type=kind)
            if of is None:
                field.label = _FIELD.LABEL_REPEATED
                field.options.packed = True
            else:
                field.label = _FIELD.LABEL_OPTIONAL
                field.type_name = f".{_PACKAGE}.{of}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"{_PACKAGE}.DatumProto")
    )
