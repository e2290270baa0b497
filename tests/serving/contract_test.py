"""What every server of an export shows, TensorFlow Serving and ours alike.

`tensorflow_serving.py` beside this file says which servers there are.
"""

import base64
import contextlib
import io
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
import requests
from google.protobuf import json_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from delf_keras.serving import Client
from delf_keras.serving.errors import ServerError
from delf_keras.serving.retrying import RetryOptions
from delf_keras.serving.servable import Servable
from delf_keras.serving.warmup import WARMUP_FILE
from tests.serving.tensorflow_serving import KINDS, serve

ONCE = RetryOptions(retries=0)
LABELS = {"stable": 1, "canary": 2}
SECONDS = 60


def publish(version, base, number, warmup=True, damaged=False):
    """Copies a version, to be another of another folder perhaps."""
    temporary = base / "temporary"
    shutil.copytree(version, temporary)
    if not warmup:
        (temporary / WARMUP_FILE).unlink()
    if damaged:
        (temporary / "saved_model.pb").write_bytes(b"damaged")
    temporary.rename(base / str(number))


@pytest.fixture(scope="module", params=KINDS)
def served(request, exported_base, tmp_path_factory):
    """A server of versions 1 and 2, which are alike and have labels."""
    base = tmp_path_factory.mktemp("contract") / "delf"
    for number in LABELS.values():
        publish(exported_base / "1", base, number, warmup=False)
    with serve(request.param, base, LABELS) as served:
        yield served


@pytest.fixture(params=["grpc", "rest"])
def address(served, request):
    return served.addresses[request.param]


@pytest.fixture
def client(address):
    with Client(address) as client:
        yield client


@pytest.fixture(scope="module")
def servable(served):
    """The newest version, in this process."""
    return Servable(max(served.base.glob("[0-9]*"), key=lambda f: int(f.name)))


@pytest.fixture(scope="module")
def files(make_photograph):
    """Photographs of several sizes, the bytes of JPEG files."""
    sizes = ((90, 120), (150, 200), (60, 70))
    return [encoded(make_photograph(*size)) for size in sizes]


def encoded(image, image_format="JPEG"):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, image_format)
    return buffer.getvalue()


def strings(*contents):
    return np.array(contents, object)


def assert_same(received, expected):
    """Equal but for what JSON, or another build of TensorFlow, rounds."""
    assert received.keys() == expected.keys()
    for name, rows in expected.items():
        assert received[name].dtype == rows.dtype
        if rows.dtype == np.float32:
            np.testing.assert_allclose(
                received[name], rows, rtol=1e-6, atol=1e-5, err_msg=name
            )
        else:
            np.testing.assert_array_equal(received[name], rows, err_msg=name)


def test_metadata(client, servable):
    received = client.metadata().signature_def
    assert set(received) == set(servable.signature_defs)
    for name, definition in servable.signature_defs.items():
        assert json_format.MessageToDict(
            received[name]
        ) == json_format.MessageToDict(definition)


def test_files(client, servable, files):
    inputs = {"image_bytes": strings(*files)}
    expected = servable.predict("extract", inputs)
    assert list(expected["status"]) == [b"ok"] * 3
    for signature in ("", "serving_default", "extract"):
        assert_same(client.predict(inputs, signature), expected)


def test_pixels(client, servable, make_photograph):
    images = np.stack([make_photograph(60, 80, seed) for seed in (0, 1)])
    inputs = {"images": images}
    expected = servable.predict("extract_pixels", inputs)
    assert expected["num_features"].all()
    assert_same(client.predict(inputs, "extract_pixels"), expected)


def test_files_that_are_not_taken(client, servable, files):
    """Each has its reason in its row, and the others their features."""
    bomb = bytearray(encoded(np.zeros((20, 20, 3), np.uint8), "PNG"))
    # The width and the height that the header claims.
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    small = encoded(np.zeros((9, 30, 3), np.uint8), "PNG")
    contents = [b"no photograph", files[0], b"", bytes(bomb), small, files[1]]
    inputs = {"image_bytes": strings(*contents)}
    received = client.predict(inputs)

    assert list(received["status"]) == [
        b"corrupt",
        b"ok",
        b"corrupt",
        b"too_large",
        b"too_small",
        b"ok",
    ]
    assert_same(received, servable.predict("", inputs))


def test_requests_at_once(served, servable, files):
    """Each is answered by itself, whatever else is in its batch."""
    contents = [*files, b"no photograph", *files[:2]]
    expected = [
        servable.predict("", {"image_bytes": strings(content)})
        for content in contents
    ]
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(2 * len(contents)))
        answers = [
            (i, pool.submit(client.predict, {"image_bytes": strings(content)}))
            for client in [
                stack.enter_context(Client(address))
                for address in served.addresses.values()
            ]
            for i, content in enumerate(contents)
        ]
        for i, answer in answers:
            assert_same(answer.result(SECONDS), expected[i])


def post(served, body, path=""):
    return requests.post(
        f"{served.addresses['rest']}/v1/models/delf{path}:predict",
        json=body,
        timeout=SECONDS,
    )


def test_json_in_rows(served, servable, files):
    """The other format of REST, and errors are JSON too."""
    b64 = [{"b64": base64.b64encode(content).decode()} for content in files]
    expected = servable.predict("", {"image_bytes": strings(*files)})
    for rows in (b64, [{"image_bytes": content} for content in b64]):
        predictions = post(served, {"instances": rows}).json()["predictions"]
        assert [row.keys() for row in predictions] == [expected.keys()] * 3
        for row, prediction in enumerate(predictions):
            assert prediction["status"] == "ok"
            np.testing.assert_allclose(
                prediction["descriptors"],
                expected["descriptors"][row],
                atol=1e-5,
            )
    for body in ({}, {"instances": [1]}, {"instances": [{"b64": 1}]}):
        response = post(served, body)
        assert response.status_code == 400 and response.json()["error"]


