"""Serves an exported model on this machine, without docker.

    delf-keras serve --model=models/delf --rest_port=8501 --grpc_port=8500

The embedded server speaks TensorFlow Serving's gRPC and REST protocols, and
serves the newest version of the folder; a newer one that appears takes over.
It is for laptops and tests. Leave it for TensorFlow Serving, which reads the
same folder (see export/ in the project), when there is more than one machine
or GPU, or many clients.
"""

import logging
import signal
import threading

from absl import flags as absl_flags


def define_flags(flags):
    """Defines the flags of this verb."""
    strings = {
        "model": (None, "Folder of the versions, as export wrote it."),
        "model_name": ("delf", "Name that clients ask for."),
        "host": ("127.0.0.1", "Address to listen on."),
    }
    for name, (default, text) in strings.items():
        absl_flags.DEFINE_string(name, default, text, flag_values=flags)
    absl_flags.mark_flag_as_required("model", flag_values=flags)
    integers = {
        "grpc_port": (8500, "gRPC port, 0 for any that is free.", 0, 65535),
        "rest_port": (8501, "REST port, 0 for any that is free.", 0, 65535),
        "max_batch_size": (4, "Photographs of requests answered together.", 1),
        "threads": (2, "Batches that run at a time.", 1),
        "max_queued": (256, "Requests that wait; more are refused.", 1),
        "max_queued_mb": (256, "Megabytes of requests that wait.", 1),
        # A message of gRPC has less than 2 GB.
        "max_message_mb": (64, "Largest request in megabytes.", 1, 2047),
    }
    for name, (default, text, *bounds) in integers.items():
        absl_flags.DEFINE_integer(
            name, default, text, *bounds, flag_values=flags
        )
    floats = {
        "batch_timeout_ms": (0.0, "Milliseconds a batch waits for more.", 0.0),
        "rest_timeout_seconds": (30.0, "Seconds for an answer by REST.", 0.1),
        "poll_seconds": (1.0, "Seconds between looks for new versions.", 0.1),
        "grace_seconds": (30.0, "Seconds that a stop waits for answers.", 0.0),
    }
    for name, (default, text, lowest) in floats.items():
        absl_flags.DEFINE_float(name, default, text, lowest, flag_values=flags)
    absl_flags.DEFINE_list(
        "versions",
        [],
        "Versions to serve, as 1,2; the newest if not given.",
        flag_values=flags,
    )
    absl_flags.DEFINE_list(
        "labels",
        [],
        "Labels of these versions, as stable:1,canary:2.",
        flag_values=flags,
    )


def run(flags, args):
    """Serves until the process is asked to end."""
    from delf_keras.serving.embedded.server import EmbeddedServer

    if args:
        raise ValueError(f"serve takes no arguments. Received: {args}")
    options = _options(flags)
    logging.getLogger("delf_keras.serving").setLevel(logging.INFO)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with EmbeddedServer(flags.model, options) as server:
        print(
            f"Serving {flags.model_name}, versions "
            f"{server.versions.available()}: gRPC {server.grpc_address}, REST "
            f"http://{server.rest_address}/v1/models/{flags.model_name}",
            flush=True,
        )
        ended.wait()
    return 0


def _options(flags):
    from delf_keras.serving.embedded.batching import BatchingOptions
    from delf_keras.serving.embedded.server import ServerOptions
    from delf_keras.serving.embedded.versions import VersionPolicy

    return ServerOptions(
        model_name=flags.model_name,
        host=flags.host,
        grpc_port=flags.grpc_port,
        rest_port=flags.rest_port,
        policy=VersionPolicy(_versions(flags.versions), _labels(flags.labels)),
        batching=BatchingOptions(
            max_batch_size=flags.max_batch_size,
            timeout_seconds=flags.batch_timeout_ms / 1000,
            threads=flags.threads,
            max_queued=flags.max_queued,
            max_queued_bytes=flags.max_queued_mb * 2**20,
        ),
        max_message_bytes=flags.max_message_mb * 2**20,
        rest_timeout_seconds=flags.rest_timeout_seconds,
        poll_seconds=flags.poll_seconds,
        grace_seconds=flags.grace_seconds,
    )


def _versions(texts):
    try:
        return tuple(map(int, texts))
    except ValueError as error:
        raise ValueError(
            f"Versions are whole numbers, as 1,2. Received: {texts}"
        ) from error


def _labels(texts):
    try:
        pairs = [text.rsplit(":", 1) for text in texts]
        return {label: int(version) for label, version in pairs}
    except ValueError as error:
        raise ValueError(
            f"Labels are as stable:1,canary:2. Received: {texts}"
        ) from error
