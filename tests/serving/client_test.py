"""The client against servers that fail in ways of the tests' choice."""

import collections
import concurrent.futures
import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_service_pb2_grpc,
)

from delf_keras.features.decoding import ImageError
from delf_keras.serving import Client
from delf_keras.serving.embedded.server import EmbeddedServer, ServerOptions
from delf_keras.serving.errors import ServerError
from delf_keras.serving.retrying import RetryOptions
from delf_keras.serving.servable import Servable

QUICK = RetryOptions(retries=3, first_seconds=0.01)


@pytest.fixture(scope="module")
def server(exported_base):
    """A started server of `served_extractor`."""
    options = ServerOptions(grpc_port=0, rest_port=0)
    with EmbeddedServer(exported_base, options) as server:
        yield server


@pytest.fixture(params=["grpc", "rest"])
def address(server, request):
    if request.param == "grpc":
        return server.grpc_address
    return f"http://{server.rest_address}"


def assert_same(received, expected):
    assert received.image_size == expected.image_size
    assert received.fingerprint == expected.fingerprint
    for name in ("locations", "descriptors", "scores", "scales"):
        np.testing.assert_array_equal(
            getattr(received, name), getattr(expected, name)
        )


def test_stands_in_for_an_extractor(address, served_extractor, photographs):
    with Client(address) as client:
        assert client.fingerprint == served_extractor.fingerprint
        assert client.cache_key == served_extractor.cache_key
        assert client.options == served_extractor.options
        assert client.has_pca and served_extractor.has_pca
        paths = sorted(photographs.rglob("*.jpg"))
        received = client.extract(paths)
        assert_same(client.extract(paths[0]), received[0])
    for features, expected in zip(
        received, served_extractor.extract(paths), strict=True
    ):
        assert_same(features, expected)


def test_arrays(address, served_extractor, make_photograph):
    image = make_photograph(90, 120)
    with Client(address) as client:
        assert_same(client.extract(image), served_extractor.extract(image))
        with pytest.raises(ImageError, match="uint8 array"):
            client.extract(image[..., 0])


def test_photographs_that_are_not_taken(address, photographs, tmp_path):
    """Each has its reason, and those beside it their features."""
    files = {
        "empty.jpg": b"",
        "text.jpg": b"no photograph",
        "large.jpg": bytes(400_001),
        "small.png": tf.io.encode_png(np.zeros((9, 9, 3), np.uint8)).numpy(),
    }
    for name, contents in files.items():
        (tmp_path / name).write_bytes(contents)
    good = sorted(photographs.rglob("*.jpg"))[0]
    paths = [tmp_path / name for name in (*files, "none.jpg")]
    with Client(address) as client:
        results = list(client.extract_each([*paths, good]))
        with pytest.raises(ImageError, match="is whole. Received: .*text.jpg"):
            client.extract([good, tmp_path / "text.jpg"])

    assert [photograph for photograph, _ in results] == [*paths, good]
    errors = [result for _, result in results[:-1]]
    assert all(isinstance(error, ImageError) for error in errors)
    for error, path, reason in zip(
        errors,
        paths,
        (
            "is empty",
            "that is whole",
            "limits on bytes and pixels",
            "at least 10 pixels",
            "cannot be read",
        ),
        strict=True,
    ):
        assert reason in str(error) and str(path) in str(error)
    assert len(results[-1][1]) > 0


def test_metadata_and_status(address):
    with Client(address) as client:
        signatures = client.metadata().signature_def
        assert set(signatures) == {
            "serving_default",
            "extract",
            "extract_pixels",
            "delf_compat",
        }
        assert "image_bytes" in signatures["extract"].inputs
        (entry,) = client.status().model_version_status
        assert (entry.version, entry.state) == (1, entry.AVAILABLE)


def test_any_signature(address, exported_base, make_photograph):
    inputs = {
        "input_image": make_photograph(60, 80),
        "input_scales": np.array([1.0], np.float32),
        "input_max_feature_num": np.int32(5),
        "input_abs_thres": np.float32(0),
    }
    expected = Servable(exported_base / "1").predict("delf_compat", inputs)
    with Client(address) as client:
        received = client.predict(inputs, "delf_compat")
    assert received.keys() == expected.keys()
    for name, rows in expected.items():
        assert received[name].dtype == rows.dtype
        np.testing.assert_array_equal(received[name], rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "other"}, "NOT_FOUND.*'delf'. Received: 'other'"),
        ({"version": 7}, r"NOT_FOUND.*\[1\]. Received: 7"),
        ({"label": "stable"}, "NOT_FOUND.*Received: stable"),
    ],
)
def test_no_such_model(address, options, message):
    with pytest.raises(ServerError, match=message) as error:
        Client(address, retries=QUICK, **options)
    assert error.value.code == "NOT_FOUND"


