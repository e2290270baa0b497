"""The embedded server: both protocols on one event loop."""

import asyncio
import contextlib
import logging
import socket
import threading
from dataclasses import dataclass, field

import grpc
import uvicorn
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from delf_keras.serving.contract import MODEL_NAME
from delf_keras.serving.embedded.batching import Batcher, BatchingOptions
from delf_keras.serving.embedded.grpc_service import (
    DecodingInterceptor,
    ModelService,
    PredictionService,
)
from delf_keras.serving.embedded.prediction import Predictor
from delf_keras.serving.embedded.rest_service import rest_app
from delf_keras.serving.embedded.versions import VersionManager, VersionPolicy

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerOptions:
    """How a model is served.

    Attributes:
        model_name: The name that clients ask for.
        host: Address to listen on.
        grpc_port: Port, 0 for any that is free.
        rest_port: Port, 0 for any that is free.
        policy: `VersionPolicy`.
        batching: `BatchingOptions`.
        max_message_bytes: Larger requests are refused.
        rest_timeout_seconds: After which a request over REST is given up;
            over gRPC the client says so.
        poll_seconds: How often the folder is looked at for new versions.
        grace_seconds: How long a stop waits for requests that run.
    """

    model_name: str = MODEL_NAME
    host: str = "127.0.0.1"
    grpc_port: int = 8500
    rest_port: int = 8501
    policy: VersionPolicy = field(default_factory=VersionPolicy)
    batching: BatchingOptions = field(default_factory=BatchingOptions)
    max_message_bytes: int = 64 * 2**20
    rest_timeout_seconds: float = 30.0
    poll_seconds: float = 1.0
    grace_seconds: float = 30.0


class EmbeddedServer:
    """Serves the versions of an exported model in a thread of this process.

    Args:
        base: str or `Path`. Folder of the versions.
        options: `ServerOptions`.

    Example:

    ```python
    with EmbeddedServer("models/delf", ServerOptions(grpc_port=0)) as server:
        client = delf_keras.serving.Client(server.grpc_address)
    ```
    """

    def __init__(self, base, options=None):
        self.options = options or ServerOptions()
        self.versions = VersionManager(base, self.options.policy)
        self.grpc_address = ""
        self.rest_address = ""
        self._batcher = Batcher(self.options.batching)
        self._started = threading.Event()
        self._stopping = threading.Event()
        self._failure = None
        self._loop = None
        self._stop = None
        self._threads = []

    def start(self):
        """Loads the model and listens.

        Raises:
            ValueError: if no version of the folder can be served.
            OSError: if a port is taken.
        """
        self.versions.refresh()
        if not self.versions.available():
            self._batcher.close()
            reasons = [s.error for s in self.versions.states.values()]
            raise ValueError(
                "A folder with a version of an exported model is expected, "
                "as `delf-keras export` writes it. "
                f"Received: {self.versions.base}"
                + (f" ({reasons[-1]})" if reasons else "")
            )
        for name, target in (("serve", self._run), ("poll", self._poll)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        self._started.wait()
        if self._failure is not None:
            self.stop()
            raise self._failure

    def stop(self):
        """Takes no more requests, and ends when those that run are answered.

        They have the grace period for it.
        """
        self._stopping.set()
        if self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._stop.set)
        for thread in self._threads:
            thread.join()
        self._batcher.close()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.stop()

    def _poll(self):
        while not self._stopping.wait(self.options.poll_seconds):
            # A folder that cannot be read now may be readable later.
            try:
                self.versions.refresh()
            except OSError as error:
                logger.error("The versions cannot be listed: %s", error)

    def _run(self):
        try:
            asyncio.run(self._serve())
        except Exception as error:
            if self._started.is_set():
                raise
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self):
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        options = self.options
        predictor = Predictor(options.model_name, self.versions, self._batcher)
        with _listening_socket(options.host, options.rest_port) as rest_socket:
            grpc_server, health_servicer = await self._start_grpc(predictor)
            rest_server = _UvicornServer(predictor, options)
            rest = asyncio.create_task(rest_server.serve([rest_socket]))
            self.rest_address = f"{options.host}:{rest_socket.getsockname()[1]}"
            self._started.set()
            await self._stop.wait()
            await health_servicer.enter_graceful_shutdown()
            rest_server.should_exit = True
            await asyncio.gather(grpc_server.stop(options.grace_seconds), rest)

    async def _start_grpc(self, predictor):
        options = self.options
        server = grpc.aio.server(
            interceptors=[DecodingInterceptor()],
            options=[
                ("grpc.max_receive_message_length", options.max_message_bytes),
                ("grpc.max_send_message_length", -1),
                # Otherwise two servers could share a port unawares.
                ("grpc.so_reuseport", 0),
            ],
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(predictor, options.max_message_bytes), server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(predictor), server
        )
        health_servicer = health.aio.HealthServicer()
        await health_servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
        address = f"{options.host}:{options.grpc_port}"
        try:
            port = server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"Cannot listen. Received: {address}") from error
        await server.start()
        self.grpc_address = f"{options.host}:{port}"
        return server, health_servicer


class _UvicornServer(uvicorn.Server):
    """uvicorn, as a task beside others: signals are not its business."""

    def __init__(self, predictor, options):
        super().__init__(
            uvicorn.Config(
                rest_app(
                    predictor,
                    options.max_message_bytes,
                    max(
                        options.batching.max_queued_bytes,
                        options.max_message_bytes,
                    ),
                    options.rest_timeout_seconds,
                ),
                log_config=None,
                # Whoever sends broken requests would fill the log with as many
                # warnings.
                log_level="error",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=options.grace_seconds,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self):
        yield


def _listening_socket(host, port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # From now on clients are not refused, but wait.
        listener.listen()
    except OSError as error:
        listener.close()
        raise OSError(
            f"Cannot listen ({error.strerror}). Received: {host}:{port}"
        ) from error
    return listener
