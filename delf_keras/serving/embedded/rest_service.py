"""TensorFlow Serving's REST paths, answered by a `Predictor`."""

import asyncio
import functools

import grpc
import orjson
from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from delf_keras.serving.embedded import grpc_service, rest_codec
from delf_keras.serving.embedded.errors import RequestError
from delf_keras.serving.embedded.prediction import ModelSpec

_MODEL = "/v1/models/{model}"
_CLIENT_IS_GONE = 499


def rest_app(predictor, max_body_bytes):
    """Makes the application.

    Args:
        predictor: `Predictor`.
        max_body_bytes: int. Larger requests are refused while they are read.

    Returns:
        An ASGI application.
    """
    answers = {
        ("GET", ""): _status,
        ("GET", "/metadata"): _metadata,
        ("POST", ":predict"): functools.partial(
            _predict, max_body_bytes=max_body_bytes
        ),
    }
    routes = [
        Route(
            f"{_MODEL}{choice}{verb}",
            _endpoint(answer, predictor),
            methods=[method],
        )
        for (method, verb), answer in answers.items()
        for choice in ("", "/versions/{version:int}", "/labels/{label}")
    ]
    # A model's name would match what follows it.
    routes.reverse()
    return Starlette(
        routes=routes, exception_handlers={HTTPException: _http_error}
    )


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
    return _message(grpc_service.metadata(predictor, spec))


async def _predict(predictor, spec, request, max_body_bytes):
    body = await _read_body(request, max_body_bytes)
    try:
        content = rest_codec.read_request(body)
    except ValueError as error:
        raise RequestError(
            grpc.StatusCode.INVALID_ARGUMENT, str(error)
        ) from error
    _, signature, outputs = await _while_connected(
        request,
        predictor.predict(
            spec,
            content.get("signature_name", ""),
            lambda known: rest_codec.read_inputs(content, known),
        ),
    )
    return rest_codec.write_response(content, signature, outputs)


async def _read_body(request, max_bytes):
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            raise RequestError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"A request has at most {max_bytes} bytes",
            )
        parts.append(part)
    return b"".join(parts)


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
    return orjson.dumps(
        json_format.MessageToDict(
            proto,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
    )


def _json(body, status=200):
    return Response(body, status, media_type="application/json")


def _error(status, message):
    return _json(orjson.dumps({"error": message}), status)


async def _http_error(request, error):
    return _error(error.status_code, f"{error.detail}: {request.url.path}")
