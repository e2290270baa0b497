"""What is done with the weights of a model, whatever they are of."""

import hashlib
import io
import json
from pathlib import Path

import keras
import numpy as np


def model_fingerprint(model):
    """Identifies the space of a model's features.

    Two models share it if and only if they have the same architecture, pixel
    scaling and weights. The precision they compute in does not matter.

    Args:
        model: `Delf`, built.

    Returns:
        16 hexadecimal digits.
    """
    config = model.get_config()
    backbone = config["backbone"]["config"]
    for ignored in ("name", "trainable", "dtype"):
        config.pop(ignored, None)
        backbone.pop(ignored, None)
    config["backbone"] = backbone
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for variable in model.weights:
        digest.update(keras.ops.convert_to_numpy(variable).tobytes())
    return digest.hexdigest()[:16]


def check_finite(model):
    """Refuses a model with NaN or infinity in its weights.

    Raises:
        ValueError: if a weight is not finite.
    """
    for variable in model.weights:
        values = keras.ops.convert_to_numpy(variable)
        if not np.isfinite(values).all():
            raise ValueError(
                "Weights must be finite. Received: NaN or infinity in "
                f"{variable.path}"
            )


def with_dtype(config, policy):
    """Returns the config of a serialized model with another dtype policy.

    Args:
        config: dict. What `keras.saving.serialize_keras_object` returned.
        policy: `keras.DTypePolicy` of every part.
    """
    if not isinstance(config, dict):
        return config
    return {
        key: keras.dtype_policies.serialize(policy)
        if key == "dtype"
        else with_dtype(value, policy)
        for key, value in config.items()
    }


def save_weights(model, path, half=False):
    """Writes the weights of a model, and those of its optimizer, to a file.

    They are serialized in memory: HDF5 ends the process where it finds the
    disk full.

    Args:
        model: Keras model, built.
        path: str or `Path`.
        half: bool. Whether to write float32 weights as float16 ones.

    Raises:
        OSError: if the file cannot be written.
    """
    file = _FileInMemory()
    model.save_weights(file)
    Path(path).write_bytes((_halved(file) if half else file).getbuffer())


class _FileInMemory(io.BytesIO):
    """A file for Keras, which asks for a name that ends as it expects."""

    def __str__(self):
        return "memory.weights.h5"


def _halved(file):
    """Returns a file of float32 weights as one of float16 ones, in memory."""
    import h5py

    halved = io.BytesIO()
    with h5py.File(file) as source, h5py.File(halved, "w") as target:

        def copy(name, item):
            if isinstance(item, h5py.Dataset):
                target.create_dataset(name, data=item[()].astype(np.float16))
            else:
                target.require_group(name)
            target[name].attrs.update(item.attrs)

        source.visititems(copy)
    return halved
