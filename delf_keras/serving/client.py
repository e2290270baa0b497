"""A client of a served extractor, to be used in place of an `Extractor`."""

from delf_keras.serving import contract
from delf_keras.serving.errors import ServerError
from delf_keras.serving.exported_source import ExportedSource
from delf_keras.serving.retrying import RetryOptions, with_retries


class Client(ExportedSource):
    """Extracts local features through TensorFlow Serving.

    It can stand in for an `Extractor`: what it extracts is the same, but
    decoded and computed by the server. What is extracted was fixed when the
    model was exported.

    Args:
        address: str. "host:port" for gRPC, "http://host:port" for REST.
        model: str. The name under which the model is served.
        version: int. Defaults to the newest that is served.
        label: str. Of a version, in place of its number.
        deadline_seconds: float. Of each request.
        concurrency: int. Photographs under way at a time.
        retries: `RetryOptions`, for a server that is unavailable.

    Attributes:
        address: str.
        connection: dict of the other arguments, with which another machine
            can make a client like this one.

    Raises:
        ServerError: if the server cannot be reached, or refuses a request.
        ValueError: if what it serves is not an exported extractor.

    Example:

    ```python
    client = delf_keras.serving.Client("localhost:8500")
    features = client.extract("photograph.jpg")
    features.locations.shape  # (1000, 2), (y, x) in pixels
    ```
    """

    def __init__(
        self,
        address,
        *,
        model=contract.MODEL_NAME,
        version=None,
        label=None,
        deadline_seconds=60.0,
        concurrency=8,
        retries=None,
    ):
        if version is not None and label is not None:
            raise ValueError(
                "Either a version or a label chooses what answers. "
                f"Received: version={version}, label={label!r}"
            )
        self.connection = {
            "model": model,
            "version": version,
            "label": label,
            "deadline_seconds": deadline_seconds,
            "concurrency": concurrency,
            "retries": retries,
        }
        self._retries = retries or RetryOptions()
        self._transport = _transport(
            address, model, version, label, deadline_seconds, concurrency
        )
        super().__init__(address, concurrency)

    def predict(self, inputs, signature=contract.EXTRACT):
        """Calls a signature of the model; see `ExportedSource.predict`.

        Raises:
            ServerError: if the server cannot be reached, or refuses.
        """
        return self._retried(lambda: self._transport.predict(signature, inputs))

    def metadata(self):
        """Returns the signatures served, a `SignatureDefMap`."""
        return self._retried(self._transport.metadata)

    def status(self):
        """Returns the versions and states, a `GetModelStatusResponse`."""
        return self._retried(self._transport.status)

    def close(self):
        """Closes the connections."""
        self._transport.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _retried(self, call):
        try:
            return with_retries(call, self._retries)
        except ServerError as error:
            raise error.advised(self.address) from error


def _transport(address, model, version, label, deadline_seconds, concurrency):
    try:
        if address.startswith(("http://", "https://")):
            from delf_keras.serving.rest_transport import RestTransport

            return RestTransport(
                address, model, version, label, deadline_seconds, concurrency
            )
        from delf_keras.serving.grpc_transport import GrpcTransport

        return GrpcTransport(address, model, version, label, deadline_seconds)
    except ModuleNotFoundError as error:
        raise ImportError(
            'A client of a server needs: pip install "delf-keras[serving]". '
            f"Received: {error}"
        ) from error
