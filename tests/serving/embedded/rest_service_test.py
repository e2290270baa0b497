"""The REST paths of a server of a toy model."""

import base64
import json
import math
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from delf_keras.serving.embedded import rest_codec
from delf_keras.serving.embedded.batching import BatchingOptions

ROWS = {"instances": [[1, 2], [3, 4]]}
# That of `toy_server`, in bytes.
LIMIT = 100_000
SECONDS = 30


@pytest.fixture
def call():
    """A function that sends a request to a path of a server's model."""
    with requests.Session() as session:

        def call(server, method, path="", body=None, model="toy"):
            url = f"http://{server.rest_address}/v1/models/{model}{path}"
            if isinstance(body, dict):
                body = json.dumps(body)
            return session.request(method, url, data=body, timeout=SECONDS)

        yield call


@pytest.fixture
def predict(toy_server, call):
    """A function of a request to the JSON of its answer."""

    def predict(body, path=""):
        response = call(toy_server, "POST", f"{path}:predict", body)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/json"
        return response.json()

    return predict


@pytest.fixture
def refused(toy_server, call):
    """A function of a request that must fail, to its status and message."""

    def refused(method, path="", body=None, model="toy"):
        response = call(toy_server, method, path, body, model)
        assert response.headers["content-type"] == "application/json"
        return response.status_code, response.json()["error"]

    return refused


def test_predict_rows(predict):
    assert predict(ROWS) == {
        "predictions": [
            {"y": [2, 4], "version": 2},
            {"y": [6, 8], "version": 2},
        ]
    }


def test_predict_columns(predict):
    assert predict({"inputs": {"x": [[1, 2]]}}) == {
        "outputs": {"y": [[2, 4]], "version": [2]}
    }


def test_bytes(predict):
    contents = b"\xff\xd8\0"
    b64 = {"b64": base64.b64encode(contents).decode()}
    request = {"signature_name": "echo", "instances": [{"text": b64}]}
    assert predict(request) == {"predictions": [b64]}


def test_signature_without_rows(predict):
    request = {"signature_name": "scalar", "inputs": 3}
    assert predict(request) == {"outputs": 6}


@pytest.mark.parametrize(
    ("path", "version"),
    [("/versions/1", 1), ("/versions/2", 2), ("/labels/stable", 1)],
)
def test_choice_of_a_version(predict, path, version):
    answer = predict({"inputs": [[1, 2]]}, path)
    assert answer["outputs"]["version"] == [version]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("no JSON", "JSON is expected"),
        ({}, "either"),
        ({"inputs": [1, 2]}, r"shape=(2,)"),
        ({"inputs": [["a", "b"]]}, "x is float32"),
        ({"inputs": {"z": [[1, 2]]}}, "inputs of serving_default are ['x']"),
        (ROWS | {"signature_name": "none"}, "Received: 'none'"),
        (ROWS | {"signature_name": []}, "is a text. Received: []"),
        (
            {"signature_name": "divide", "instances": [1]},
            "['dividend', 'divisor']",
        ),
        (
            {
                "signature_name": "divide",
                "instances": [{"dividend": 1, "divisor": 0}],
            },
            "by 0",
        ),
        (
            '{"signature_name": "echo", "inputs": ["\\ud800"]}',
            r"Received: '\ud800'",
        ),
        (
            '{"signature_name": "echo", "inputs": '
            + "[" * 900
            + "]" * 900
            + "}",
            "",
        ),
    ],
)
def test_wrong_requests(refused, body, message):
    status, error = refused("POST", ":predict", body)
    assert status == 400 and message in error


def test_no_such_model(refused):
    for model, path, status in (
        ("delf", "", 404),
        ("toy", "/versions/3", 404),
        ("toy", "/labels/canary", 400),
    ):
        assert refused("POST", f"{path}:predict", ROWS, model)[0] == status
        assert refused("GET", path, model=model)[0] == status
        assert refused("GET", f"{path}/metadata", model=model)[0] == status


def test_no_such_path(refused):
    """As TensorFlow Serving puts it."""
    assert refused("GET", "/versions/first") == (
        400,
        "Malformed request: GET /v1/models/toy/versions/first",
    )
    # No version has so many digits.
    for path in ("/versions/" + 5000 * "9", ":predict", "/labels/a:b"):
        status, error = refused("GET", path)
        assert status == 400 and error.startswith("Malformed request: GET")
    for path in (":classify", ""):
        status, error = refused("POST", path, ROWS)
        assert status == 400 and error.startswith("Malformed request: POST")


def test_numbers_that_json_does_not_have(predict):
    body = b'{"instances": [[NaN, Infinity], [-Infinity, 1]]}'
    rows = [row["y"] for row in predict(body)["predictions"]]
    assert math.isnan(rows[0][0])
    assert rows[0][1:] + rows[1] == [math.inf, -math.inf, 2]


