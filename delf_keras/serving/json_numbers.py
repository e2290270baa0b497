"""JSON with the numbers that JSON does not have, as TensorFlow Serving does.

NaN and Infinity stand there as they are. orjson, which is fast, refuses to
read them and writes null; the standard library does as is wanted.
"""

import json
import math

import numpy as np
import orjson


def loads(text):
    """Reads JSON.

    Args:
        text: bytes or str.

    Raises:
        ValueError: if it is something else.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise error from None


def dumps(content):
    """Returns the JSON of what may have numpy arrays in it, bytes."""
    if _is_finite(content):
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return json.dumps(content, default=lambda array: array.tolist()).encode()


def _is_finite(content):
    if isinstance(content, dict):
        return all(map(_is_finite, content.values()))
    if isinstance(content, list):
        return all(map(_is_finite, content))
    if isinstance(content, np.ndarray):
        return content.dtype.kind != "f" or bool(np.isfinite(content).all())
    return not isinstance(content, (float, np.floating)) or math.isfinite(
        content
    )