def answering_version(served, version=None, label=None):
    """Returns the version that the server says has answered."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "delf"
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    request.inputs["image_bytes"].dtype = 7
    request.inputs["image_bytes"].tensor_shape.dim.add().size = 1
    request.inputs["image_bytes"].string_val.append(b"no photograph")
    with grpc.insecure_channel(served.addresses["grpc"]) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = stub.Predict(request, timeout=SECONDS)
    return response.model_spec.version.value


def states(served, protocol="grpc"):
    """Returns a dict of version to the name of its state."""
    with Client(served.addresses[protocol]) as client:
        return {
            entry.version: type(entry).State.Name(entry.state)
            for entry in client.status().model_version_status
        }


def test_versions_and_labels(served):
    if not served.labels:
        pytest.skip("What the server's labels are is not known")
    available = {1: "AVAILABLE", 2: "AVAILABLE"}
    assert states(served, "grpc") == states(served, "rest") == available
    assert answering_version(served) == 2
    body = {"instances": ["no photograph"]}
    for label, version in served.labels.items():
        assert answering_version(served, version=version) == version
        assert answering_version(served, label=label) == version
        for path in (f"/versions/{version}", f"/labels/{label}"):
            assert post(served, body, path).status_code == 200


@pytest.mark.parametrize(
    ("choice", "codes"),
    [
        ({"model": "other"}, {"NOT_FOUND"}),
        ({"version": 999}, {"NOT_FOUND"}),
        # TensorFlow Serving finds fault with the request.
        ({"label": "none"}, {"NOT_FOUND", "INVALID_ARGUMENT"}),
    ],
)
def test_no_such_model(address, choice, codes):
    with pytest.raises(ServerError) as error:
        Client(address, retries=ONCE, **choice)
    assert error.value.code in codes


def test_wrong_requests(client):
    file = strings(b"no photograph")
    # Without the four channels or the halves, each would be answered.
    pixels = np.full((1, 20, 20, 4), 7, np.uint8)
    for signature, inputs in (
        ("extract", {}),
        ("extract", {"images": pixels}),
        ("extract", {"image_bytes": file, "images": pixels}),
        ("extract_pixels", {"images": pixels}),
        ("extract_pixels", {"images": pixels[..., :3] + np.float32(0.5)}),
    ):
        with pytest.raises(ServerError) as error:
            client.predict(inputs, signature)
        assert error.value.code == "INVALID_ARGUMENT"
    with pytest.raises(ServerError) as error:
        client.predict({"image_bytes": file}, "none")
    # The one over REST, the other over gRPC, by TensorFlow Serving.
    assert error.value.code in ("INVALID_ARGUMENT", "FAILED_PRECONDITION")
    assert client.predict({"image_bytes": file})["status"] == [b"corrupt"]


def test_health(served):
    with grpc.insecure_channel(served.addresses["grpc"]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        response = stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    assert response.status == health_pb2.HealthCheckResponse.SERVING


@pytest.fixture(params=KINDS)
def following(request, exported_base, tmp_path):
    """A server of the newest version of a folder, which has version 1."""
    base = tmp_path / "delf"
    publish(exported_base / "1", base, 1, warmup=False)
    with serve(request.param, base, {}) as served:
        yield served


class Traffic:
    """Requests without end, from two threads over each protocol.

    Attributes:
        answers: list of a dict of outputs for each answer, of each thread.
    """

    def __init__(self, served, contents):
        self._inputs = {"image_bytes": strings(contents)}
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor()
        self.answers = [[], [], [], []]
        addresses = [*served.addresses.values()] * 2
        self._futures = [
            self._pool.submit(self._send, address, answers)
            for address, answers in zip(addresses, self.answers, strict=True)
        ]

    def _send(self, address, answers):
        with Client(address, retries=ONCE) as client:
            # The server has to load a version besides.
            while not self._ended.wait(0.02):
                answers.append(client.predict(self._inputs))

    def goes_on(self, until):
        """Waits until every thread has had another answer, or has failed."""
        counts = [len(answers) for answers in self.answers]
        for future, answers, count in zip(
            self._futures, self.answers, counts, strict=True
        ):
            until(lambda a=answers, c=count, f=future: len(a) > c or f.done())

    def end(self):
        """Raises what went wrong in any thread."""
        self._ended.set()
        self._pool.shutdown()
        for future in self._futures:
            future.result()


def test_versions_that_come(following, files, exported_base, until):
    """No request fails meanwhile, and one that is damaged changes nothing."""
    traffic = Traffic(following, files[2])
    try:
        traffic.goes_on(until)
        publish(exported_base / "1", following.base, 2)
        until(lambda: states(following) == {1: "END", 2: "AVAILABLE"})
        traffic.goes_on(until)
        publish(exported_base / "1", following.base, 3, damaged=True)
        until(lambda: 3 in states(following))
        traffic.goes_on(until)
    finally:
        traffic.end()

    expected = traffic.answers[0][0]
    assert expected["status"] == [b"ok"]
    for answers in traffic.answers:
        for answer in answers:
            assert_same(answer, expected)
    for protocol, address in following.addresses.items():
        received = states(following, protocol)
        assert received.pop(3) != "AVAILABLE"
        assert received == {1: "END", 2: "AVAILABLE"}
        with pytest.raises(ServerError) as error:
            Client(address, retries=ONCE, version=1)
        assert error.value.code == "NOT_FOUND"
    assert answering_version(following) == 2
