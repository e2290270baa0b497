"""What is done with the weights of a model, whatever they are of."""

import contextlib
import hashlib
import io
import json
import sys
import tempfile
import zipfile
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
    config = _architecture(model.get_config())
    config["backbone"] = config["backbone"]["config"]
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for variable in model.weights:
        digest.update(keras.ops.convert_to_numpy(variable).tobytes())
    return digest.hexdigest()[:16]


def _architecture(config, layers=None):
    """Returns a config without precisions, and without names of layers.

    Keras numbers these, and counts on from one model to the next.
    """
    layers = layers or {}
    if isinstance(config, dict):
        for index, layer in enumerate(config.get("layers", ())):
            layers |= {layer["config"]["name"]: index}
        return {
            key: _architecture(value, layers)
            for key, value in config.items()
            if key not in ("name", "trainable", "dtype")
        }
    if isinstance(config, list | tuple):
        return [
            layers.get(each, each)
            if isinstance(each, str)
            else _architecture(each, layers)
            for each in config
        ]
    return config


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


def with_dtype(model, dtype=None):
    """Returns a copy of a model that computes in another precision.

    Args:
        model: Keras model, built.
        dtype: A Keras dtype policy. Defaults to the global one.
    """
    config = keras.saving.serialize_keras_object(model)
    copy = keras.saving.deserialize_keras_object(
        config_with_dtype(config, dtype)
    )
    copy.set_weights(model.get_weights())
    return copy


def config_with_dtype(config, dtype=None):
    """Returns the config of a serialized model with another dtype policy.

    Args:
        config: dict. What `keras.saving.serialize_keras_object` returned.
        dtype: A Keras dtype policy. Defaults to the global one.
    """
    policy = keras.dtype_policies.serialize(keras.dtype_policies.get(dtype))

    def changed(value):
        if isinstance(value, list):
            return [changed(each) for each in value]
        if not isinstance(value, dict):
            return value
        # That of an input is the name of a type.
        return {
            key: policy
            if key == "dtype" and isinstance(each, dict)
            else changed(each)
            for key, each in value.items()
        }

    return changed(config)


def save_weights(model, path, half=False):
    """Writes the weights of a model, and those of its optimizer, to a file.

    Keras serializes them in memory on the way to a file of the whole model:
    HDF5 that writes itself ends the process where it finds the disk full.

    Args:
        model: Keras model, built.
        path: str or `Path`.
        half: bool. Whether to write float32 weights as float16 ones.

    Raises:
        OSError: if the file cannot be written.
    """
    with tempfile.TemporaryDirectory(dir=Path(path).parent) as folder:
        model.save(f"{folder}/model.keras")
        with zipfile.ZipFile(f"{folder}/model.keras") as archive:
            weights = archive.read("model.weights.h5")
    Path(path).write_bytes(_halved(weights) if half else weights)


def _halved(weights):
    """Returns the bytes of a file of float32 weights with float16 ones."""
    import h5py

    halved = io.BytesIO()
    with (
        h5py.File(io.BytesIO(weights)) as source,
        h5py.File(halved, "w") as target,
    ):

        def copy(name, item):
            if isinstance(item, h5py.Dataset):
                target.create_dataset(name, data=item[()].astype(np.float16))
            else:
                target.require_group(name)
            target[name].attrs.update(item.attrs)

        source.visititems(copy)
    return halved.getvalue()


@contextlib.contextmanager
def keras_downloads():
    """Lets Keras download where there is no stdout, as in a service.

    It writes to it without asking. The setting is that of this thread.
    """
    interactive = keras.config.is_interactive_logging_enabled()
    if sys.stdout is None:
        keras.config.disable_interactive_logging()
    try:
        yield
    finally:
        if interactive:
            keras.config.enable_interactive_logging()
