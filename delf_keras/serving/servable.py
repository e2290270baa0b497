"""One version of an exported model, loaded and called by its signatures."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from delf_keras.serving.contract import SERVING_DEFAULT
from delf_keras.system_errors import is_of_system

GRAPH_FILE = "saved_model.pb"
# TensorFlow's own bookkeeping, which every SavedModel has.
_INITIALISATION = "__saved_model_init_op"


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a signature.

    Attributes:
        dtype: `tf.DType`.
        shape: tuple of int, None where any size will do; or None for any
            rank.
    """

    dtype: tf.DType
    shape: tuple | None

    @property
    def batched(self):
        """Whether the first dimension may have any size."""
        return bool(self.shape) and self.shape[0] is None


@dataclass(frozen=True)
class SignatureSpec:
    """The inputs and outputs of a signature, dicts of name to `TensorSpec`."""

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]

    @property
    def batchable(self):
        """Whether every input and output has a row for each photograph."""
        tensors = [*self.inputs.values(), *self.outputs.values()]
        return all(tensor.batched for tensor in tensors)


class Servable:
    """A SavedModel that is in memory.

    Args:
        folder: str or `Path`. The folder of a version.

    Raises:
        FileNotFoundError: if it holds no SavedModel.
        ValueError: if the SavedModel is damaged.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.signature_defs = read_signature_defs(self.folder)
        self.signatures = {
            name: SignatureSpec(
                _tensor_specs(definition.inputs),
                _tensor_specs(definition.outputs),
            )
            for name, definition in self.signature_defs.items()
        }
        try:
            # Its functions live no longer than the object they came in.
            self._model = tf.saved_model.load(str(self.folder))
        except (tf.errors.OpError, OSError, ValueError) as error:
            if is_of_system(error):
                raise
            raise ValueError(
                f"The exported model is damaged. Received: {self.folder} "
                f"({error})"
            ) from error

    def signature(self, name):
        """Returns the `SignatureSpec` of a name.

        Raises:
            ValueError: if there is no such signature.
        """
        if name not in self.signatures:
            raise ValueError(
                f"A signature is one of {sorted(self.signatures)}. "
                f"Received: {name!r}"
            )
        return self.signatures[name]

    def predict(self, signature_name, inputs):
        """Calls a signature.

        Args:
            signature_name: str, or empty for `serving_default`.
            inputs: dict of name to array.

        Returns:
            dict of name to array; strings are arrays of bytes objects.

        Raises:
            ValueError: if there is no such signature, or the inputs are not
                those that it takes.
        """
        name = signature_name or SERVING_DEFAULT
        tensors = self.check_inputs(name, inputs)
        try:
            outputs = self._model.signatures[name](**tensors)
        except tf.errors.InvalidArgumentError as error:
            # Before and after what is wrong stands where in the graph it is.
            message = error.message.split("[[")[0]
            message = message.rpartition("<stack traces unavailable>")[2]
            raise ValueError(message.strip()) from error
        return {key: value.numpy() for key, value in outputs.items()}

    def check_inputs(self, signature_name, inputs):
        """Returns the inputs of a signature as tensors, or refuses them.

        Args:
            signature_name: str.
            inputs: dict of name to array.

        Raises:
            ValueError: if they are not those that the signature takes.
        """
        expected = self.signature(signature_name).inputs
        if inputs.keys() != expected.keys():
            raise ValueError(
                f"The inputs of {signature_name} are {sorted(expected)}. "
                f"Received: {sorted(inputs)}"
            )
        return {
            name: _checked(name, value, expected[name])
            for name, value in inputs.items()
        }


def read_signature_defs(folder):
    """Reads the signatures of a SavedModel.

    Args:
        folder: `Path` of a version.

    Returns:
        dict of name to `SignatureDef`.

    Raises:
        FileNotFoundError: if it holds no SavedModel.
        ValueError: if the SavedModel is damaged.
    """
    path = folder / GRAPH_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"A version of an exported model holds {GRAPH_FILE}. "
            f"Received: {folder}"
        )
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString(path.read_bytes())
        (graph,) = saved.meta_graphs
    except (DecodeError, ValueError) as error:
        raise ValueError(
            f"The exported model is damaged. Received: {path} ({error})"
        ) from error
    return {
        name: definition
        for name, definition in graph.signature_def.items()
        if name != _INITIALISATION
    }


def _tensor_specs(tensors):
    return {
        name: TensorSpec(tf.as_dtype(info.dtype), _shape(info.tensor_shape))
        for name, info in tensors.items()
    }


def _shape(proto):
    if proto.unknown_rank:
        return None
    return tuple(None if d.size < 0 else d.size for d in proto.dim)


def _checked(name, value, spec):
    value = np.asarray(value)
    # TensorFlow would cast numbers, and spoil pixels that are fractions.
    strings = value.dtype.kind in "SUO"
    dtype = tf.string if strings else tf.as_dtype(value.dtype)
    shape = tf.TensorShape(spec.shape)
    if dtype != spec.dtype or not shape.is_compatible_with(value.shape):
        raise ValueError(
            f"Input {name} is {spec.dtype.name} of shape {spec.shape}. "
            f"Received: dtype={dtype.name}, shape={value.shape}"
        )
    return tf.constant(value, spec.dtype)
