"""A client of a served extractor, to be used in place of an `Extractor`."""

import re

from delf_keras.serving import contract
from delf_keras.serving.errors import ServerError
from delf_keras.serving.exported_source import ExportedSource
from delf_keras.serving.retrying import RetryOptions, with_retries

_ADDRESS = re.compile(
    r"((?:https?://.+?)|[^/]+?)"
    r"(?:(?:/v1)?/models/([^/]+)(?:/versions/(\d+)|/labels/([^/]+))?)?/?"
)


class Client(ExportedSource):
    """Extracts local features through TensorFlow Serving.

    It can stand in for an `Extractor`: what it extracts is the same, but
    decoded and computed by the server. What is extracted was fixed when the
    model was exported.

    Args:
        address: str. "host:port" for gRPC, "http://host:port" for REST. The
            next three may follow, as in "host:port/models/delf/versions/3"
            and "http://host:port/v1/models/delf/labels/stable".
        model: str. The name under which the model is served. Defaults to
            "delf".
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
        model=None,
        version=None,
        label=None,
        deadline_seconds=60.0,
        concurrency=8,
        retries=None,
    ):
        server, chosen = split_address(address)
        given = {"model": model, "version": version, "label": label}
        for name, value in given.items():
            if value is None:
                continue
            if chosen:
                raise ValueError(
                    "A model is chosen in the address or beside it. Received: "
                    f"address={address!r}, {name}={value!r}"
                )
        model, version, label = (chosen or given).values()
        model = model or contract.MODEL_NAME
        if version is not None and label is not None:
            raise ValueError(
                "Either a version or a label chooses what answers. "
                f"Received: version={version}, label={label!r}"
            )
        if version is not None and version not in contract.VERSIONS:
            raise ValueError(
                f"A version is a number of 64 bits. Received: {version}"
            )
        self.connection = {
            **given,
            "deadline_seconds": deadline_seconds,
            "concurrency": concurrency,
            "retries": retries,
        }
        self._retries = retries or RetryOptions()
        self._transport = _transport(
            server, model, version, label, deadline_seconds, concurrency
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


def split_address(address):
    """Splits what chooses a model from the address of a server.

    Args:
        address: str. See `Client`.

    Returns:
        A pair of the server's address and a dict of "model", "version" (int
        or None) and "label" (str or None), which is empty where the address
        chooses none.

    Raises:
        ValueError: if what follows the server is something else.
    """
    matched = _ADDRESS.fullmatch(address)
    if matched is None:
        raise ValueError(
            "A server is host:port or http://host:port, and may be followed "
            "by /models/NAME, and that by /versions/NUMBER or /labels/LABEL. "
            f"Received: {address!r}"
        )
    server, model, version, label = matched.groups()
    if model is None:
        return server, {}
    return server, {
        "model": model,
        "version": version and int(version),
        "label": label,
    }


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
