"""What any server of an exported model does, whichever it is.

The embedded server is always put to it. TensorFlow Serving is too where
`tensorflow_model_server` is on the PATH, or where `TF_SERVING_ADDRESS` is
"host:grpc_port,host:rest_port" of one that serves the folder `TF_SERVING_BASE`
as `delf`; that folder is not changed, and tests that need to are skipped.
"""

import contextlib
import dataclasses
import os
import shutil
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    get_model_status_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from delf_keras.features.extractor import Extractor
from delf_keras.serving.contract import MODEL_NAME
from delf_keras.serving.embedded.server import EmbeddedServer, ServerOptions
from delf_keras.serving.embedded.versions import VersionPolicy
from delf_keras.serving.errors import ServerError
from delf_keras.serving.exporting import export
from delf_keras.serving.grpc_transport import GrpcTransport
from delf_keras.serving.rest_transport import RestTransport
from delf_keras.serving.servable import Servable

BINARY = shutil.which("tensorflow_model_server")
ADDRESS = os.environ.get("TF_SERVING_ADDRESS")
SECONDS = 60
STATES = get_model_status_pb2.ModelVersionStatus
BATCHING = """\
max_batch_size { value: 4 }
batch_timeout_micros { value: 0 }
num_batch_threads { value: 2 }
max_enqueued_batches { value: 100 }
"""


@dataclasses.dataclass(frozen=True)
class Served:
    """Where a server is, and the folder of its versions."""

    grpc: str
    rest: str
    base: Path

    def caller(self, protocol, version=None, label=None):
        """Returns what sends requests to it, to be closed."""
        choice = MODEL_NAME, version, label, SECONDS
        if protocol == "grpc":
            return contextlib.closing(GrpcTransport(self.grpc, *choice))
        address = f"http://{self.rest}"
        return contextlib.closing(RestTransport(address, *choice, 4))


@contextlib.contextmanager
def embedded(base, versions, labels, folder):
    options = ServerOptions(
        grpc_port=0,
        rest_port=0,
        poll_seconds=0.2,
        policy=VersionPolicy(versions, labels),
    )
    with EmbeddedServer(base, options) as server:
        yield Served(server.grpc_address, server.rest_address, base)


