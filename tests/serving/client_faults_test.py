"""The client against servers that fail in ways of the tests' choice."""

import collections
import concurrent.futures
import contextlib
import http.client
import socket
import socketserver
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
from delf_keras.serving.errors import ServerError
from delf_keras.serving.grpc_transport import GrpcTransport
from delf_keras.serving.rest_transport import RestTransport
from delf_keras.serving.retrying import RetryOptions
from delf_keras.serving.servable import Servable

QUICK = RetryOptions(retries=3, first_seconds=0.01)
PIXEL = {"image_bytes": np.array([b"\0"], object)}


class Faults(prediction_service_pb2_grpc.PredictionServiceServicer):
    """A server of `exported_base` that fails where a test says so.

    Attributes:
        codes: `grpc.StatusCode`s that the next requests fail with.
        message: What it says then.
        answers: Outputs that replace those of the model.
        gate: Requests wait until it is set.
        most: The most requests that were under way at once.
    """

    def __init__(self, servable):
        self.codes = collections.deque()
        self.message = "as the test wants"
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
                context.abort(self.codes.popleft(), self.message)
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


@contextlib.contextmanager
def running(faults, port=0):
    """Serves a `Faults`, and gives it its `port` and `address`."""
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        server = grpc.server(pool)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            faults, server
        )
        faults.port = server.add_insecure_port(f"127.0.0.1:{port}")
        faults.address = f"127.0.0.1:{faults.port}"
        server.start()
        try:
            yield faults
        finally:
            stopped = server.stop(0)
            faults.gate.set()
            stopped.wait()


@pytest.fixture
def faults(servable):
    with running(Faults(servable)) as faults:
        yield faults


def test_unavailable_for_a_while(faults, photographs):
    with Client(faults.address, retries=QUICK) as client:
        faults.codes.extend(
            [
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.CANCELLED,
                grpc.StatusCode.UNAVAILABLE,
            ]
        )
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
        # What gRPC says of a message that is refused unread.
        faults.message = "Received message larger than max (9 vs. 4)"
        results = [result for _, result in client.extract_each(paths)]
    assert isinstance(results[0], ImageError)
    assert "limits on bytes" in str(results[0])
    assert f"{paths[0]} (" in str(results[0])
    assert "larger than max" in str(results[0])
    assert len(results[1]) and len(results[2])


def test_busy_server_loses_no_photograph(faults, photographs):
    """It is asked again, and at last the run ends: nothing is left out."""
    paths = sorted(photographs.rglob("*.jpg"))[:3]
    busy = grpc.StatusCode.RESOURCE_EXHAUSTED
    with Client(faults.address, retries=QUICK, concurrency=1) as client:
        faults.codes.extend([busy] * 3)
        results = [result for _, result in client.extract_each(paths)]
        assert len(results) == 3 and all(map(len, results))
        faults.codes.extend([busy] * 4)
        with pytest.raises(ServerError, match="too much to do.*as the test"):
            list(client.extract_each(paths))


def test_deadline(faults):
    transport = GrpcTransport(faults.address, "delf", None, None, 0.2)
    faults.gate.clear()
    with pytest.raises(ServerError) as error:
        transport.predict("extract", PIXEL)
    assert error.value.code == "DEADLINE_EXCEEDED"
    transport.close()


def test_another_extractor_is_not_mixed_in(faults, photographs):
    """A version with other weights may take over during a run."""
    with Client(faults.address) as client:
        text = client.description.to_json().replace(client.fingerprint, "other")
        faults.answers["extractor"] = np.array([text.encode()], object)
        with pytest.raises(ValueError, match="has come to serve another"):
            client.extract(sorted(photographs.rglob("*.jpg"))[0])


def test_something_else_takes_over(faults, photographs, monkeypatch):
    with Client(faults.address) as client:
        monkeypatch.setattr(
            faults, "_answer", lambda request: predict_pb2.PredictResponse()
        )
        with pytest.raises(ValueError, match="delf-keras export"):
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


def test_server_that_is_started_again(servable, photographs):
    """Requests that it leaves unanswered are sent to the one after it."""
    paths = sorted(photographs.rglob("*.jpg"))[:2] * 4
    first, second = Faults(servable), Faults(servable)
    retries = RetryOptions(retries=100, first_seconds=0.1, longest_seconds=0.1)
    with running(first):
        client = Client(first.address, retries=retries, concurrency=2)
        results = client.extract_each(paths)
        received = [next(results)]
        first.gate.clear()
    with running(second, first.port), client:
        received.extend(results)
    assert [path for path, _ in received] == paths
    assert all(len(features) for _, features in received)
    assert second.count > 0


class Answer(socketserver.StreamRequestHandler):
    """Reads an HTTP request, and sends what a test says."""

    def handle(self):
        self.rfile.readline()
        headers = http.client.parse_headers(self.rfile)
        self.rfile.read(int(headers["Content-Length"]))
        self.wfile.write(self.server.answer)


def response(status, body, length=None):
    length = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}"


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        ("", "UNAVAILABLE", "without response"),
        ("SSH-2.0", "UNAVAILABLE", "SSH-2.0"),
        (response("200 OK", "{", 100), "UNAVAILABLE", "IncompleteRead"),
        (response("502 Bad Gateway", ""), "UNAVAILABLE", "502 Bad Gateway"),
        (response("503 -", '{"error": "full"}'), "UNAVAILABLE", "full"),
        (response("404 -", '{"error": "none"}'), "NOT_FOUND", "none"),
        (response("413 -", "<html>"), "TOO_LARGE", "413"),
        (response("429 -", "[]"), "RESOURCE_EXHAUSTED", "429"),
        (response("504 -", "{}"), "DEADLINE_EXCEEDED", "504"),
        (response("500 -", '{"error": "bug"}'), "INTERNAL", "bug"),
        (response("200 OK", "<html>"), "INTERNAL", "Received: .*<html>"),
        (response("200 OK", "{}"), "INTERNAL", "named outputs"),
        (response("200 OK", "[]"), "INTERNAL", "named outputs"),
        (response("200 OK", '{"outputs": [1]}'), "INTERNAL", "named outputs"),
    ],
)
def test_codes_of_http(answer, code, message):
    """They are those of gRPC, so that what is tried again is the same."""
    with socketserver.TCPServer(("127.0.0.1", 0), Answer) as server:
        server.answer = answer.encode()
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        transport = RestTransport(address, "delf", None, None, 10, 1)
        with pytest.raises(ServerError, match=message) as error:
            transport.predict("extract", PIXEL)
        thread.join()
        transport.close()
    assert error.value.code == code


def test_deadline_of_http():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServerError, match="longer than the dead") as error:
            Client(address, deadline_seconds=0.2)
    assert error.value.code == "DEADLINE_EXCEEDED"
