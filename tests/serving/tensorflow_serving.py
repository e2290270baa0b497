"""Servers that the contract of serving is tested on.

The embedded server is always one. TensorFlow Serving is another where
`tensorflow_model_server` is on the PATH, or where TF_SERVING_ADDRESS,
"host:grpc_port,host:rest_port", names one that serves the folder
TF_SERVING_BASE, an export, as `delf`.
"""

import contextlib
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from delf_keras.serving import Client
from delf_keras.serving.embedded.server import EmbeddedServer, ServerOptions
from delf_keras.serving.embedded.versions import VersionPolicy
from delf_keras.serving.retrying import RetryOptions

PROGRAM = "tensorflow_model_server"
ADDRESS = os.environ.get("TF_SERVING_ADDRESS", "")
KINDS = ["embedded", "tensorflow_serving"]
_BATCHING = Path(__file__).parents[2] / "export/batching.config"


@dataclass(frozen=True)
class Served:
    """A server that answers.

    Attributes:
        base: Folder of the versions that it serves.
        addresses: dict of "grpc" and "rest" to the address for a `Client`.
        labels: dict of label to version.
    """

    base: Path
    addresses: dict
    labels: dict = field(default_factory=dict)


@contextlib.contextmanager
def serve(kind, base, labels):
    """Serves a folder: the versions that have labels, or else the newest."""
    if kind == "embedded":
        with _embedded(base, labels) as served:
            yield served
    elif ADDRESS:
        yield _elsewhere(labels)
    elif shutil.which(PROGRAM):
        with _program(base, labels) as served:
            yield served
    else:
        pytest.skip(f"{PROGRAM} is not on the PATH, nor TF_SERVING_ADDRESS set")


@contextlib.contextmanager
def _embedded(base, labels):
    options = ServerOptions(
        grpc_port=0,
        rest_port=0,
        poll_seconds=0.1,
        policy=VersionPolicy(tuple(labels.values()), labels),
    )
    with EmbeddedServer(base, options) as server:
        yield Served(
            base, _addresses(server.grpc_address, server.rest_address), labels
        )


def _elsewhere(labels):
    if not labels:
        pytest.skip("The folder of TF_SERVING_ADDRESS is not to be changed")
    base = os.environ.get("TF_SERVING_BASE")
    if not base:
        pytest.skip("TF_SERVING_BASE does not name what is served")
    return Served(Path(base), _addresses(*ADDRESS.split(",")))


@contextlib.contextmanager
def _program(base, labels):
    config = base.parent / f"{base.name}.config"
    config.write_text(_model_config(base, labels))
    ports = _free_ports(2)
    command = [
        PROGRAM,
        f"--port={ports[0]}",
        f"--rest_api_port={ports[1]}",
        f"--model_config_file={config}",
        "--allow_version_labels_for_unavailable_models=true",
        "--file_system_poll_wait_seconds=1",
        "--enable_batching=true",
        f"--batching_parameters_file={_BATCHING}",
        "--enable_grpc_healthcheck_service=true",
    ]
    with (
        open(base.parent / f"{base.name}.log", "w") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            addresses = _addresses(*(f"127.0.0.1:{port}" for port in ports))
            for address in addresses.values():
                # It tries again until the server is there.
                Client(address, retries=RetryOptions(60)).close()
            yield Served(base, addresses, labels)
        finally:
            process.terminate()


def _model_config(base, labels):
    policy = "".join(
        f"version_labels {{ key: '{label}' value: {version} }}\n"
        for label, version in labels.items()
    )
    if labels:
        versions = " ".join(f"versions: {v}" for v in labels.values())
        policy += f"model_version_policy {{ specific {{ {versions} }} }}\n"
    return (
        "model_config_list { config {\n"
        f"name: 'delf' base_path: '{base}' model_platform: 'tensorflow'\n"
        f"{policy}}} }}\n"
    )


def _addresses(grpc_address, rest_address):
    return {"grpc": grpc_address, "rest": f"http://{rest_address}"}


def _free_ports(count):
    with contextlib.ExitStack() as sockets:
        listeners = [
            sockets.enter_context(socket.socket()) for _ in range(count)
        ]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]
