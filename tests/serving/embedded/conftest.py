"""Fixtures of the embedded server: a toy model, and requests held up."""

import contextlib
import shutil
import threading

import pytest
import tensorflow as tf

from delf_keras.serving.embedded.server import EmbeddedServer, ServerOptions
from delf_keras.serving.embedded.versions import VersionPolicy
from delf_keras.serving.servable import Servable


class _Toy(tf.Module):
    """Multiplies numbers by its version."""

    def __init__(self, version):
        super().__init__()
        self._version = version

    @tf.function(input_signature=[tf.TensorSpec([None, 2], name="x")])
    def scale(self, x):
        version = tf.repeat(self._version, tf.shape(x)[0])
        return {"y": x * self._version, "version": version}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], name="x")])
    def negate(self, x):
        return {"y": -x}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def echo(self, text):
        return {"echo_bytes": text}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int32, "dividend"),
            tf.TensorSpec([None], tf.int32, "divisor"),
        ]
    )
    def divide(self, dividend, divisor):
        checks = [tf.debugging.assert_none_equal(divisor, 0, message="by 0")]
        with tf.control_dependencies(checks):
            return {"quotient": dividend // divisor}

    @tf.function(input_signature=[tf.TensorSpec([], name="x")])
    def scalar(self, x):
        return {"y": x * self._version}


@pytest.fixture(scope="session")
def publish(tmp_path_factory):
    """A function that publishes a toy model as a version of a folder.

    `serving_default` takes `x` float32 `[N, 2]` and returns `y`, which is x
    times the version, and `version`. `negate` takes the same, `echo` takes and
    returns strings, `divide` has two inputs, `scalar` has no rows.
    """
    written = tmp_path_factory.mktemp("toys")

    def publish(base, version):
        source = written / str(version)
        if not source.exists():
            toy = _Toy(version)
            signatures = {
                "serving_default": toy.scale,
                "negate": toy.negate,
                "echo": toy.echo,
                "divide": toy.divide,
                "scalar": toy.scalar,
            }
            tf.saved_model.save(toy, str(source), signatures)
        temporary = base / f"temporary-{version}"
        shutil.copytree(source, temporary)
        return temporary.rename(base / str(version))

    return publish


@pytest.fixture
def base(publish, tmp_path):
    """A folder with version 1 of the toy model."""
    folder = tmp_path / "toy"
    publish(folder, 1)
    return folder


@pytest.fixture
def serve():
    """A function of a folder and options to a started `EmbeddedServer`."""
    with contextlib.ExitStack() as servers:

        def serve(base, **options):
            options = {"model_name": "toy", "poll_seconds": 0.05} | options
            return servers.enter_context(
                EmbeddedServer(
                    base, ServerOptions(grpc_port=0, rest_port=0, **options)
                )
            )

        yield serve


@pytest.fixture(scope="session")
def toy_server(publish, tmp_path_factory):
    """A server of versions 1 and 2, of which 1 is `stable`.

    It takes messages of 100,000 bytes.
    """
    base = tmp_path_factory.mktemp("served") / "toy"
    publish(base, 1)
    publish(base, 2)
    options = ServerOptions(
        model_name="toy",
        grpc_port=0,
        rest_port=0,
        policy=VersionPolicy((1, 2), {"stable": 1}),
        max_message_bytes=100_000,
    )
    with EmbeddedServer(base, options) as server:
        yield server


class Gate:
    """Holds requests up before they run, once it is closed.

    Attributes:
        calls: Inputs of the calls that came to it.
    """

    def __init__(self):
        self.calls = []
        self._opened = threading.Event()
        self._opened.set()

    def close(self):
        self._opened.clear()

    def open(self):
        self._opened.set()

    def pass_through(self, inputs):
        self.calls.append(inputs)
        assert self._opened.wait(60)


@pytest.fixture
def gate(monkeypatch):
    """A `Gate` before all servables, open until it is closed."""
    gate = Gate()
    predict = Servable.predict

    def wait_and_predict(self, signature, inputs):
        gate.pass_through(inputs)
        return predict(self, signature, inputs)

    monkeypatch.setattr(Servable, "predict", wait_and_predict)
    yield gate
    gate.open()


@pytest.fixture(scope="session")
def waiting():
    """A function of a server to how many requests wait in its queue."""

    def waiting(server):
        queue = server._batcher._queue
        return sum(not request.future.cancelled() for request in queue)

    return waiting
