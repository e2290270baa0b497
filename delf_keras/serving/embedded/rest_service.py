"""TensorFlow Serving's REST paths, answered by a `Predictor`."""

import asyncio
import functools

import grpc
import orjson
from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.convertors import (
    IntegerConvertor,
    StringConvertor,
    register_url_convertor,
)
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route
from tensorflow_serving.apis import get_model_metadata_pb2

from delf_keras.serving.embedded import grpc_service, rest_codec
from delf_keras.serving.embedded.errors import RequestError
from delf_keras.serving.embedded.prediction import ModelSpec

_MODEL = "/v1/models/{model:name}"
_CLIENT_IS_GONE = 499


def rest_app(
    predictor, max_body_bytes, max_read_bytes=2**28, timeout_seconds=None
):
    """Makes the application.

    Args:
        predictor: `Predictor`.
        max_body_bytes: int. Larger requests are refused while they are read.
        max_read_bytes: int. Of all requests that are read at a time; more
            are refused.
        timeout_seconds: float. After which a prediction is given up.

    Returns:
        An ASGI application.
    """
    answers = {
        ("GET", ""): _status,
        ("GET", "/metadata"): _metadata,
        ("POST", ":predict"): functools.partial(
            _predict,
            bodies=_Bodies(max_body_bytes, max_read_bytes),
            timeout_seconds=timeout_seconds,
        ),
    }
    routes = [
        Route(
            f"{_MODEL}{choice}{verb}",
            _endpoint(answer, predictor),
            methods=[method],
        )
        for (method, verb), answer in answers.items()
        for choice in ("", "/versions/{version:int64}", "/labels/{label:name}")
    ]
    return Starlette(
        routes=routes,
        exception_handlers={HTTPException: _http_error, Exception: _unexpected},
    )


class _Name(StringConvertor):
    """A name ends where TensorFlow Serving lets it end."""

    regex = "[^/:]+"


class _Int64(IntegerConvertor):
    regex = "[0-9]{1,18}"


register_url_convertor("name", _Name())
register_url_convertor("int64", _Int64())


def _endpoint(answer, predictor):
    async def endpoint(request):
        spec = ModelSpec(
            request.path_params["model"],
            request.path_params.get("version"),
            request.path_params.get("label"),
        )
        try:
            return _json(await answer(predictor, spec, request))
        except RequestError as error:
            return _error(error.http_status, str(error))
        except ClientDisconnect:
            return Response(status_code=_CLIENT_IS_GONE)

    return endpoint


async def _status(predictor, spec, request):
    return _message(grpc_service.status(predictor, spec))


async def _metadata(predictor, spec, request):
    response = grpc_service.metadata(predictor, spec)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    return orjson.dumps(
        {
            "model_spec": {"signature_name": "", **_dict(response.model_spec)},
            "metadata": {"signature_def": _dict(signatures)},
        }
    )


async def _predict(predictor, spec, request, bodies, timeout_seconds):
    try:
        async with asyncio.timeout(timeout_seconds):
            # A body that does not come to an end holds memory.
            content = _content(await bodies.read(request))
            _, signature, outputs = await _while_connected(
                request,
                predictor.predict(
                    spec,
                    content.get("signature_name", ""),
                    lambda known: rest_codec.read_inputs(content, known),
                    timeout_seconds,
                ),
            )
    except TimeoutError as error:
        raise RequestError(
            grpc.StatusCode.DEADLINE_EXCEEDED,
            f"No answer within {timeout_seconds:g} seconds",
        ) from error
    return rest_codec.write_response(content, signature, outputs)


def _content(body):
    try:
        return rest_codec.read_request(body)
    except ValueError as error:
        raise RequestError(
            grpc.StatusCode.INVALID_ARGUMENT, str(error)
        ) from error


class _Bodies:
    """Reads requests, no more at a time than memory was given for."""

    def __init__(self, max_bytes, max_read_bytes):
        self._max_bytes = max_bytes
        self._max_read_bytes = max_read_bytes
        self._read_bytes = 0

    async def read(self, request):
        """Returns the bytes of the body."""
        parts, size = [], 0
        try:
            async for part in request.stream():
                size += len(part)
                self._read_bytes += len(part)
                self._check(size)
                parts.append(part)
            return b"".join(parts)
        finally:
            self._read_bytes -= size

    def _check(self, size):
        if size > self._max_bytes:
            raise HTTPException(
                413, f"A request has at most {self._max_bytes} bytes"
            )
        if self._read_bytes > self._max_read_bytes:
            raise RequestError(
                grpc.StatusCode.UNAVAILABLE,
                f"{self._max_read_bytes} bytes of requests are read already",
            )


async def _while_connected(request, coroutine):
    """Awaits an answer, and cancels it when the client is gone."""
    answer = asyncio.ensure_future(coroutine)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ClientDisconnect
        return answer.result()
    finally:
        gone.cancel()
        answer.cancel()


async def _disconnected(request):
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _message(proto):
    return orjson.dumps(_dict(proto))


def _dict(proto):
    return json_format.MessageToDict(
        proto,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )


def _json(body, status=200):
    return Response(body, status, media_type="application/json")


def _error(status, message):
    return _json(orjson.dumps({"error": message}), status)


async def _unexpected(request, error):
    # A client that reads JSON gets JSON. The server logs the error.
    return _error(500, f"{type(error).__name__}: {error}")


async def _http_error(request, error):
    # What has no route, as TensorFlow Serving puts it.
    if error.status_code in (404, 405):
        return _error(
            400, f"Malformed request: {request.method} {request.url.path}"
        )
    return _error(error.status_code, f"{error.detail}: {request.url.path}")
