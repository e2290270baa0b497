"""Writing an extractor as a version that TensorFlow Serving serves."""

import json
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.python.util import deprecation

from delf_keras.atomic import durable_path
from delf_keras.serving import contract, warmup
from delf_keras.serving.admission import Limits
from delf_keras.serving.servable import Servable
from delf_keras.serving.signatures import describe, make_signatures
from delf_keras.version import __version__

CARD_FILE = "assets.extra/model_card.md"
DESCRIPTION_FILE = "assets.extra/extractor.json"
BATCHING_FILE = "batching_params.pbtxt"
# The number of threads is the server's, in its own file of parameters.
_BATCHING = """\
# Read with --enable_batching --enable_per_model_batching_parameters.
max_batch_size { value: 4 }
batch_timeout_micros { value: 0 }
max_enqueued_batches { value: 100 }
"""


def export(extractor, base, version, limits=None, name=""):
    """Writes an extractor as the folder `base/version`, all or nothing.

    The folder is a SavedModel from the bytes of photographs to descriptors,
    weights frozen, which needs no Python to run. Its signatures are described
    in `delf_keras.serving.contract`. It carries warm-up requests, which it
    has answered before it is published, and a model card.

    Args:
        extractor: `Extractor`.
        base: str or `Path`. The folder of the versions of a model.
        version: int. Servers serve the highest.
        limits: `Limits`. Of the photographs that are taken.
        name: str. The preset, for the model card.

    Returns:
        `Path` of the version.

    Raises:
        FileExistsError: if the version exists.
        ValueError: if the version is not a positive number, or the model
            cannot answer a warm-up request.
    """
    if version < 1 or version not in contract.VERSIONS:
        raise ValueError(
            "A version is at least 1, and a number of 64 bits. "
            f"Received: {version}"
        )
    limits = limits or Limits()
    folder = Path(base) / str(version)
    if folder.exists():
        raise FileExistsError(
            "A version is never overwritten: give a higher one. "
            f"Received: {folder}"
        )
    with durable_path(folder) as temporary:
        _write_graph(make_signatures(extractor, limits), temporary)
        (temporary / BATCHING_FILE).write_text(_BATCHING)
        warmup.write_requests(temporary)
        (temporary / DESCRIPTION_FILE).write_text(describe(extractor).to_json())
        (temporary / CARD_FILE).write_text(_card(extractor, limits, name))
        warmup.replay(Servable(temporary), temporary)
    return folder


def next_version(base):
    """Returns the version after the highest of a folder, 1 for the first."""
    base = Path(base)
    folders = base.iterdir() if base.is_dir() else ()
    numbers = [contract.version_number(f.name) or 0 for f in folders]
    return max(numbers, default=0) + 1


def _write_graph(functions, folder):
    """Writes functions as the signatures of one graph.

    The format is that of TensorFlow 1, since in it tensors have names of our
    choice: the extraction scripts of tensorflow/models fetch `boxes:0`.

    Args:
        functions: dict of the name of a signature to a concrete function.
        folder: `Path` that does not exist yet.
    """
    v1 = tf.compat.v1
    with (
        # TensorFlow announces at every call that it is of version 1.
        deprecation.silence(),
        tf.Graph().as_default(),
        v1.Session() as session,
    ):
        definitions = {
            name: _add_signature(name, function)
            for name, function in functions.items()
        }
        definitions[contract.SERVING_DEFAULT] = definitions[contract.EXTRACT]
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            [v1.saved_model.tag_constants.SERVING],
            signature_def_map=definitions,
            # Servers older than this TensorFlow do not know all of them.
            strip_default_attrs=True,
        )
        builder.save()


def _add_signature(name, function):
    """Adds a function to the current graph, and returns its `SignatureDef`."""
    v1 = tf.compat.v1
    prefix = "" if name == contract.DELF_COMPAT else f"{name}/"
    inputs = {
        spec.name: v1.placeholder(spec.dtype, spec.shape, prefix + spec.name)
        for spec in function.structured_input_signature[0]
    }
    outputs = {
        key: tf.identity(value, prefix + key)
        for key, value in function(**inputs).items()
    }
    return v1.saved_model.build_signature_def(
        _tensor_infos(inputs),
        _tensor_infos(outputs),
        v1.saved_model.signature_constants.PREDICT_METHOD_NAME,
    )


def _tensor_infos(tensors):
    build = tf.compat.v1.saved_model.build_tensor_info
    return {name: build(tensor) for name, tensor in tensors.items()}


def _card(extractor, limits, name):
    """Returns the model card, Markdown."""
    source = extractor.source
    lines = [
        f"# {name or 'DELF'}, local features",
        "",
        "Written by `delf-keras export`: from photographs to keypoint",
        "locations and descriptors (Noh et al., arXiv 1612.06321).",
        "",
        f"- descriptor space: {extractor.fingerprint}",
        f"- weights: {source.get('origin', 'unknown')}",
        f"- licence of the weights: {source.get('licence', 'unknown')}",
        f"- paper of the network: {source.get('paper', 'unknown')}",
        f"- limits: {limits.max_image_bytes} bytes and {limits.max_pixels} "
        "pixels of a photograph",
        f"- made with: delf_keras {__version__}, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}",
        "",
        "## Extraction",
        "",
        "```json",
        json.dumps(vars(extractor.options), indent=2),
        "```",
    ]
    if training := source.get("training"):
        lines += ["", "## Training", "", "```json"]
        lines += [json.dumps(training, indent=2), "```"]
    return "\n".join(lines) + "\n"
