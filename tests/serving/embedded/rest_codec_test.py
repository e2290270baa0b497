"""JSON of requests to arrays, and of arrays to answers."""

import base64
import json

import numpy as np
import orjson
import pytest
import tensorflow as tf

from delf_keras.serving.embedded.rest_codec import (
    read_inputs,
    read_request,
    write_response,
)
from delf_keras.serving.servable import SignatureSpec, TensorSpec

SCORES = {"scores": TensorSpec(tf.float32, (None,))}


def spec(outputs=SCORES, **inputs):
    """A signature of inputs, each a dtype of rows or a `TensorSpec`."""
    specs = {
        name: value
        if isinstance(value, TensorSpec)
        else TensorSpec(tf.as_dtype(value), (None,))
        for name, value in inputs.items()
    }
    return SignatureSpec(specs, outputs)


IMAGES = spec(image_bytes="string")
PAIRS = spec(a="int32", b="float32")
SCALAR = spec(x=TensorSpec(tf.float32, ()))


def read(signature, **request):
    return read_inputs(read_request(json.dumps(request).encode()), signature)


def assert_reads(received, **expected):
    assert received.keys() == expected.keys()
    for name, array in expected.items():
        assert received[name].dtype == array.dtype
        np.testing.assert_array_equal(received[name], array)


def b64(contents):
    return {"b64": base64.b64encode(contents).decode()}


def test_rows():
    expected = {
        "a": np.array([1, 2], np.int32),
        "b": np.array([0.5, 3], np.float32),
    }
    rows = [{"a": 1, "b": 0.5}, {"a": 2, "b": 3}]
    assert_reads(read(PAIRS, instances=rows), **expected)
    columns = {"a": [1, 2], "b": [0.5, 3]}
    assert_reads(read(PAIRS, inputs=columns), **expected)


@pytest.mark.parametrize(
    "text", ["/9gA", "/9\ngA\r\n", "YWJjZA==", "YWJjZA", "YWJj\nZA", ""]
)
def test_base64_as_tensorflow_serving_takes_it(text):
    """With line breaks, and without padding."""
    plain = "".join(text.split())
    expected = base64.b64decode(plain + "=" * (-len(plain) % 4))
    assert_reads(
        read(IMAGES, inputs=[{"b64": text}]),
        image_bytes=np.array([expected], object),
    )


def test_numbers_that_json_does_not_have():
    body = b'{"inputs": [NaN, Infinity, -Infinity, 1]}'
    signature = spec(x="float32")
    expected = np.array([np.nan, np.inf, -np.inf, 1], np.float32)
    assert_reads(read_inputs(read_request(body), signature), x=expected)
    answer = write_response({"inputs": 0}, signature, {"y": expected})
    assert answer == b'{"outputs": [NaN, Infinity, -Infinity, 1.0]}'


@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_only_input_needs_no_name(key):
    numbers = spec(x="int64")
    assert_reads(read(numbers, **{key: [3, 4]}), x=np.array([3, 4]))


def test_strings():
    """Texts, and bytes as base64, zeros and all."""
    expected = np.array([b"text", b"\xff\xd8\0", "ä".encode()], object)
    values = ["text", b64(b"\xff\xd8\0"), "ä"]
    named = [{"image_bytes": value} for value in values]
    for request in (
        {"instances": values},
        {"instances": named},
        {"inputs": values},
        {"inputs": {"image_bytes": values}},
    ):
        assert_reads(read(IMAGES, **request), image_bytes=expected)


def test_without_rows():
    assert_reads(read(SCALAR, inputs={"x": 5}), x=np.array(5, np.float32))
    assert_reads(read(SCALAR, inputs=5), x=np.array(5, np.float32))
    with pytest.raises(ValueError, match='no rows: give "inputs"'):
        read(SCALAR, instances=[5])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON is expected"),
        (b"{'inputs': 1}", "JSON is expected"),
        (b"[" * 100_000, "JSON is expected"),
        (b"[1]", r'either "instances" or "inputs". Received: \[1\]'),
        (b"{}", "Received: {}"),
        (b'{"inputs": 1, "instances": [1]}', "Received: {'inputs': 1,"),
    ],
)
def test_what_is_no_request(body, message):
    with pytest.raises(ValueError, match=message):
        read_request(body)


