"""Warm-up requests are written, and each is answered."""

import shutil
import sys

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from delf_keras.serving import warmup
from delf_keras.serving.servable import Servable


@pytest.fixture(scope="module")
def servable(exported_base):
    return Servable(exported_base / "1")


def requests(folder):
    records = tf.data.TFRecordDataset(str(folder / warmup.WARMUP_FILE))
    logs = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy())
        for record in records
    ]
    return [log.predict_log.request for log in logs]


def test_requests(servable):
    """At least one to each signature that a server which batches can call."""
    received = requests(servable.folder)
    batchable = {n for n, s in servable.signatures.items() if s.batchable}

    assert {r.model_spec.signature_name for r in received} == batchable
    assert batchable == {"serving_default", "extract", "extract_pixels"}
    assert {r.model_spec.name for r in received} == {"delf"}
    assert received[0].inputs["image_bytes"].tensor_shape.dim[0].size == 2


def test_replay(servable):
    assert warmup.replay(servable, servable.folder) == 3


def test_photographs_of_the_requests_are_taken(servable):
    (request, *_) = requests(servable.folder)
    images = tf.make_ndarray(request.inputs["image_bytes"])
    outputs = servable.predict("", {"image_bytes": images})
    assert list(outputs["status"]) == [b"ok"] * 2
    assert outputs["num_features"].all()


def test_version_without_requests(servable, tmp_path):
    assert warmup.replay(servable, tmp_path) == 0


def copy_of_requests(servable, tmp_path):
    target = tmp_path / warmup.WARMUP_FILE
    target.parent.mkdir()
    return str(shutil.copy(servable.folder / warmup.WARMUP_FILE, target))


def test_request_that_is_not_answered(servable, tmp_path):
    path = copy_of_requests(servable, tmp_path)
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.model_spec.signature_name = "extract"
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(log.SerializeToString())
    with pytest.raises(ValueError, match=r"must be answered.*request 0 of"):
        warmup.replay(servable, tmp_path)


def test_file_that_is_cut_off(servable, tmp_path):
    path = copy_of_requests(servable, tmp_path)
    with open(path, "r+b") as file:
        file.truncate(100_000)
    with pytest.raises(ValueError, match="Received: request 0 of"):
        warmup.replay(servable, tmp_path)


def test_missing_package(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.raises(ImportError, match=r"pip install .*\[serving\]"):
        warmup.write_requests(tmp_path)