def test_version_or_label():
    with pytest.raises(ValueError, match="Either a version or a label"):
        Client("localhost:1", version=1, label="stable")


def test_no_server():
    for address in ("127.0.0.1:1", "http://127.0.0.1:1"):
        with pytest.raises(ServerError, match="start it with") as error:
            Client(address, retries=QUICK)
        assert error.value.code == "UNAVAILABLE"
        assert address in str(error.value)


class Faults(prediction_service_pb2_grpc.PredictionServiceServicer):
    """A server of `exported_base` that fails where a test says so.

    Attributes:
        codes: `grpc.StatusCode`s that the next requests fail with.
        answers: Outputs that replace those of the model.
        gate: Requests wait until it is set.
        most: The most requests that were under way at once.
    """

    def __init__(self, servable):
        self.codes = collections.deque()
        self.answers = {}
        self.gate = threading.Event()
        self.gate.set()
        self.most = 0
        self.count = 0
        self._servable = servable
        self._lock = threading.Lock()
        self._now = 0

    def Predict(self, request, context):
        with self._lock:
            self.count += 1
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            self.gate.wait(10)
            if self.codes:
                context.abort(self.codes.popleft(), "as the test wants")
            return self._answer(request)
        finally:
            with self._lock:
                self._now -= 1

    def _answer(self, request):
        inputs = {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
        outputs = self._servable.predict("extract", inputs) | self.answers
        response = predict_pb2.PredictResponse()
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response


@pytest.fixture(scope="module")
def servable(exported_base):
    return Servable(exported_base / "1")


@pytest.fixture
def faults(servable):
    """A `Faults` with its `address`."""
    faults = Faults(servable)
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        server = grpc.server(pool)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            faults, server
        )
        faults.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        yield faults
        faults.gate.set()
        server.stop(0).wait()


def test_unavailable_for_a_while(faults, photographs):
    with Client(faults.address, retries=QUICK) as client:
        faults.codes.extend([grpc.StatusCode.UNAVAILABLE] * 3)
        features = client.extract(sorted(photographs.rglob("*.jpg"))[0])
    assert len(features) > 0
    # The probe, three failures and the answer.
    assert faults.count == 5


def test_other_errors_end_the_run(faults, photographs):
    paths = sorted(photographs.rglob("*.jpg"))
    with Client(faults.address, retries=QUICK, concurrency=1) as client:
        faults.codes.append(grpc.StatusCode.INTERNAL)
        with pytest.raises(ServerError, match="INTERNAL.*as the test wants"):
            list(client.extract_each(paths))
    assert faults.count < 1 + len(paths)


def test_photograph_too_large_to_send(faults, photographs):
    paths = sorted(photographs.rglob("*.jpg"))[:3]
    with Client(faults.address, concurrency=1) as client:
        faults.codes.append(grpc.StatusCode.RESOURCE_EXHAUSTED)
        results = [result for _, result in client.extract_each(paths)]
    assert isinstance(results[0], ImageError)
    assert "limits on bytes" in str(results[0])
    assert len(results[1]) and len(results[2])


def test_deadline(faults):
    client = Client(faults.address, deadline_seconds=0.2)
    faults.gate.clear()
    with pytest.raises(ServerError) as error:
        client.predict({"image_bytes": np.array([b""], object)})
    assert error.value.code == "DEADLINE_EXCEEDED"
    client.close()


def test_another_extractor_is_not_mixed_in(faults, photographs):
    """A version with other weights may take over during a run."""
    with Client(faults.address) as client:
        text = client.description.to_json().replace(client.fingerprint, "other")
        faults.answers["extractor"] = np.array([text.encode()], object)
        with pytest.raises(ValueError, match="has come to serve another"):
            client.extract(sorted(photographs.rglob("*.jpg"))[0])


def test_server_of_something_else(faults, monkeypatch):
    def predict(signature, inputs):
        return {"classes": np.zeros(1)}

    monkeypatch.setattr(faults, "_servable", type("", (), {}))
    faults._servable.predict = predict
    with pytest.raises(ValueError, match=r"delf-keras export.*\['classes'\]"):
        Client(faults.address)


def test_memory_is_bounded(faults, photographs):
    """Photographs are taken as they are needed, some at a time."""
    path = sorted(photographs.rglob("*.jpg"))[0]
    taken = []

    def paths():
        for number in range(100):
            taken.append(number)
            yield path

    with Client(faults.address, concurrency=3) as client:
        results = client.extract_each(paths())
        next(results)
        assert len(taken) <= 7
        assert sum(1 for _ in results) == 99
    assert 1 < faults.most <= 3