@pytest.mark.parametrize(
    ("signature", "request_json", "message"),
    [
        (IMAGES, {"instances": []}, r"at least one. Received: \[\]"),
        (IMAGES, {"instances": "a"}, "Received: 'a'"),
        (IMAGES, {"instances": [1]}, "a text or .*b64.* Received: 1"),
        (IMAGES, {"instances": [{"b64": "?"}]}, "Received: {'b64': '[?]'}"),
        (IMAGES, {"instances": [{"b64": 1}]}, "Received: {'b64': 1}"),
        (IMAGES, {"instances": ["a", {"image_bytes": "a"}]}, "a text or"),
        (PAIRS, {"instances": [1]}, r"\['a', 'b'\]: name each"),
        (PAIRS, {"inputs": [1]}, r"\['a', 'b'\]: name each"),
        (
            PAIRS,
            {"instances": [{"a": 1, "b": 1}, {"a": 1}]},
            "have the same inputs",
        ),
    ],
)
def test_wrong_inputs(signature, request_json, message):
    with pytest.raises(ValueError, match=message):
        read(signature, **request_json)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("uint8", [300]),
        ("uint8", [-1]),
        ("uint8", [1.5]),
        ("int32", [1e30]),
        ("int32", [10**30]),
        ("float32", [1e39]),
        ("float32", ["1.5"]),
        ("float32", [None]),
        ("float32", [True]),
        ("float32", [{"b64": "YQ=="}]),
        ("float32", [[1], [1, 2]]),
        ("bool", [1]),
    ],
)
def test_values_of_another_type(dtype, values):
    """Nothing is converted that would not be equal afterwards."""
    with pytest.raises(ValueError, match=f"Input x is {dtype}"):
        read(spec(x=dtype), inputs={"x": values})


def test_whole_numbers_may_be_written_as_fractions():
    received = read(spec(x="uint8"), inputs=[1.0, 255.0])
    assert_reads(received, x=np.array([1, 255], np.uint8))
    received = read(spec(x="bool"), inputs=[True, False])
    assert_reads(received, x=np.array([True, False]))


def test_messages_are_short():
    with pytest.raises(ValueError) as error:
        read(spec(x="uint8"), inputs=[[1.5] * 1000] * 1000)
    assert len(str(error.value)) < 200


OUTPUTS = {
    "y": np.array([[0.1, 2], [3, 4]], np.float32),
    "count": np.array([1, 2], np.int32),
    "status": np.array([b"ok", b"corrupt"], object),
}


def write(request, **outputs):
    return orjson.loads(write_response(request, IMAGES, outputs))


def test_answer_in_rows():
    assert write({"instances": []}, **OUTPUTS) == {
        "predictions": [
            {"y": [0.1, 2], "count": 1, "status": "ok"},
            {"y": [3, 4], "count": 2, "status": "corrupt"},
        ]
    }


def test_answer_in_columns():
    assert write({"inputs": []}, **OUTPUTS) == {
        "outputs": {
            "y": [[0.1, 2], [3, 4]],
            "count": [1, 2],
            "status": ["ok", "corrupt"],
        }
    }


def test_only_output_has_no_name():
    counts = {"count": OUTPUTS["count"]}
    assert write({"instances": []}, **counts) == {"predictions": [1, 2]}
    assert write({"inputs": []}, **counts) == {"outputs": [1, 2]}
    scalar = {"y": np.float32(0.1)}
    assert write({"inputs": []}, **scalar) == {"outputs": pytest.approx(0.1)}


def test_bytes_are_base64():
    """By the name of the output, whatever they are."""
    echo = np.array([b"\xff\xd8", b"text"], object)
    assert write({"inputs": []}, echo_bytes=echo) == {
        "outputs": [b64(b"\xff\xd8"), b64(b"text")]
    }


def test_arrays_in_any_layout():
    transposed = np.arange(6, dtype=np.float32).reshape(2, 3).T
    assert write({"inputs": []}, y=transposed) == {
        "outputs": [[0, 3], [1, 4], [2, 5]]
    }


def test_numbers_survive():
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=100).astype(np.float32)
    received = np.array(write({"inputs": []}, y=numbers)["outputs"])
    np.testing.assert_array_equal(received.astype(np.float32), numbers)
