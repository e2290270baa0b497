"""The verb `serve`, as the process that a user starts."""

import contextlib
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass

import numpy as np
import pytest

from delf_keras.serving import Client
from delf_keras.serving.embedded import server
from delf_keras.serving.embedded.batching import BatchingOptions
from delf_keras.serving.embedded.server import ServerOptions
from delf_keras.serving.embedded.versions import VersionManager, VersionPolicy

COMMAND = sys.executable, "-m", "delf_keras.cli.main", "serve"
SECONDS = 100


@dataclass(frozen=True)
class Serving:
    """A server's process, once it is ready.

    Attributes:
        process: `subprocess.Popen`.
        line: What it printed.
        grpc: Address for a `Client`.
        rest: Address for a `Client`.
    """

    process: subprocess.Popen
    line: str
    grpc: str
    rest: str

    def stop(self):
        """Tells it to end, and returns what else it wrote, on both streams."""
        self.process.terminate()
        return self.process.communicate(timeout=SECONDS)


@contextlib.contextmanager
def serving(*flags):
    """Starts a server on ports of its choice, and yields a `Serving`."""
    with subprocess.Popen(
        [*COMMAND, *flags, "--grpc_port=0", "--rest_port=0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        timer = threading.Timer(SECONDS, process.kill)
        timer.start()
        try:
            line = process.stdout.readline()
            found = re.search(r"gRPC (\S+), REST (http://[^/\s]+)/", line)
            assert found, process.communicate()
            yield Serving(process, line, *found.groups())
        finally:
            timer.cancel()
            process.kill()


@pytest.fixture(scope="module")
def model(finish, small, tmp_path_factory):
    """A folder of versions that `delf-keras export` wrote."""
    base = tmp_path_factory.mktemp("served") / "delf"
    assert finish("export", *small, f"--output={base}").code == 0
    return base


def answers(address):
    """Whether a server answers."""
    with Client(address) as client:
        outputs = client.predict({"image_bytes": np.array([b"none"], object)})
    return outputs["status"] == [b"corrupt"]


def test_serves_until_it_is_told_to_end(model):
    with serving(f"--model={model}", "--grace_seconds=20") as serves:
        assert serves.line == (
            f"Serving delf, versions [1]: gRPC {serves.grpc}, "
            f"REST {serves.rest}/v1/models/delf\n"
        )
        assert answers(serves.grpc) and answers(serves.rest)
        _disconnect_abruptly(serves)
        assert _answer_to_nonsense(serves).startswith(b"HTTP/1.1 400 ")
        assert answers(serves.grpc) and answers(serves.rest)
        out, err = serves.stop()

    assert serves.process.returncode == 0
    assert out == "" and err == "Version 1 is served.\n"


def _disconnect_abruptly(serves):
    """Connects to both ports as clients that are broken or killed."""
    head = (
        b"POST /v1/models/delf:predict HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Length: 1000\r\n\r\n"
    )
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)
    reset_at_close = struct.pack("ii", 1, 0)
    for address in (serves.grpc, serves.rest.removeprefix("http://")):
        host, port = address.split(":")
        for sent in (b"", head, head + b'{"instances"', preface):
            with socket.create_connection((host, int(port))) as client:
                client.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, reset_at_close
                )
                client.sendall(sent)


def _answer_to_nonsense(serves):
    host, port = serves.rest.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"nonsense\r\n\r\n")
        return client.recv(1000)


@pytest.fixture
def restored_signals():
    """Signals are as before when the test ends."""
    numbers = signal.SIGTERM, signal.SIGINT
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Recorder:
    """Stands in for `EmbeddedServer`, and gets a signal once it is started.

    Attributes:
        arguments: What each was made of.
    """

    arguments = []
    grpc_address = rest_address = "nowhere"
    number = signal.SIGTERM

    def __init__(self, *arguments):
        self.arguments.append(arguments)
        self.versions = VersionManager(".")

    def __enter__(self):
        signal.raise_signal(self.number)
        return self

    def __exit__(self, *exception):
        pass


@pytest.fixture
def recorder(monkeypatch, restored_signals):
    """`Recorder`, in the server's place."""
    monkeypatch.setattr(Recorder, "arguments", [])
    monkeypatch.setattr(server, "EmbeddedServer", Recorder)
    return Recorder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals(command, recorder, monkeypatch, number):
    monkeypatch.setattr(recorder, "number", number)
    finished = command("serve", "--model=m")
    assert finished.code == 0 and finished.err == ""
    assert recorder.arguments == [("m", ServerOptions())]


def test_flags(command, recorder):
    flags = (
        "--model_name=places",
        "--host=0.0.0.0",
        "--grpc_port=1",
        "--rest_port=2",
        "--versions=3,4",
        "--labels=stable:3,a:b:4",
        "--max_batch_size=5",
        "--batch_timeout_ms=6",
        "--threads=7",
        "--max_queued=8",
        "--max_message_mb=9",
        "--poll_seconds=10",
        "--grace_seconds=11",
    )
    assert command("serve", "--model=m", *flags).code == 0
    options = ServerOptions(
        model_name="places",
        host="0.0.0.0",
        grpc_port=1,
        rest_port=2,
        policy=VersionPolicy((3, 4), {"stable": 3, "a:b": 4}),
        batching=BatchingOptions(
            max_batch_size=5, timeout_seconds=0.006, threads=7, max_queued=8
        ),
        max_message_bytes=9 * 2**20,
        poll_seconds=10.0,
        grace_seconds=11.0,
    )
    assert recorder.arguments == [("m", options)]


def test_no_model(refused, restored_signals, tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        message = refused("serve", f"--model={folder}")
        assert message.startswith("A folder with a version of an exported")
        assert message.endswith(f"Received: {folder}")


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--versions=1,new", "whole numbers, as 1,2.*'new'"),
        ("--labels=stable", "as stable:1,canary:2.*'stable'"),
        ("--labels=stable:one", "as stable:1,canary:2.*'stable:one'"),
        ("--labels=stable:2", "Received: stable:2"),
    ],
)
def test_wrong_versions(refused, flag, message):
    received = refused("serve", "--model=m", "--versions=1", flag)
    assert re.search(message, received)


@pytest.mark.parametrize(
    "flag",
    [
        "--grpc_port=-1",
        "--rest_port=65536",
        "--threads=0",
        "--max_batch_size=0",
        "--max_message_mb=2048",
        "--batch_timeout_ms=-1",
        "--poll_seconds=0",
    ],
)
def test_wrong_numbers(refused, flag):
    message = refused("serve", "--model=m", flag, code=2)
    assert flag.split("=")[0].removeprefix("--") in message
