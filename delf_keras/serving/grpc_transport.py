"""Requests to a server over gRPC."""

import tensorflow as tf

from delf_keras.serving.errors import (
    EXHAUSTED,
    TOO_LARGE,
    UNAVAILABLE,
    ServerError,
)

_SIGNATURES = "signature_def"


class GrpcTransport:
    """A channel to TensorFlow Serving or the embedded server.

    Args:
        address: str, "host:port".
        model: str. The model's name.
        version: int or None for the newest.
        label: str or None. Of a version.
        deadline_seconds: float. Of each request.
    """

    def __init__(self, address, model, version, label, deadline_seconds):
        import grpc
        from tensorflow_serving.apis import (
            model_service_pb2_grpc,
            prediction_service_pb2_grpc,
        )

        self._choice = model, version, label
        self._deadline = deadline_seconds
        self._channel = grpc.insecure_channel(
            address,
            options=[
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
                # We wait and try again ourselves, and no longer than that.
                ("grpc.enable_retries", 0),
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.min_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 1000),
            ],
        )
        self._rpc_error = grpc.RpcError
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(
            self._channel
        )
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(self, signature, inputs):
        """Sends a request; see `Client.predict`."""
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        self._choose(request.model_spec)
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        response = self._call(self._prediction.Predict, request)
        return {
            name: tf.make_ndarray(value)
            for name, value in response.outputs.items()
        }

    def metadata(self):
        """Returns a `SignatureDefMap`; see `Client.metadata`."""
        from tensorflow_serving.apis import get_model_metadata_pb2

        request = get_model_metadata_pb2.GetModelMetadataRequest(
            metadata_field=[_SIGNATURES]
        )
        self._choose(request.model_spec)
        response = self._call(self._prediction.GetModelMetadata, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[_SIGNATURES].Unpack(signatures)
        return signatures

    def status(self):
        """Returns a `GetModelStatusResponse`; see `Client.status`."""
        from tensorflow_serving.apis import get_model_status_pb2

        request = get_model_status_pb2.GetModelStatusRequest()
        self._choose(request.model_spec)
        return self._call(self._models.GetModelStatus, request)

    def close(self):
        """Closes the channel."""
        self._channel.close()

    def _choose(self, spec):
        spec.name, version, label = self._choice
        if version is not None:
            spec.version.value = version
        if label is not None:
            spec.version_label = label

    def _call(self, method, request):
        try:
            return method(request, timeout=self._deadline)
        except self._rpc_error as error:
            code = error.code().name
            # We cancel nothing: it is a server that ends which does.
            if code == "CANCELLED":
                code = UNAVAILABLE
            # gRPC has one status for a message that no server would take and
            # for a server that has too much to do.
            if code == EXHAUSTED and "larger than max" in error.details():
                code = TOO_LARGE
            raise ServerError(code, error.details()) from error