def test_body_that_does_not_come_to_an_end(base, serve):
    """Nobody can hold memory, or a connection, for ever."""
    server = serve(base, rest_timeout_seconds=0.2)
    host, port = server.rest_address.split(":")
    with socket.create_connection((host, int(port)), SECONDS) as connection:
        connection.sendall(
            b"POST /v1/models/toy:predict HTTP/1.1\r\nHost: toy\r\n"
            b"Content-Length: 1000\r\n\r\n{"
        )
        assert b" 504 " in connection.recv(1000)


def test_errors_that_nobody_expected_are_json(
    toy_server, call, until, monkeypatch, caplog
):
    def fail(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(rest_codec, "write_response", fail)
    response = call(toy_server, "POST", ":predict", ROWS)
    assert response.status_code == 500
    assert response.json() == {"error": "ZeroDivisionError: a bug"}
    # The server logs it after the answer.
    until(lambda: "a bug" in caplog.text)


def test_answer_that_takes_too_long(base, serve, call, monkeypatch):
    server = serve(base, rest_timeout_seconds=0.2)
    slow = threading.Event()
    with server.versions.use() as (_, servable):
        monkeypatch.setattr(servable, "predict", lambda *_: slow.wait(20))
    response = call(server, "POST", ":predict", ROWS)
    slow.set()
    assert response.status_code == 504
    assert response.json() == {"error": "No answer within 0.2 seconds"}


def test_status(toy_server, call):
    def entry(version):
        return {
            "version": str(version),
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }

    for path, versions in (
        ("", (2, 1)),
        ("/versions/2", (2,)),
        ("/labels/stable", (1,)),
    ):
        assert call(toy_server, "GET", path).json() == {
            "model_version_status": [entry(version) for version in versions]
        }


def test_metadata(toy_server, call):
    for path, version in (("", "2"), ("/labels/stable", "1")):
        answer = call(toy_server, "GET", f"{path}/metadata").json()
        spec = answer["model_spec"]
        assert spec == {
            "name": "toy",
            "version": version,
            "signature_name": "",
        }
        assert "@type" not in answer["metadata"]["signature_def"]
        signatures = answer["metadata"]["signature_def"]["signature_def"]
        assert set(signatures) == {
            "serving_default",
            "negate",
            "echo",
            "divide",
            "scalar",
        }
        text = signatures["echo"]["inputs"]["text"]
        assert text["dtype"] == "DT_STRING"
        assert text["tensor_shape"]["dim"] == [{"size": "-1", "name": ""}]


@pytest.mark.parametrize("size", [LIMIT + 1, 100 * LIMIT])
def test_large_request(toy_server, call, predict, size):
    """It is refused however it is sent, and the server goes on."""
    body = b" " * size
    path = "/v1/models/toy:predict"
    parts = (body[start : start + 9999] for start in range(0, size, 9999))
    for content in (body, parts):
        response = call(toy_server, "POST", ":predict", content)
        assert response.status_code == 413
        assert response.json() == {
            "error": f"A request has at most {LIMIT} bytes: {path}"
        }
    padded = json.dumps(ROWS).ljust(LIMIT)
    assert len(predict(padded)["predictions"]) == 2


def test_requests_of_clients_that_are_gone(
    base, serve, call, gate, until, waiting
):
    """They are not run, whether they were sent whole or in part."""
    server = serve(base, batching=BatchingOptions(threads=1, max_batch_size=1))
    host, port = server.rest_address.split(":")
    body = json.dumps({"inputs": [[1, 2]]}).encode()
    head = (
        b"POST /v1/models/toy:predict HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    gate.close()
    with ThreadPoolExecutor() as pool:
        running = pool.submit(call, server, "POST", ":predict", ROWS)
        until(lambda: gate.calls)
        for sent in (head + body, head + body[:5], head[:20]):
            with socket.create_connection((host, int(port))) as client:
                client.sendall(sent)
                if sent.endswith(body):
                    until(lambda: waiting(server) == 1)
        until(lambda: waiting(server) == 0)
        gate.open()
        assert running.result(SECONDS).status_code == 200
    assert call(server, "POST", ":predict", ROWS).status_code == 200
    assert len(gate.calls) == 2


def test_full_queue(base, serve, call, gate, until, waiting):
    batching = BatchingOptions(threads=1, max_batch_size=1, max_queued=1)
    server = serve(base, batching=batching)
    gate.close()
    with ThreadPoolExecutor() as pool:
        taken = [pool.submit(call, server, "POST", ":predict", ROWS)]
        until(lambda: gate.calls)
        taken.append(pool.submit(call, server, "POST", ":predict", ROWS))
        until(lambda: waiting(server) == 1)
        refused = call(server, "POST", ":predict", ROWS)
        gate.open()
        assert [f.result(SECONDS).status_code for f in taken] == [200, 200]
    assert refused.status_code == 503
    assert refused.json() == {"error": "1 requests wait already"}
