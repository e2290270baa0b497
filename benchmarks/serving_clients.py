"""Clients that load a server, and what they saw.

A way of calling is a function of an address that returns `send`, a function
from the bytes of a photograph to its status. Each client calls it once, and so
has a connection of its own. Requests are encoded once, and of an answer no
more is read than its status: on one machine, work of the clients takes from
the server.
"""

import base64
import functools
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice

import grpc
import numpy as np
import requests
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from delf_keras.serving import contract

PREDICT = "/tensorflow.serving.PredictionService/Predict"
_DEADLINE_SECONDS = 120
_STATUS = re.compile(rb'"status":\s*\[\s*"(\w*)"')


@dataclass(frozen=True)
class Photograph:
    """The bytes of a photograph, and the status that is the right answer."""

    contents: bytes
    status: str = contract.OK


@dataclass(frozen=True)
class Load:
    """What clients saw of a server.

    Attributes:
        seconds: From the first request to the last answer.
        latencies: float array, seconds of each request.
        errors: list of str, what was wrong with those that failed.
    """

    seconds: float
    latencies: np.ndarray
    errors: list

    @property
    def rate(self):
        """Answers in a second."""
        return len(self.latencies) / self.seconds

    def figures(self):
        """Returns what is recorded, a dict of numbers."""
        shares = {f"p{q}_ms": q for q in (50, 95, 99)}
        return {
            "requests_per_second": self.rate,
            "failed": len(self.errors),
        } | {
            name: 1000 * float(np.percentile(self.latencies, q))
            for name, q in shares.items()
        }


def run_clients(call, address, photographs, clients, count):
    """Sends photographs in turn from several clients at a time.

    Args:
        call: str, one of `CALLS`.
        address: str. What the way of calling takes.
        photographs: list of `Photograph`.
        clients: int. Each sends its next request when it has an answer.
        count: int. Requests of all clients together.

    Returns:
        `Load`.
    """
    connection = threading.local()

    def connect():
        connection.send = CALLS[call](address)

    def request(photograph):
        start = time.perf_counter()
        try:
            status = connection.send(photograph.contents)
        except (grpc.RpcError, requests.RequestException) as error:
            status = repr(error)
        latency = time.perf_counter() - start
        return latency, "" if status == photograph.status else status

    start = time.perf_counter()
    with ThreadPoolExecutor(clients, initializer=connect) as pool:
        answers = list(pool.map(request, islice(cycle(photographs), count)))
    seconds = time.perf_counter() - start
    latencies, errors = zip(*answers, strict=True)
    return Load(seconds, np.array(latencies), list(filter(None, errors)))


@functools.cache
def rest_body(contents):
    """Returns the JSON of a photograph's request."""
    encoded = base64.b64encode(contents).decode()
    return json.dumps(
        {
            "signature_name": contract.EXTRACT,
            "inputs": {"image_bytes": [{"b64": encoded}]},
        }
    ).encode()


@functools.cache
def grpc_body(contents):
    """Returns the bytes of a photograph's `PredictRequest`."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = contract.MODEL_NAME
    request.model_spec.signature_name = contract.EXTRACT
    request.inputs["image_bytes"].CopyFrom(
        tf.make_tensor_proto(np.array([contents], object))
    )
    return request.SerializeToString()


def grpc_channel(address):
    """Returns a channel that shares its connection with no other."""
    return grpc.insecure_channel(
        address,
        options=[
            ("grpc.max_receive_message_length", -1),
            ("grpc.use_local_subchannel_pool", 1),
        ],
    )


def _by_rest(address):
    session = requests.Session()
    url = f"{address}/v1/models/{contract.MODEL_NAME}:predict"

    def send(contents):
        response = session.post(
            url, data=rest_body(contents), timeout=_DEADLINE_SECONDS
        )
        status = _STATUS.search(response.content)
        return status[1].decode() if status else response.text

    return send


def _by_grpc(address):
    predict = grpc_channel(address).unary_unary(PREDICT)

    def send(contents):
        answer = predict(grpc_body(contents), timeout=_DEADLINE_SECONDS)
        response = predict_pb2.PredictResponse.FromString(answer)
        return response.outputs["status"].string_val[0].decode()

    return send


@functools.cache
def _signature(folder):
    model = tf.saved_model.load(folder)
    # Its functions live no longer than the object they came in.
    return model, model.signatures[contract.EXTRACT]


def _directly(folder):
    _, extract = _signature(folder)

    def send(contents):
        outputs = extract(image_bytes=tf.constant([contents]))
        arrays = {name: value.numpy() for name, value in outputs.items()}
        return arrays["status"][0].decode()

    return send


CALLS = {"rest": _by_rest, "grpc": _by_grpc, "direct": _directly}
