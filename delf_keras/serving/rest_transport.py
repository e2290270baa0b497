"""Requests to a server over REST."""

import base64
import json
from urllib.parse import quote

import numpy as np

from delf_keras.serving.errors import (
    DEADLINE_EXCEEDED,
    EXHAUSTED,
    INTERNAL,
    TOO_LARGE,
    UNAVAILABLE,
    ServerError,
)

_CODES = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    412: "FAILED_PRECONDITION",
    413: TOO_LARGE,
    429: EXHAUSTED,
    # From a proxy, while the server behind it starts again.
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: DEADLINE_EXCEEDED,
}


class RestTransport:
    """HTTP requests to TensorFlow Serving or the embedded server.

    Args:
        address: str, "http://host:port" or "https://host:port".
        model: str. The model's name.
        version: int or None for the newest.
        label: str or None. Of a version.
        deadline_seconds: float. Of each request.
        connections: int. Connections that are kept open.
    """

    def __init__(
        self, address, model, version, label, deadline_seconds, connections
    ):
        import requests

        self._url = f"{address.rstrip('/')}/v1/models/{quote(model, safe='')}"
        if version is not None:
            self._url += f"/versions/{version}"
        elif label is not None:
            self._url += f"/labels/{quote(label, safe='')}"
        self._deadline = deadline_seconds
        self._requests = requests
        # The second is an answer that ends too early.
        self._broken = (
            requests.ConnectionError,
            requests.exceptions.ChunkedEncodingError,
        )
        self._session = requests.Session()
        adapter = requests.adapters.HTTPAdapter(
            pool_connections=1, pool_maxsize=connections
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)

    def predict(self, signature, inputs):
        """Sends a request; see `Client.predict`."""
        from delf_keras.serving import json_numbers

        body = json_numbers.dumps(
            {
                "signature_name": signature,
                "inputs": {
                    name: _jsonable(np.asarray(value))
                    for name, value in inputs.items()
                },
            }
        )
        content = self._call("POST", ":predict", body)
        try:
            outputs = json_numbers.loads(content)["outputs"].items()
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ServerError(
                INTERNAL,
                f"JSON of named outputs is expected. Received: {content[:80]}",
            ) from error
        return {name: _array(value) for name, value in outputs}

    def metadata(self):
        """Returns a `SignatureDefMap`; see `Client.metadata`."""
        from tensorflow_serving.apis import get_model_metadata_pb2

        # TensorFlow Serving leaves out the type that protobuf's JSON has.
        return _parsed(
            self._call("GET", "/metadata"),
            lambda answer: answer["metadata"]["signature_def"],
            get_model_metadata_pb2.SignatureDefMap(),
        )

    def status(self):
        """Returns a `GetModelStatusResponse`; see `Client.status`."""
        from tensorflow_serving.apis import get_model_status_pb2

        return _parsed(
            self._call("GET", ""),
            lambda answer: answer,
            get_model_status_pb2.GetModelStatusResponse(),
        )

    def close(self):
        """Closes the connections."""
        self._session.close()

    def _call(self, method, path, body=None):
        try:
            response = self._session.request(
                method,
                self._url + path,
                data=body,
                timeout=self._deadline,
                headers={"Content-Type": "application/json"},
            )
        except self._requests.Timeout as error:
            raise ServerError(DEADLINE_EXCEEDED, str(error)) from error
        except self._broken as error:
            raise ServerError(UNAVAILABLE, str(error)) from error
        except self._requests.RequestException as error:
            raise ServerError("INVALID_ARGUMENT", str(error)) from error
        if response.status_code != 200:
            raise ServerError(
                _CODES.get(response.status_code, INTERNAL),
                _message(response),
            )
        return response.content


def _parsed(content, part_of, message):
    """Fills a message of protobuf from a part of an answer."""
    from google.protobuf import json_format

    try:
        return json_format.ParseDict(
            part_of(json.loads(content)), message, ignore_unknown_fields=True
        )
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        json_format.ParseError,
    ) as error:
        name = message.DESCRIPTOR.name
        raise ServerError(
            INTERNAL, f"JSON of a {name} is expected. Received: {content[:80]}"
        ) from error


def _jsonable(value):
    if value.dtype.kind not in "SO":
        # orjson takes no arrays without dimensions.
        return np.asarray(value, order="C") if value.ndim else value.item()
    return _encoded(value.tolist())


def _encoded(value):
    if isinstance(value, list):
        return [_encoded(item) for item in value]
    return {"b64": base64.b64encode(value).decode()}


def _array(value):
    array = np.asarray(value)
    if array.dtype.kind == "U":
        return np.array(_as_bytes(value), object)
    return array.astype(np.float32 if array.dtype.kind == "f" else np.int32)


def _as_bytes(value):
    if isinstance(value, list):
        return [_as_bytes(item) for item in value]
    return value.encode()


def _message(response):
    try:
        return response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.reason}"
