"""What any server of an exported model does, whichever it is.

The embedded server is always put to it. TensorFlow Serving is too where
`tensorflow_model_server` is on the PATH, or where `TF_SERVING_ADDRESS` is
"host:grpc_port,host:rest_port" of one that serves the folder `TF_SERVING_BASE`
as `delf`. That one is left as it is: some tests are not for it.
"""

import dataclasses
import shutil
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from delf_keras.features.extractor import Extractor
from delf_keras.serving.contract import MODEL_NAME
from delf_keras.serving.errors import ServerError
from delf_keras.serving.exporting import export
from delf_keras.serving.servable import Servable
from tests.serving.contract_servers import (
    SECONDS,
    STATES,
    asking,
    elsewhere,
    launch,
    newest,
    strings,
    wait_until,
)

KINDS = ["embedded", "tensorflow_serving"]


@pytest.fixture(scope="module", params=[*KINDS, "elsewhere"])
def served(request, exported_base, tmp_path_factory):
    """A server of the newest version, which is not changed."""
    if request.param == "elsewhere":
        yield elsewhere()
        return
    folder = tmp_path_factory.mktemp("server")
    with launch(request.param, exported_base, (), {}, folder) as served:
        yield served


@pytest.fixture
def served_from_here(served, exported_base):
    """A server of `exported_base`, of which the limits are known."""
    if served.base != exported_base:
        pytest.skip("What this server was started with is not known")
    return served


@pytest.fixture(scope="module", params=KINDS)
def labelled(request, two_versions, tmp_path_factory):
    """A server of the versions 1, stable, and 2, canary."""
    folder = tmp_path_factory.mktemp("server")
    labels = {"stable": 1, "canary": 2}
    with launch(request.param, two_versions, (1, 2), labels, folder) as served:
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
    return Servable(served.base / str(newest(served.base)))


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


def test_too_large(served_from_here, protocol):
    """Past the export's limit on bytes, which is not that on requests."""
    with served_from_here.caller(protocol) as caller:
        outputs = caller.predict("", strings(bytes(400_001)))
    assert list(outputs["status"]) == [b"too_large"]


def test_health(served_from_here):
    with grpc.insecure_channel(served_from_here.grpc) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        response = stub.Check(request, timeout=SECONDS)
    assert response.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize(
    ("choice", "features"),
    [
        ({}, 20),
        ({"version": 1}, 50),
        ({"version": 2}, 20),
        ({"label": "stable"}, 50),
        ({"label": "canary"}, 20),
    ],
)
def test_versions_and_labels(labelled, protocol, files, choice, features):
    """Version 1 has 50 features at most, version 2 has 20."""
    with labelled.caller(protocol, **choice) as caller:
        outputs = caller.predict("", strings(files[0]))
    assert outputs["descriptors"].shape[1] == features


@pytest.mark.parametrize("kind", KINDS)
def test_new_version_takes_over(kind, two_versions, tmp_path, files):
    """No request fails meanwhile, and the old version is unloaded."""
    base = tmp_path / "delf"
    shutil.copytree(two_versions / "1", base / "1")
    with launch(kind, base, (), {}, tmp_path) as served:
        with asking(served, files[0]) as all_saw:
            wait_until(lambda: all_saw(50))
            shutil.copytree(two_versions / "2", base / "being-copied")
            (base / "being-copied").rename(base / "2")
            wait_until(lambda: all_saw(20))
        wait_until(
            lambda: served.states() == {1: STATES.END, 2: STATES.AVAILABLE}
        )
        for protocol in ("grpc", "rest"):
            with served.caller(protocol, version=1) as caller:
                assert_refused("NOT_FOUND", caller, strings(files[0]))
