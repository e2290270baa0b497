"""Servers that are put to the contract: starting them, and asking them."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tensorflow_serving.apis import get_model_status_pb2

from delf_keras.serving.contract import MODEL_NAME
from delf_keras.serving.embedded.server import EmbeddedServer, ServerOptions
from delf_keras.serving.embedded.versions import VersionPolicy
from delf_keras.serving.errors import ServerError
from delf_keras.serving.grpc_transport import GrpcTransport
from delf_keras.serving.rest_transport import RestTransport

SECONDS = 60
STATES = get_model_status_pb2.ModelVersionStatus
_BINARY = shutil.which("tensorflow_model_server")
_BATCHING = """\
max_batch_size { value: 4 }
batch_timeout_micros { value: 0 }
num_batch_threads { value: 2 }
max_enqueued_batches { value: 100 }
"""


@dataclass(frozen=True)
class Served:
    """Where a server is, and the folder of its versions."""

    grpc: str
    rest: str
    base: Path

    def caller(self, protocol, version=None, label=None):
        """Returns what sends requests to it, to be closed."""
        choice = MODEL_NAME, version, label, SECONDS
        if protocol == "grpc":
            return contextlib.closing(GrpcTransport(self.grpc, *choice))
        address = f"http://{self.rest}"
        return contextlib.closing(RestTransport(address, *choice, 4))

    def states(self, protocol="grpc"):
        """Returns a dict of version to state, empty if there is no answer."""
        with self.caller(protocol) as caller:
            try:
                entries = caller.status().model_version_status
            except ServerError:
                return {}
        return {entry.version: entry.state for entry in entries}

    def serves(self, versions):
        """Whether all of the versions, and no other, can be asked for."""
        return all(
            {v for v, s in self.states(p).items() if s == STATES.AVAILABLE}
            == set(versions)
            for p in ("grpc", "rest")
        )


@contextlib.contextmanager
def launch(kind, base, versions, labels, folder):
    """Serves some versions of a folder.

    Args:
        kind: str, "embedded" or "tensorflow_serving".
        base: `Path` of the versions.
        versions: tuple of int, empty for the newest.
        labels: dict of str to int.
        folder: `Path` for files of the server's.

    Yields:
        `Served`.
    """
    start = _embedded if kind == "embedded" else _tensorflow_serving
    with start(base, versions, labels, folder) as served:
        wait_until(lambda: served.serves(versions or [newest(base)]))
        yield served


def elsewhere():
    """Returns the server that the environment names."""
    if "TF_SERVING_ADDRESS" not in os.environ:
        pytest.skip("TF_SERVING_ADDRESS names no server")
    addresses = os.environ["TF_SERVING_ADDRESS"].split(",")
    return Served(*addresses, Path(os.environ["TF_SERVING_BASE"]))


def newest(base):
    """Returns the highest version of a folder."""
    return max(int(f.name) for f in base.iterdir() if f.name.isdecimal())


def wait_until(condition):
    """Waits until something is so, or fails."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "It did not come to be so in time"
        time.sleep(0.05)


def strings(*contents):
    """Returns the inputs of a request for some files."""
    return {"image_bytes": np.array(contents, object)}


@contextlib.contextmanager
def asking(served, content):
    """Asks without pause, and fails if an answer does.

    Yields:
        A function that says whether all clients have had an answer of a
        number of features.
    """
    protocols = ["grpc", "rest"] * 2
    answers = [[] for _ in protocols]
    ended = threading.Event()

    def ask(protocol, seen):
        with served.caller(protocol) as caller:
            while not ended.is_set():
                outputs = caller.predict("", strings(content))
                seen.append(outputs["descriptors"].shape[1])

    def all_saw(features):
        # One that failed is reported at the end, not waited for.
        return any(client.done() for client in clients) or all(
            features in seen for seen in answers
        )

    with ThreadPoolExecutor(len(protocols)) as pool:
        clients = [
            pool.submit(ask, protocol, seen)
            for protocol, seen in zip(protocols, answers, strict=True)
        ]
        try:
            yield all_saw
        finally:
            ended.set()
        for client in clients:
            client.result()
    # Once the new version has answered, the old does so no more.
    for seen in answers:
        assert seen == sorted(seen, reverse=True)


@contextlib.contextmanager
def _embedded(base, versions, labels, folder):
    options = ServerOptions(
        grpc_port=0,
        rest_port=0,
        poll_seconds=0.2,
        policy=VersionPolicy(versions, labels),
    )
    with EmbeddedServer(base, options) as server:
        yield Served(server.grpc_address, server.rest_address, base)


@contextlib.contextmanager
def _tensorflow_serving(base, versions, labels, folder):
    if not _BINARY:
        pytest.skip("tensorflow_model_server is not on the PATH")
    (folder / "models.config").write_text(_config(base, versions, labels))
    (folder / "batching.config").write_text(_BATCHING)
    grpc_port, rest_port = _free_port(), _free_port()
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(
            [
                _BINARY,
                f"--port={grpc_port}",
                f"--rest_api_port={rest_port}",
                f"--model_config_file={folder / 'models.config'}",
                "--file_system_poll_wait_seconds=1",
                "--allow_version_labels_for_unavailable_models=true",
                "--enable_batching",
                f"--batching_parameters_file={folder / 'batching.config'}",
                "--enable_grpc_healthcheck_service=true",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield Served(f"localhost:{grpc_port}", f"localhost:{rest_port}", base)
    finally:
        process.terminate()
        process.wait()


def _config(base, versions, labels):
    """Returns a `models.config`."""
    fields = [f'name: "{MODEL_NAME}"', f'base_path: "{base}"']
    fields += ['model_platform: "tensorflow"']
    if versions:
        numbers = " ".join(f"versions: {version}" for version in versions)
        fields += [f"model_version_policy {{ specific {{ {numbers} }} }}"]
    fields += [
        f'version_labels {{ key: "{label}" value: {version} }}'
        for label, version in labels.items()
    ]
    return f"model_config_list {{ config {{ {' '.join(fields)} }} }}"


def _free_port():
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]
