"""What befalls a server: clients that vanish, bad photographs, its own end."""

import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from urllib.parse import urlsplit

import numpy as np
from serving_clients import (
    PREDICT,
    Photograph,
    grpc_body,
    grpc_channel,
    rest_body,
    run_clients,
)

from delf_keras.serving import Client, contract
from delf_keras.serving.errors import ServerError
from delf_keras.serving.retrying import RetryOptions

CLIENTS = 4
_LONGEST_WAIT_SECONDS = 600
# Until the server runs again.
_RETRIES = RetryOptions(retries=60)


def corrupt_tenth(server, photographs, count):
    """Sends photographs, each tenth cut in half.

    Args:
        server: `ServerProcess`.
        photographs: list of `Photograph`.
        count: int. Requests by each protocol.

    Returns:
        dict of figures. An answer fails that is not as it would be alone.
    """
    mixed = list(islice(cycle(photographs), count))
    for number in range(0, count, 10):
        contents = mixed[number].contents
        mixed[number] = Photograph(
            contents[: len(contents) // 2], contract.CORRUPT
        )
    return {
        protocol: {
            "failed": len(
                run_clients(protocol, address, mixed, CLIENTS, count).errors
            )
        }
        for protocol, address in server.addresses.items()
    }


def vanishing_clients(server, photographs, count):
    """Breaks connections in the middle of requests, while others are answered.

    Args:
        server: `ServerProcess`.
        photographs: list of `Photograph`.
        count: int. Requests of the others, by each protocol.

    Returns:
        dict of figures.
    """
    with ThreadPoolExecutor() as pool:
        others = [
            pool.submit(
                run_clients, protocol, address, photographs, CLIENTS, count
            )
            for protocol, address in server.addresses.items()
        ]
        broken = 0
        for photograph in cycle(photographs):
            _vanish_from_rest(server.addresses["rest"], photograph, 0.5)
            _vanish_from_rest(server.addresses["rest"], photograph, 1.0)
            _vanish_from_grpc(server.addresses["grpc"], photograph)
            broken += 3
            if all(other.done() for other in others):
                break
    return {
        "broken_connections": broken,
        "failed": sum(len(other.result().errors) for other in others),
    }


def killed_server(server, paths, count):
    """Kills the server under load, and starts it again.

    Args:
        server: `ServerProcess`.
        paths: list of `Path`. Photographs.
        count: int. Photographs that are extracted, by each protocol.

    Returns:
        dict of figures. An answer fails that does not come, or is not equal
        to the first of the same photograph.
    """
    paths = list(islice(cycle(paths), count))
    under_way = threading.Barrier(
        1 + len(server.addresses), timeout=_LONGEST_WAIT_SECONDS
    )
    with ThreadPoolExecutor() as pool:
        answers = [
            pool.submit(_extract, address, paths, under_way)
            for address in server.addresses.values()
        ]
        under_way.wait()
        server.kill()
        start = time.perf_counter()
        server.start()
        seconds = time.perf_counter() - start
    return {
        "restart_seconds": seconds,
        "failed": sum(
            count - _right(paths, answer.result()) for answer in answers
        ),
    }


def _vanish_from_rest(address, photograph, share):
    """Sends a share of a request, then resets the connection."""
    url, body = urlsplit(address), rest_body(photograph.contents)
    head = (
        f"POST /v1/models/{contract.MODEL_NAME}:predict HTTP/1.1\r\n"
        f"Host: {url.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((url.hostname, url.port)) as connection:
        connection.sendall(head.encode() + body[: int(share * len(body))])
        time.sleep(0.02)
        connection.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )


def _vanish_from_grpc(address, photograph):
    with grpc_channel(address) as channel:
        channel.unary_unary(PREDICT).future(grpc_body(photograph.contents))
        time.sleep(0.02)


def _extract(address, paths, under_way):
    """Returns the features of photographs, as far as the server gave them."""
    features = []
    try:
        with Client(address, retries=_RETRIES) as client:
            for _, answer in client.extract_each(paths):
                features.append(answer)
                if len(features) == len(paths) // 4:
                    under_way.wait()
    except ServerError:
        under_way.abort()
    return features


def _right(paths, answers):
    """Counts the answers that equal the first of the same photograph."""
    first = {}
    return sum(
        _are_equal(
            answer.descriptors, first.setdefault(path, answer.descriptors)
        )
        for path, answer in zip(paths, answers, strict=False)
    )


def _are_equal(descriptors, others):
    return descriptors.shape == others.shape and np.allclose(
        descriptors, others, atol=1e-4
    )