@contextlib.contextmanager
def tensorflow_serving(base, versions, labels, folder):
    (folder / "models.config").write_text(config(base, versions, labels))
    (folder / "batching.config").write_text(BATCHING)
    grpc_port, rest_port = free_port(), free_port()
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(
            [
                BINARY,
                f"--port={grpc_port}",
                f"--rest_api_port={rest_port}",
                f"--model_config_file={folder / 'models.config'}",
                "--file_system_poll_wait_seconds=1",
                "--allow_version_labels_for_unavailable_models=true",
                "--enable_batching",
                f"--batching_parameters_file={folder / 'batching.config'}",
                "--enable_grpc_healthcheck_service=true",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield Served(f"localhost:{grpc_port}", f"localhost:{rest_port}", base)
    finally:
        process.terminate()
        process.wait()


def config(base, versions, labels):
    """Returns a `models.config` of the versions, the newest if none."""
    policy = " ".join(f"versions: {version}" for version in versions)
    entries = [f'name: "{MODEL_NAME}" base_path: "{base}"']
    entries += ['model_platform: "tensorflow"']
    if versions:
        entries += [f"model_version_policy {{ specific {{ {policy} }} }}"]
    entries += [
        f'version_labels {{ key: "{label}" value: {version} }}'
        for label, version in labels.items()
    ]
    return f"model_config_list {{ config {{ {' '.join(entries)} }} }}"


def free_port():
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


def wait_until(condition):
    """Waits until something is so, or fails."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, condition
        time.sleep(0.05)


def states(served, protocol="grpc"):
    """Returns a dict of version to state, None if there is no answer yet."""
    with served.caller(protocol) as caller:
        try:
            entries = caller.status().model_version_status
        except ServerError:
            return None
    return {entry.version: entry.state for entry in entries}


def is_ready(served):
    seen = [states(served, protocol) for protocol in ("grpc", "rest")]
    return all(s and STATES.AVAILABLE in s.values() for s in seen)


@pytest.fixture(scope="module", params=["embedded", "tensorflow_serving"])
def launch(request, tmp_path_factory):
    """A function that serves the versions of a folder."""
    if request.param == "tensorflow_serving" and not BINARY:
        pytest.skip("tensorflow_model_server is not on the PATH")
    start = globals()[request.param]

    @contextlib.contextmanager
    def launch(base, versions=(), labels=None):
        folder = tmp_path_factory.mktemp("server")
        with start(base, versions, labels or {}, folder) as served:
            wait_until(lambda: is_ready(served))
            yield served

    return launch


@pytest.fixture(
    scope="module", params=["embedded", "tensorflow_serving", "elsewhere"]
)
def served(request, exported_base, tmp_path_factory):
    """A server of one version, which is not changed."""
    if request.param == "elsewhere":
        if not ADDRESS:
            pytest.skip("TF_SERVING_ADDRESS names no server")
        base = Path(os.environ["TF_SERVING_BASE"])
        yield Served(*ADDRESS.split(","), base)
        return
    if request.param == "tensorflow_serving" and not BINARY:
        pytest.skip("tensorflow_model_server is not on the PATH")
    folder = tmp_path_factory.mktemp("server")
    start = globals()[request.param]
    with start(exported_base, (), {}, folder) as served:
        wait_until(lambda: is_ready(served))
        yield served


@pytest.fixture(params=["grpc", "rest"])
def protocol(request):
    return request.param


@pytest.fixture
def caller(served, protocol):
    with served.caller(protocol) as caller:
        yield caller


@pytest.fixture(scope="module")
def two_versions(exported_base, served_extractor, tmp_path_factory):
    """A folder of version 1, and of version 2 with 20 features at most."""
    base = tmp_path_factory.mktemp("two") / "delf"
    shutil.copytree(exported_base, base)
    options = dataclasses.replace(served_extractor.options, max_features=20)
    model, pca = served_extractor.model, served_extractor.pca
    export(Extractor(model, pca, options), base, 2)
    return base


@pytest.fixture(scope="module")
def files(photographs):
    """The contents of the photographs."""
    return [path.read_bytes() for path in sorted(photographs.rglob("*.jpg"))]


@pytest.fixture(scope="module")
def servable(served):
    """What the server serves, in this process."""
    newest = max(int(f.name) for f in served.base.iterdir() if f.name.isdigit())
    return Servable(served.base / str(newest))


def strings(*contents):
    return {"image_bytes": np.array(contents, object)}


def assert_same(received, expected):
    assert received.keys() == expected.keys()
    for name, rows in expected.items():
        if rows.dtype.kind == "f":
            np.testing.assert_allclose(received[name], rows, 1e-6, 1e-6)
        else:
            np.testing.assert_array_equal(received[name], rows)


def assert_refused(code, caller, inputs, signature="extract"):
    with pytest.raises(ServerError) as error:
        caller.predict(signature, inputs)
    assert error.value.code in np.atleast_1d(code)
    assert str(error.value)


def test_metadata(caller, servable):
    received = caller.metadata().signature_def
    assert dict(received) == servable.signature_defs


def test_files(caller, servable, files):
    """What is no photograph is said so in its row, and spoils no other."""
    inputs = strings(files[0], b"no photograph", b"", files[1])
    expected = servable.predict("", inputs)
    assert list(expected["status"]) == [b"ok", b"corrupt", b"corrupt", b"ok"]
    for signature in ("", "serving_default", "extract"):
        assert_same(caller.predict(signature, inputs), expected)


def test_pixels(caller, servable, make_photograph):
    inputs = {"images": np.stack([make_photograph(64, 80, i) for i in (0, 1)])}
    expected = servable.predict("extract_pixels", inputs)
    assert all(expected["num_features"] > 0)
    assert_same(caller.predict("extract_pixels", inputs), expected)


def test_at_the_same_time(caller, servable, files):
    """Each request has the answer to its own photograph."""
    contents = [*files, b"no photograph"] * 3
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda c: caller.predict("", strings(c)), contents)
        for received, content in zip(answers, contents, strict=True):
            assert_same(received, servable.predict("", strings(content)))


def test_too_large(launch, exported_base, protocol):
    """Past the export's limit on bytes, which is not that on requests."""
    with launch(exported_base) as served, served.caller(protocol) as caller:
        outputs = caller.predict("", strings(bytes(400_001)))
    assert list(outputs["status"]) == [b"too_large"]


def test_refused_inputs(caller, files, make_photograph):
    image = make_photograph(20, 20)
    pixels = "extract_pixels"
    refused = "INVALID_ARGUMENT"
    assert_refused(refused, caller, {})
    assert_refused(refused, caller, {"pictures": np.array(files[:1], object)})
    assert_refused(refused, caller, {"image_bytes": np.array(files[0], object)})
    assert_refused(refused, caller, {"images": image[None] / 7}, pixels)
    assert_refused(refused, caller, {"images": image[None, ..., :2]}, pixels)
    assert caller.predict("", strings(files[0]))["status"] == [b"ok"]


def test_unknown_signature(caller, files):
    # Over gRPC TensorFlow Serving calls it a failed precondition.
    codes = "INVALID_ARGUMENT", "FAILED_PRECONDITION"
    assert_refused(codes, caller, strings(files[0]), "classify")


def test_unknown_model(served, files):
    reply = requests.post(
        f"http://{served.rest}/v1/models/none:predict",
        json={"instances": ["a"]},
        timeout=SECONDS,
    )
    assert reply.status_code == 404 and reply.json()["error"]
    with grpc.insecure_channel(served.grpc) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "none"
        with pytest.raises(grpc.RpcError) as error:
            stub.Predict(request, timeout=SECONDS)
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


def test_unknown_version_and_label(served, protocol, files):
    with served.caller(protocol, version=77) as caller:
        assert_refused("NOT_FOUND", caller, strings(files[0]))
        with pytest.raises(ServerError) as error:
            caller.status()
        assert error.value.code == "NOT_FOUND"
    with served.caller(protocol, label="none") as caller:
        # TensorFlow Serving calls an unknown label an invalid argument.
        codes = "NOT_FOUND", "INVALID_ARGUMENT"
        assert_refused(codes, caller, strings(files[0]))


def test_grpc_answer_says_what_answered(served, servable, files):
    request = predict_pb2.PredictRequest(output_filter=["scores"])
    request.model_spec.name = MODEL_NAME
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(files[:1]))
    with grpc.insecure_channel(served.grpc) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = stub.Predict(request, timeout=SECONDS)
    spec = response.model_spec
    assert (spec.name, spec.signature_name) == (MODEL_NAME, "serving_default")
    assert spec.version.value == int(servable.folder.name)
    assert list(response.outputs) == ["scores"]


@pytest.mark.parametrize("wrapped", [True, False])
def test_rest_rows(served, servable, files, wrapped):
    """A row for each photograph, whose only input need not be named."""
    from base64 import b64encode

    rows = [{"b64": b64encode(content).decode()} for content in files[:2]]
    if wrapped:
        rows = [{"image_bytes": row} for row in rows]
    reply = requests.post(
        f"http://{served.rest}/v1/models/{MODEL_NAME}:predict",
        json={"signature_name": "extract", "instances": rows},
        timeout=SECONDS,
    )
    predictions = reply.json()["predictions"]
    assert reply.status_code == 200 and len(predictions) == 2
    expected = servable.predict("extract", strings(*files[:2]))
    for row, prediction in enumerate(predictions):
        assert prediction.keys() == expected.keys()
        assert prediction["status"] == "ok"
        assert prediction["num_features"] == expected["num_features"][row]
        np.testing.assert_allclose(
            prediction["descriptors"], expected["descriptors"][row], 1e-6, 1e-6
        )


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "{}", '{"instances": []}', '{"inputs": {"a": 1}}']
)
def test_rest_body_that_is_no_request(served, body):
    reply = requests.post(
        f"http://{served.rest}/v1/models/{MODEL_NAME}:predict",
        data=body,
        timeout=SECONDS,
    )
    assert reply.status_code == 400 and reply.json()["error"]


