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
from delf_keras.serving.embedded.versions import VersionManager
from delf_keras.serving.servable import Servable

TOY = ModelSpec("toy")
X = np.array([[1, 2], [3, 4]], np.float32)


@pytest.fixture
def predictor(base):
    versions = VersionManager(base)
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
    assert version == 1 and set(spec.outputs) == {"y", "version"}
    np.testing.assert_array_equal(outputs["y"], X)


def test_signature_without_rows(predict):
    _, _, outputs = predict("scalar", {"x": np.float32(3)})
    assert outputs["y"] == 3


def test_refusals(refused):
    one = np.array([1], np.int32)
    for message, signature, inputs in (
        ("A signature is one of.*Received: 'none'", "none", {}),
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
        (ModelSpec("toy", version=2), r"served are \[1\]. Received: 2"),
        (ModelSpec("toy", label="stable"), "Received: stable"),
    ],
)
def test_no_such_model(refused, spec, message):
    assert refused(message, "", {"x": X}, spec) == "NOT_FOUND"


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
    """Those of one version, signature and shape."""
    gate.close()

    async def predict(*signatures):
        tasks = [
            asyncio.ensure_future(
                predictor.predict(TOY, name, lambda spec, i=inputs: i)
            )
            for name, inputs in signatures
        ]
        await asyncio.sleep(0)
        gate.open()
        return [outputs for _, _, outputs in await asyncio.gather(*tasks)]

    texts = [np.array([text], object) for text in (b"a", b"b", b"c\0")]
    scalar = {"x": np.float32(0)}
    requests = [("scalar", scalar), *(("echo", {"text": t}) for t in texts)]
    first, *echoes = asyncio.run(predict(*requests))

    assert first["y"] == 0
    assert [e["echo_bytes"].tolist() for e in echoes] == [
        [b"a"],
        [b"b"],
        [b"c\0"],
    ]
    joined = gate.calls[-1]["text"]
    assert len(gate.calls) == 2 and joined.tolist() == [b"a", b"b", b"c\0"]


def test_cancelled_request_is_not_run(predictor, gate, until):
    """Its version may go, and the one that runs is waited for."""
    gate.close()

    async def predict():
        running, queued = (
            asyncio.ensure_future(
                predictor.predict(TOY, "", lambda spec, x=x: {"x": x})
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
    assert version == 1
    np.testing.assert_array_equal(outputs["y"], X)
    assert len(gate.calls) == 1
