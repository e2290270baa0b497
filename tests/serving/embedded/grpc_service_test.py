"""The gRPC services of a server of a toy model."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from delf_keras.serving.embedded import grpc_service
from delf_keras.serving.embedded.batching import BatchingOptions

X = np.array([[1, 2], [3, 4]], np.float32)
SECONDS = 30


class Stubs:
    """Callers of a server.

    Attributes:
        prediction: Stub of PredictionService.
        models: Stub of ModelService.
    """

    def __init__(self, channel):
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(
            channel
        )
        self.models = model_service_pb2_grpc.ModelServiceStub(channel)


@pytest.fixture
def connect():
    """A function of a server to the `Stubs` of a channel of its own."""
    channels = []

    def connect(server):
        channels.append(grpc.insecure_channel(server.grpc_address))
        return Stubs(channels[-1])

    yield connect
    for channel in channels:
        channel.close()


@pytest.fixture
def stubs(toy_server, connect):
    """Those of `toy_server`."""
    return connect(toy_server)


def request(signature="", name="toy", version=None, label=None, **inputs):
    request = predict_pb2.PredictRequest()
    spec = request.model_spec
    spec.name, spec.signature_name = name, signature
    if version is not None:
        spec.version.value = version
    if label is not None:
        spec.version_label = label
    for key, value in (inputs or {"x": X}).items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return request


def refusal(method, request):
    """Returns the code and the details of a request that is refused."""
    with pytest.raises(grpc.RpcError) as error:
        method(request, timeout=SECONDS)
    return error.value.code().name, error.value.details()


def test_predict(stubs):
    response = stubs.prediction.Predict(request(), timeout=SECONDS)

    assert set(response.outputs) == {"y", "version"}
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["y"]), 2 * X)
    spec = response.model_spec
    assert (spec.name, spec.version.value) == ("toy", 2)
    assert spec.signature_name == "serving_default"


def test_without_a_deadline(stubs):
    response = stubs.prediction.Predict(request())
    assert response.model_spec.version.value == 2


@pytest.mark.parametrize(
    ("choice", "version"),
    [({"version": 1}, 1), ({"version": 2}, 2), ({"label": "stable"}, 1)],
)
def test_choice_of_a_version(stubs, choice, version):
    response = stubs.prediction.Predict(request(**choice), timeout=SECONDS)
    assert response.model_spec.version.value == version
    assert list(tf.make_ndarray(response.outputs["version"])) == [version] * 2


def test_other_signatures(stubs):
    texts = np.array([b"a\0", b""], object)
    response = stubs.prediction.Predict(request("echo", text=texts))
    assert response.model_spec.signature_name == "echo"
    echo = tf.make_ndarray(response.outputs["echo_bytes"])
    assert echo.tolist() == [b"a\0", b""]
    response = stubs.prediction.Predict(request("scalar", x=np.float32(3)))
    assert tf.make_ndarray(response.outputs["y"]) == 6


def test_output_filter(stubs):
    filtered = request()
    filtered.output_filter.append("y")
    response = stubs.prediction.Predict(filtered, timeout=SECONDS)
    assert list(response.outputs) == ["y"]
    filtered.output_filter.append("z")
    code, details = refusal(stubs.prediction.Predict, filtered)
    assert code == "INVALID_ARGUMENT" and "Received: ['z']" in details


def test_refusals(stubs):
    for wrong, expected in (
        (request(name="delf"), "NOT_FOUND"),
        (request(version=3), "NOT_FOUND"),
        (request(label="canary"), "INVALID_ARGUMENT"),
        (request("none"), "FAILED_PRECONDITION"),
        (request(z=X), "INVALID_ARGUMENT"),
        (request(x=X[0]), "INVALID_ARGUMENT"),
    ):
        code, details = refusal(stubs.prediction.Predict, wrong)
        assert code == expected and "Received: " in details
    code, details = refusal(stubs.prediction.Predict, request(name=""))
    assert code == "INVALID_ARGUMENT" and "names its model" in details


def test_tensor_that_is_damaged(stubs):
    wrong = request()
    wrong.inputs["x"].tensor_content = b"odd"
    code, _ = refusal(stubs.prediction.Predict, wrong)
    assert code == "INVALID_ARGUMENT"
    wrong.inputs["x"].dtype = 99
    code, _ = refusal(stubs.prediction.Predict, wrong)
    assert code == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "shape",
    [[2**40, 2], [2**32, 2**32], [0, 2**62], [-1, 2], [3, -(2**62)], [-4, -4]],
)
def test_a_shape_fills_no_memory(stubs, shape):
    """One value stands for as many as a shape has."""
    for signature, name, dtype, values in (
        ("", "x", tf.float32, {"float_val": [1.0]}),
        ("", "x", tf.float32, {}),
        ("echo", "text", tf.string, {"string_val": [b"text"]}),
    ):
        wrong = request(signature, x=X)
        del wrong.inputs["x"]
        dimensions = [{"size": size} for size in shape]
        wrong.inputs[name].CopyFrom(
            tensor_pb2.TensorProto(
                dtype=dtype.as_datatype_enum,
                tensor_shape={"dim": dimensions},
                **values,
            )
        )
        code, details = refusal(stubs.prediction.Predict, wrong)
        assert code == "INVALID_ARGUMENT", details


def test_what_is_no_message(toy_server, caplog):
    with grpc.insecure_channel(toy_server.grpc_address) as channel:
        for service, method in (
            ("PredictionService", "Predict"),
            ("PredictionService", "GetModelMetadata"),
            ("ModelService", "GetModelStatus"),
        ):
            call = channel.unary_unary(
                f"/tensorflow.serving.{service}/{method}"
            )
            code, details = refusal(call, b"\xff")
            assert code == "INVALID_ARGUMENT" and "parsing" in details
    assert not caplog.records


def test_errors_that_nobody_expected(stubs, monkeypatch, caplog):
    def fail(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(grpc_service, "_asked_for", fail)
    assert refusal(stubs.prediction.Predict, request()) == (
        "INTERNAL",
        "ZeroDivisionError: a bug",
    )
    assert "A request failed" in caplog.text


def test_large_messages(stubs):
    """Requests have a limit, answers have none."""
    large = np.zeros((12_400, 2), np.float32)
    response = stubs.prediction.Predict(request(x=large), timeout=SECONDS)
    assert response.ByteSize() > 100_000
    code, _ = refusal(
        stubs.prediction.Predict, request(x=np.concatenate([large, large]))
    )
    assert code == "RESOURCE_EXHAUSTED"


def test_what_is_not_implemented(stubs):
    code, _ = refusal(
        stubs.prediction.Classify, classification_pb2.ClassificationRequest()
    )
    assert code == "UNIMPLEMENTED"


def metadata_request(*fields, **choice):
    return get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec=request(**choice).model_spec, metadata_field=fields
    )


def test_metadata(stubs):
    response = stubs.prediction.GetModelMetadata(
        metadata_request("signature_def", label="stable")
    )
    assert response.model_spec.name == "toy"
    assert response.model_spec.version.value == 1
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert set(signatures.signature_def) == {
        "serving_default",
        "negate",
        "echo",
        "divide",
        "scalar",
    }
    assert set(signatures.signature_def["divide"].inputs) == {
        "dividend",
        "divisor",
    }
    for fields in ((), ("other",)):
        code, details = refusal(
            stubs.prediction.GetModelMetadata, metadata_request(*fields)
        )
        assert code == "INVALID_ARGUMENT" and "signature_def" in details
    code, _ = refusal(
        stubs.prediction.GetModelMetadata,
        metadata_request("signature_def", version=3),
    )
    assert code == "NOT_FOUND"


def status_request(**choice):
    return get_model_status_pb2.GetModelStatusRequest(
        model_spec=request(**choice).model_spec
    )


def test_status(stubs):
    def status(**choice):
        response = stubs.models.GetModelStatus(status_request(**choice))
        return [(e.version, e.state) for e in response.model_version_status]

    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert status() == [(2, available), (1, available)]
    assert status(version=2) == [(2, available)]
    assert status(label="stable") == [(1, available)]
    for choice, expected in (
        ({"version": 3}, "NOT_FOUND"),
        ({"label": "canary"}, "INVALID_ARGUMENT"),
        ({"name": "delf"}, "NOT_FOUND"),
        ({"name": ""}, "INVALID_ARGUMENT"),
    ):
        code, _ = refusal(stubs.models.GetModelStatus, status_request(**choice))
        assert code == expected


def test_status_of_a_version_that_is_damaged(base, publish, serve, connect):
    server = serve(base, poll_seconds=60)
    (publish(base, 2) / "saved_model.pb").write_bytes(b"damaged")
    server.versions.refresh()
    response = connect(server).models.GetModelStatus(status_request())

    damaged, served = response.model_version_status
    assert (damaged.version, damaged.state) == (2, damaged.END)
    assert damaged.status.error_code == tf.errors.INVALID_ARGUMENT
    assert "is damaged" in damaged.status.error_message
    assert (served.version, served.state) == (1, served.AVAILABLE)
    assert served.status.error_code == 0


@pytest.fixture
def one_at_a_time(base, serve):
    """A server where a request runs, and two may wait."""
    batching = BatchingOptions(threads=1, max_batch_size=1, max_queued=2)
    return serve(base, batching=batching)


def numbers_of(calls):
    return [call["x"].tolist() for call in calls]


def test_requests_that_nobody_waits_for_are_not_run(
    one_at_a_time, connect, gate, until, waiting
):
    gate.close()
    predict = connect(one_at_a_time).prediction.Predict
    running = predict.future(request(x=X))
    until(lambda: gate.calls)
    cancelled = predict.future(request(x=X + 1))
    until(lambda: waiting(one_at_a_time) == 1)
    late = predict.future(request(x=X + 2), timeout=0.2)
    cancelled.cancel()
    until(lambda: late.done() and waiting(one_at_a_time) == 0)
    last = predict.future(request(x=X + 3), timeout=SECONDS)
    until(lambda: waiting(one_at_a_time) == 1)
    gate.open()

    assert last.result(SECONDS) and running.result(SECONDS)
    assert late.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert numbers_of(gate.calls) == [X.tolist(), (X + 3).tolist()]


def test_full_queue(one_at_a_time, connect, gate, until, waiting):
    gate.close()
    predict = connect(one_at_a_time).prediction.Predict
    taken = [predict.future(request())]
    until(lambda: gate.calls)
    taken += [predict.future(request()) for _ in range(2)]
    until(lambda: waiting(one_at_a_time) == 2)
    code, details = refusal(predict, request())
    gate.open()

    assert code == "UNAVAILABLE" and details == "2 requests wait already"
    assert all(future.result(SECONDS) for future in taken)
