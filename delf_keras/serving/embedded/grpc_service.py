"""TensorFlow Serving's gRPC services, answered by a `Predictor`."""

import functools
import inspect
import logging
import math

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from delf_keras.serving.embedded.errors import RequestError
from delf_keras.serving.embedded.prediction import ModelSpec

logger = logging.getLogger(__name__)

_SIGNATURES = "signature_def"


def _answers(method):
    """Turns a `RequestError` of a method into its status."""

    @functools.wraps(method)
    async def answer(self, request, context):
        try:
            return await method(self, request, context)
        except RequestError as error:
            await context.abort(error.code, str(error))
        except Exception as error:
            logger.exception("A request failed")
            await context.abort(
                grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}"
            )

    return answer


class DecodingInterceptor(grpc.aio.ServerInterceptor):
    """Refuses bytes that are no message.

    gRPC would log them as a failure of its own, with a traceback.
    """

    async def intercept_service(self, continuation, handler_call_details):
        """Returns the handler of a method, which decodes by itself."""
        handler = await continuation(handler_call_details)
        if handler is None or not inspect.iscoroutinefunction(
            handler.unary_unary
        ):
            return handler

        async def answer(data, context):
            try:
                request = handler.request_deserializer(data)
            except DecodeError as error:
                await context.abort(
                    grpc.StatusCode.INVALID_ARGUMENT, str(error)
                )
            return await handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(
            answer, response_serializer=handler.response_serializer
        )


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; what DELF has no use for is unimplemented.

    Args:
        predictor: `Predictor`.
        max_tensor_bytes: int. Larger inputs are refused.
    """

    def __init__(self, predictor, max_tensor_bytes):
        self._predictor = predictor
        self._max_tensor_bytes = max_tensor_bytes

    @_answers
    async def Predict(self, request, context):
        """Answers a `PredictRequest`."""
        name = request.model_spec.signature_name
        version, spec, outputs = await self._predictor.predict(
            model_spec(request.model_spec),
            name,
            lambda spec: {
                key: _array(value, self._max_tensor_bytes)
                for key, value in request.inputs.items()
            },
            context.time_remaining(),
        )
        response = predict_pb2.PredictResponse()
        _fill(response.model_spec, self._predictor.name, version)
        response.model_spec.signature_name = name or "serving_default"
        for key in _asked_for(request.output_filter, spec):
            response.outputs[key].CopyFrom(tf.make_tensor_proto(outputs[key]))
        return response

    @_answers
    async def GetModelMetadata(self, request, context):
        """Answers with the signatures of a version."""
        if list(request.metadata_field) != [_SIGNATURES]:
            raise RequestError(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"The metadata field is {_SIGNATURES}. "
                f"Received: {list(request.metadata_field)}",
            )
        return metadata(self._predictor, model_spec(request.model_spec))


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus; versions are chosen by folder and flags alone.

    Args:
        predictor: `Predictor`.
    """

    def __init__(self, predictor):
        self._predictor = predictor

    @_answers
    async def GetModelStatus(self, request, context):
        """Answers with the states of the versions."""
        return status(self._predictor, model_spec(request.model_spec))


def model_spec(proto):
    """Returns the `ModelSpec` of a proto."""
    choice = proto.WhichOneof("version_choice")
    return ModelSpec(
        proto.name,
        proto.version.value if choice == "version" else None,
        proto.version_label if choice == "version_label" else None,
    )


def metadata(predictor, spec):
    """Returns a `GetModelMetadataResponse` of the signatures.

    Args:
        predictor: `Predictor`.
        spec: `ModelSpec`.
    """
    with predictor.use(spec) as (version, servable):
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        _fill(response.model_spec, predictor.name, version)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, definition in servable.signature_defs.items():
            signatures.signature_def[name].CopyFrom(definition)
        response.metadata[_SIGNATURES].Pack(signatures)
    return response


def status(predictor, spec):
    """Returns a `GetModelStatusResponse` of one version or all.

    Args:
        predictor: `Predictor`.
        spec: `ModelSpec`.

    Raises:
        RequestError: if no such version has been seen.
    """
    predictor.check_name(spec.name)
    versions = predictor.versions
    states = dict(versions.states)
    if spec.label is not None:
        with predictor.use(spec) as (version, _):
            states = {version: states[version]}
    elif spec.version is not None:
        if spec.version not in states:
            raise RequestError(
                grpc.StatusCode.NOT_FOUND,
                f"Versions are {sorted(states)}. Received: {spec.version}",
            )
        states = {spec.version: states[spec.version]}
    response = get_model_status_pb2.GetModelStatusResponse()
    codes = get_model_status_pb2.ModelVersionStatus.State
    for version in sorted(states, reverse=True):
        entry = response.model_version_status.add()
        entry.version = version
        entry.state = codes.Value(states[version].state)
        entry.status.SetInParent()
        if states[version].error:
            entry.status.error_code = tf.errors.INVALID_ARGUMENT
            entry.status.error_message = states[version].error
    return response


def _array(proto, max_bytes):
    """Returns the array of a tensor, unless it would fill memory.

    A single value stands for as many as the shape has.
    """
    shape = [dimension.size for dimension in proto.tensor_shape.dim]
    dtype = np.dtype(tf.as_dtype(proto.dtype).as_numpy_dtype)
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or size > max_bytes:
        raise ValueError(
            f"A tensor has at most {max_bytes} bytes. Received: shape={shape}"
        )
    return tf.make_ndarray(proto)


def _fill(proto, name, version):
    proto.name = name
    proto.version.value = version


def _asked_for(output_filter, spec):
    unknown = set(output_filter) - spec.outputs.keys()
    if unknown:
        raise RequestError(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"Outputs are {sorted(spec.outputs)}. Received: {sorted(unknown)}",
        )
    return list(output_filter) or list(spec.outputs)