def test_health(launch, exported_base):
    with (
        launch(exported_base) as served,
        grpc.insecure_channel(served.grpc) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        response = stub.Check(request, timeout=SECONDS)
    assert response.status == health_pb2.HealthCheckResponse.SERVING


def test_versions_and_labels(launch, two_versions, protocol, files):
    """Version 1 has 50 features at most, version 2 has 20."""
    choices = [
        ({}, 20),
        ({"version": 1}, 50),
        ({"version": 2}, 20),
        ({"label": "stable"}, 50),
        ({"label": "canary"}, 20),
    ]
    labels = {"stable": 1, "canary": 2}
    with launch(two_versions, (1, 2), labels) as served:
        wait_until(lambda: set(states(served).values()) == {STATES.AVAILABLE})
        assert states(served, protocol).keys() == {1, 2}
        for choice, features in choices:
            with served.caller(protocol, **choice) as caller:
                outputs = caller.predict("", strings(files[0]))
            assert outputs["descriptors"].shape[1] == features


def test_new_version_takes_over(launch, two_versions, tmp_path, files):
    """No request fails meanwhile, and the old version is unloaded."""
    base = tmp_path / "delf"
    shutil.copytree(two_versions / "1", base / "1")
    ended = threading.Event()

    def ask(served, protocol, seen):
        with served.caller(protocol) as caller:
            while not ended.is_set():
                outputs = caller.predict("", strings(files[0]))
                seen.append(outputs["descriptors"].shape[1])

    with (
        launch(base) as served,
        ThreadPoolExecutor() as pool,
    ):
        protocols = ["grpc", "rest"] * 2
        answers = [[] for _ in protocols]
        asking = [
            pool.submit(ask, served, protocol, seen)
            for protocol, seen in zip(
                ["grpc", "rest"] * 2, answers, strict=True
            )
        ]

        def all_saw(features):
            # One that failed is reported below, not waited for.
            return any(future.done() for future in asking) or all(
                features in seen for seen in answers
            )

        try:
            wait_until(lambda: all_saw(50))
            shutil.copytree(two_versions / "2", base / "being-copied")
            (base / "being-copied").rename(base / "2")
            wait_until(lambda: all_saw(20))
        finally:
            ended.set()
        for future in asking:
            future.result()
        # Once the new version answers, the old does so no more.
        for seen in answers:
            assert seen == sorted(seen, reverse=True)
        wait_until(
            lambda: states(served) == {1: STATES.END, 2: STATES.AVAILABLE}
        )
        for protocol in ("grpc", "rest"):
            with served.caller(protocol, version=1) as caller:
                assert_refused("NOT_FOUND", caller, strings(files[0]))
