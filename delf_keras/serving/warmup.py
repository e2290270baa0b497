"""Warm-up: requests that a server answers before a version goes live."""

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from delf_keras.serving import contract

# Where TensorFlow Serving looks for them.
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
_HEIGHT, _WIDTH = 240, 320


def write_requests(folder):
    """Writes a request to each signature that takes rows of photographs.

    Args:
        folder: `Path` of a version.
    """
    prediction_log_pb2 = _import_messages()
    path = folder / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in _examples():
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = contract.MODEL_NAME
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            writer.write(log.SerializeToString())


def replay(servable, folder):
    """Sends the warm-up requests of a version to it.

    Args:
        servable: `Servable`.
        folder: `Path` of the version. It may have no requests.

    Returns:
        int. How many requests there were.

    Raises:
        ValueError: if a request cannot be read, or is not answered.
    """
    prediction_log_pb2 = _import_messages()
    path = folder / WARMUP_FILE
    if not path.is_file():
        return 0
    count = 0
    try:
        for record in tf.data.TFRecordDataset(str(path)):
            log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
            request = log.predict_log.request
            inputs = {
                name: tf.make_ndarray(value)
                for name, value in request.inputs.items()
            }
            servable.predict(request.model_spec.signature_name, inputs)
            count += 1
    except (DecodeError, ValueError, tf.errors.OpError) as error:
        raise ValueError(
            f"Every warm-up request must be answered. Received: request "
            f"{count} of {path} ({error})"
        ) from error
    return count


def _import_messages():
    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ModuleNotFoundError as error:
        raise ImportError(
            'Warm-up requests need: pip install "delf-keras[serving]". '
            f"Received: {error}"
        ) from error
    return prediction_log_pb2


def _examples():
    """Yields pairs of a signature and its inputs.

    `delf_compat` is not among them: a server that batches refuses inputs
    without rows, and with them the version.
    """
    image = _photograph()
    # An array of another type would drop zeros at the end of the bytes.
    contents = np.array([tf.io.encode_jpeg(image).numpy()], object)
    yield contract.SERVING_DEFAULT, {"image_bytes": np.repeat(contents, 2)}
    yield contract.EXTRACT, {"image_bytes": contents}
    yield contract.EXTRACT_PIXELS, {"images": image[None]}


def _photograph():
    """Noise, which has features everywhere."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (_HEIGHT, _WIDTH, 3), np.uint8)
