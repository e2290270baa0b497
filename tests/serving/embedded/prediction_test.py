"""Predictions of a toy model, whatever the protocol."""

import asyncio
import contextlib

import grpc
import numpy as np
import pytest
import tensorflow as tf

from delf_keras.serving.embedded.batching import Batcher, BatchingOptions
from delf_keras.serving.embedded.errors import RequestError
from delf_keras.serving.embedded.prediction import ModelSpec, Predictor
from delf_keras.serving.embedded.versions import VersionManager, VersionPolicy
from delf_keras.serving.servable import Servable

TOY = ModelSpec("toy")
X = np.array([[1, 2], [3, 4]], np.float32)


@pytest.fixture
def predictor(base, publish):
    """A `Predictor` of versions 1 and 2, of one thread."""
    publish(base, 2)
    versions = VersionManager(base, VersionPolicy((1, 2)))
    versions.refresh()
    with contextlib.closing(Batcher(BatchingOptions(threads=1))) as batcher:
        yield Predictor("toy", versions, batcher)


@pytest.fixture
def predict(predictor):
    """A function of a signature and inputs to what `Predictor` answers."""

    def predict(signature, inputs, spec=TOY):
        answer = predictor.predict(spec, signature, lambda known: inputs)
        return asyncio.run(answer)

    return predict


@pytest.fixture
def refused(predict):
    """A function like `predict`, which returns the code of the refusal."""

    def refused(message, *request):
        with pytest.raises(RequestError, match=message) as error:
            predict(*request)
        return error.value.code.name

    return refused


@pytest.mark.parametrize("signature", ["", "serving_default"])
def test_default_signature(predict, signature):
    version, spec, outputs = predict(signature, {"x": X})
    assert version == 2 and set(spec.outputs) == {"y", "version"}
    np.testing.assert_array_equal(outputs["y"], 2 * X)


def test_signature_without_rows(predict):
    _, _, outputs = predict("scalar", {"x": np.float32(3)})
    assert outputs["y"] == 6


def test_refusals(refused):
    one = np.array([1], np.int32)
    for message, signature, inputs in (
        (r"inputs of serving_default are \['x'\]", "", {}),
        ("x is float32.*dtype=float64", "", {"x": X.astype(np.float64)}),
        (r"x is float32.*shape=\(2,\)", "", {"x": X[0]}),
        (
            "a row for each.*dividend with 1, divisor with 2",
            "divide",
            {"dividend": one, "divisor": np.repeat(one, 2)},
        ),
        ("by 0", "divide", {"dividend": one, "divisor": 0 * one}),
    ):
        code = refused(message, signature, inputs)
        assert code == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (ModelSpec("delf"), "served is 'toy'. Received: 'delf'"),
        (ModelSpec("toy", version=3), r"served are \[1, 2\]. Received: 3"),
    ],
)
def test_no_such_model(refused, spec, message):
    assert refused(message, "", {"x": X}, spec) == "NOT_FOUND"


def test_no_such_label(refused):
    spec = ModelSpec("toy", label="stable")
    code = refused("Received: stable", "", {"x": X}, spec)
    assert code == "INVALID_ARGUMENT"


def test_no_such_signature(refused):
    code = refused("A signature is one of.*Received: 'none'", "none", {})
    assert code == "FAILED_PRECONDITION"


@pytest.mark.parametrize("error", [TypeError, RecursionError])
def test_inputs_that_cannot_be_read(predictor, error):
    def read(spec):
        raise error("not readable")

    with pytest.raises(RequestError, match="not readable") as caught:
        asyncio.run(predictor.predict(TOY, "", read))
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT


def test_failure_of_the_model(refused, monkeypatch):
    def predict(self, signature, inputs):
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    monkeypatch.setattr(Servable, "predict", predict)
    assert refused("out of memory", "", {"x": X}) == "INTERNAL"


def test_requests_are_joined(predictor, gate):
    """Those of one version, signature and shape of rows."""
    gate.close()
    older = ModelSpec("toy", version=1)

    async def predict(*requests):
        tasks = [
            asyncio.ensure_future(
                predictor.predict(spec, name, lambda known, x=x: {"x": x})
            )
            for spec, name, x in requests
        ]
        await asyncio.sleep(0)
        gate.open()
        return [outputs["y"] for _, _, outputs in await asyncio.gather(*tasks)]

    occupying = TOY, "scalar", np.float32(0)
    requests = {
        (TOY, ""): (X, X[:1] + 10),
        (older, ""): (X[:1] + 20,),
        (TOY, "negate"): (X[:1] + 30,),
    }
    _, *received = asyncio.run(
        predict(
            occupying,
            *((*choice, x) for choice, xs in requests.items() for x in xs),
        )
    )

    expected = [2 * X, 2 * (X[:1] + 10), X[:1] + 20, -X[:1] - 30]
    for y, expected_y in zip(received, expected, strict=True):
        np.testing.assert_array_equal(y, expected_y)
    assert [len(inputs["x"]) for inputs in gate.calls[1:]] == [3, 1, 1]


def test_deadline(predictor, gate, until):
    gate.close()

    async def predict():
        running = asyncio.ensure_future(
            predictor.predict(TOY, "", lambda known: {"x": X})
        )
        await asyncio.to_thread(until, lambda: gate.calls)
        late = asyncio.ensure_future(
            predictor.predict(TOY, "", lambda known: {"x": X}, timeout=0)
        )
        await asyncio.sleep(0)
        gate.open()
        with pytest.raises(RequestError, match="deadline passed") as error:
            await late
        await running
        return error.value.code

    assert asyncio.run(predict()) == grpc.StatusCode.DEADLINE_EXCEEDED
    assert len(gate.calls) == 1


def test_cancelled_request_is_not_run(predictor, gate, until):
    """Its version may go, and the one that runs is waited for."""
    gate.close()

    async def predict():
        running, queued = (
            asyncio.ensure_future(
                predictor.predict(TOY, "", lambda known, x=x: {"x": x})
            )
            for x in (X, X + 10)
        )
        await asyncio.to_thread(until, lambda: gate.calls)
        queued.cancel()
        with pytest.raises(asyncio.CancelledError):
            await queued
        gate.open()
        return await running

    version, _, outputs = asyncio.run(predict())
    assert version == 2
    np.testing.assert_array_equal(outputs["y"], 2 * X)
    assert len(gate.calls) == 1
