"""JSON of TensorFlow Serving's REST protocol, to arrays and back."""

import base64
import reprlib

import numpy as np
import tensorflow as tf

from delf_keras.serving import json_numbers

ROWS = "instances"
COLUMNS = "inputs"


def read_request(body):
    """Reads the JSON of a prediction.

    Args:
        body: bytes.

    Returns:
        dict with `signature_name` and one of `instances` and `inputs`.

    Raises:
        ValueError: if it is something else.
    """
    try:
        request = json_numbers.loads(body)
    except ValueError as error:
        raise ValueError(f"JSON is expected. Received: {error}") from error
    if not isinstance(request, dict) or (ROWS in request) == (
        COLUMNS in request
    ):
        raise ValueError(
            f'A request is an object with either "{ROWS}" or "{COLUMNS}". '
            f"Received: {_shown(request)}"
        )
    name = request.get("signature_name", "")
    if not isinstance(name, str):
        raise ValueError(
            f'"signature_name" is a text. Received: {_shown(name)}'
        )
    return request


def read_inputs(request, spec):
    """Returns the inputs of a request, a dict of name to array.

    Args:
        request: What `read_request` returned.
        spec: `SignatureSpec`.

    Raises:
        ValueError: if a value cannot be of the type of its input.
    """
    if COLUMNS in request:
        columns = request[COLUMNS]
        if not _names_inputs(columns):
            columns = {_only(spec.inputs): columns}
    else:
        columns = _columns(request[ROWS], spec)
    return {
        name: _array(name, value, spec.inputs[name].dtype)
        if name in spec.inputs
        # Refused with the others' names later.
        else np.zeros(0)
        for name, value in columns.items()
    }


def write_response(request, spec, outputs):
    """Returns the JSON of an answer, in the format of the request.

    Args:
        request: What `read_request` returned.
        spec: `SignatureSpec`.
        outputs: dict of name to array.
    """
    values = {name: _jsonable(name, rows) for name, rows in outputs.items()}
    single = len(values) == 1
    if COLUMNS in request:
        answer = {"outputs": next(iter(values.values())) if single else values}
    elif single:
        answer = {"predictions": next(iter(values.values()))}
    else:
        count = len(next(iter(values.values())))
        answer = {
            "predictions": [
                {name: rows[row] for name, rows in values.items()}
                for row in range(count)
            ]
        }
    return json_numbers.dumps(answer)


def _columns(rows, spec):
    if not spec.batchable:
        raise ValueError(
            f'The signature has no rows: give "{COLUMNS}". Received: "{ROWS}"'
        )
    if not isinstance(rows, list) or not rows:
        raise ValueError(
            f'"{ROWS}" is a list of at least one. Received: {_shown(rows)}'
        )
    if not all(map(_names_inputs, rows)):
        return {_only(spec.inputs): rows}
    names = rows[0].keys()
    if any(row.keys() != names for row in rows):
        raise ValueError(f'All of "{ROWS}" have the same inputs.')
    return {name: [row[name] for row in rows] for name in names}


def _names_inputs(value):
    return isinstance(value, dict) and value.keys() != {"b64"}


def _only(inputs):
    if len(inputs) != 1:
        raise ValueError(f"The inputs are {sorted(inputs)}: name each.")
    return next(iter(inputs))


def _array(name, value, dtype):
    if dtype == tf.string:
        return np.array(_decoded(value), object)
    try:
        array = np.asarray(value)
        # NumPy would make numbers of texts, truths and nothing too.
        if array.dtype.kind not in ("b" if dtype.is_bool else "iuf"):
            raise ValueError(f"Received: {_shown(value)}")
        with np.errstate(over="raise", invalid="raise"):
            converted = array.astype(dtype.as_numpy_dtype)
        if dtype.is_integer and not np.array_equal(converted, array):
            raise ValueError(f"Received: {_shown(value)}")
    except (ValueError, ArithmeticError) as error:
        raise ValueError(f"Input {name} is {dtype.name}. {error}") from error
    return converted


def _decoded(value):
    """Returns bytes for texts and for `{"b64": ...}`, inside lists too."""
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    try:
        if isinstance(value, str):
            return value.encode()
        text = "".join(value["b64"].split())
        # TensorFlow Serving takes line breaks, and no padding, as well.
        text += "=" * (-len(text) % 4)
        return base64.b64decode(text, validate=True)
    except (AttributeError, TypeError, LookupError, ValueError) as error:
        raise ValueError(
            f'A string is a text or {{"b64": text}}. Received: {_shown(value)}'
        ) from error


def _jsonable(name, rows):
    if rows.dtype != object:
        # orjson takes no arrays without dimensions.
        return np.asarray(rows, order="C") if rows.ndim else rows.item()
    return _texts(rows.tolist(), name.endswith("_bytes"))


def _texts(value, encoded):
    if isinstance(value, list):
        return [_texts(item, encoded) for item in value]
    if encoded:
        return {"b64": base64.b64encode(value).decode()}
    return value.decode()


def _shown(value):
    """Returns the beginning of a value, however long or deep it is."""
    text = reprlib.repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
