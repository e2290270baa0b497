"""The server: how it starts, follows its folder, and stops."""

import asyncio
import importlib
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import requests
import uvicorn
from grpc_health.v1 import health_pb2, health_pb2_grpc

from delf_keras.serving import embedded
from delf_keras.serving.embedded.server import EmbeddedServer, ServerOptions

SECONDS = 30


def predict(server):
    """Returns the version that answers, over REST."""
    response = requests.post(
        f"http://{server.rest_address}/v1/models/toy:predict",
        json={"inputs": [[1, 2]]},
        timeout=SECONDS,
    )
    response.raise_for_status()
    return response.json()["outputs"]["version"][0]


def health(server):
    """Returns whether the server says that it serves, over gRPC."""
    with grpc.insecure_channel(server.grpc_address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        response = stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    return response.status == health_pb2.HealthCheckResponse.SERVING


def test_ports_of_its_choice(base, serve):
    """It answers from the moment that it has started."""
    servers = [serve(base) for _ in range(2)]
    addresses = {
        address
        for server in servers
        for address in (server.grpc_address, server.rest_address)
    }
    assert len(addresses) == 4
    for server in servers:
        assert predict(server) == 1 and health(server)


def test_clients_wait_until_rest_is_up(base, serve, monkeypatch):
    startup = uvicorn.Server.startup

    async def start_slowly(self, sockets=None):
        await asyncio.sleep(0.3)
        await startup(self, sockets)

    monkeypatch.setattr(uvicorn.Server, "startup", start_slowly)
    assert predict(serve(base)) == 1


def test_two_servers_share_no_port(base, serve):
    first = serve(base)
    for name, address in (
        ("grpc_port", first.grpc_address),
        ("rest_port", first.rest_address),
    ):
        port = {name: int(address.rpartition(":")[2])}
        options = ServerOptions(**({"grpc_port": 0, "rest_port": 0} | port))
        with pytest.raises(OSError, match=f"Received: {address}"):
            EmbeddedServer(base, options).start()


def test_host_that_is_not_here(base):
    options = ServerOptions(host="192.0.2.1", grpc_port=0, rest_port=0)
    with pytest.raises(OSError, match="Cannot listen.*192.0.2.1:0"):
        EmbeddedServer(base, options).start()


def test_nothing_to_serve(base, tmp_path):
    message = "version of an exported model is expected.*Received: "
    for folder in (tmp_path / "none", base / "1"):
        with pytest.raises(ValueError, match=f"{message}{folder}$"):
            EmbeddedServer(folder).start()
    (base / "1/saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=rf"{message}{base} \(.*damaged"):
        EmbeddedServer(base).start()


def test_follows_its_folder(base, publish, serve, until):
    server = serve(base)
    publish(base, 2)
    until(lambda: server.versions.available() == [2])
    assert predict(server) == 2
    (publish(base, 3) / "saved_model.pb").write_bytes(b"")
    publish(base, 4)
    until(lambda: server.versions.available() == [4])
    assert predict(server) == 4


def test_a_folder_that_cannot_be_read_for_a_while(
    base, publish, serve, until, monkeypatch, caplog
):
    server = serve(base)
    with monkeypatch.context() as patch:

        def present():
            raise PermissionError("not now")

        patch.setattr(server.versions, "present", present)
        until(lambda: "cannot be listed: not now" in caplog.text)
    publish(base, 2)
    until(lambda: server.versions.available() == [2])


def test_stop_answers_what_runs(base, serve, gate, until):
    """And takes no more, and says so to who watches its health."""
    server = serve(base)
    gate.close()
    with (
        grpc.insecure_channel(server.grpc_address) as channel,
        ThreadPoolExecutor() as pool,
    ):
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest()
        )
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        answer = pool.submit(predict, server)
        until(lambda: gate.calls)
        stop = pool.submit(server.stop)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
        until(lambda: refuses(server.rest_address))
        assert not answer.done() and not stop.done()
        gate.open()
        assert answer.result(SECONDS) == 1
        stop.result(SECONDS)
    assert refuses(server.grpc_address)


def refuses(address):
    """Whether nobody listens there any more."""
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), SECONDS).close()
    except ConnectionRefusedError:
        return True
    return False


def test_stop_waits_no_longer_than_the_grace_period(base, serve, gate, until):
    server = serve(base, grace_seconds=0.3)
    gate.close()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(predict, server)
        until(lambda: gate.calls)
        stop = pool.submit(server.stop)
        assert isinstance(answer.exception(SECONDS), requests.RequestException)
        # What TensorFlow computes cannot be interrupted.
        gate.open()
        stop.result(SECONDS)


def test_threads_end(base, serve):
    before = set(threading.enumerate())
    server = serve(base)
    assert predict(server) == 1
    assert set(threading.enumerate()) > before
    server.stop()
    left = {thread.name for thread in {*threading.enumerate()} - before}
    # gRPC keeps one for all servers.
    assert not left & {"serve", "poll", "batch-0", "batch-1"}
    # Once more does no harm.
    server.stop()


def test_clients_at_once_share_the_threads(base, serve):
    """However many there are."""
    server = serve(base)
    most = []
    with ThreadPoolExecutor(32) as pool:
        before = threading.active_count()
        futures = [pool.submit(predict, server) for _ in range(200)]
        while not all(future.done() for future in futures):
            most.append(threading.active_count())
            time.sleep(0.01)
    assert all(future.result() == 1 for future in futures)
    assert max(most) <= before + 32


def test_extra_that_is_missing(monkeypatch):
    for name in ("grpc", "uvicorn", "tensorflow_serving"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, None)
            with pytest.raises(ImportError, match=r"delf-keras\[serving\]"):
                importlib.reload(embedded)
    importlib.reload(embedded)
