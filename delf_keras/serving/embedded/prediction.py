"""Predictions, whatever the protocol that asked for them."""

import asyncio
from dataclasses import dataclass

import grpc
import tensorflow as tf

from delf_keras.serving.contract import SERVING_DEFAULT
from delf_keras.serving.embedded.errors import RequestError


@dataclass(frozen=True)
class ModelSpec:
    """Which model a request asks for.

    Attributes:
        name: The model.
        version: int, or None for the newest.
        label: str, or None.
    """

    name: str
    version: int | None = None
    label: str | None = None


class Predictor:
    """Answers requests from the versions of one model.

    Args:
        name: str. The model.
        versions: `VersionManager`.
        batcher: `Batcher`.
    """

    def __init__(self, name, versions, batcher):
        self.name = name
        self.versions = versions
        self._batcher = batcher

    def check_name(self, name):
        """Refuses a model of another name, or of none."""
        if not name:
            raise RequestError(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"A request names its model, {self.name!r} here.",
            )
        if name != self.name:
            raise RequestError(
                grpc.StatusCode.NOT_FOUND,
                f"The model served is {self.name!r}. Received: {name!r}",
            )

    def use(self, spec):
        """Keeps the version of a `ModelSpec`; see `VersionManager.use`."""
        self.check_name(spec.name)
        return self.versions.use(spec.version, spec.label)

    async def predict(self, spec, signature, read_inputs, timeout=None):
        """Answers a request.

        Where the task is cancelled because the client is gone, the request
        is taken from the queue.

        Args:
            spec: `ModelSpec`.
            signature: str, or empty for `serving_default`.
            read_inputs: A function from the `SignatureSpec` to the inputs, a
                dict of name to array.
            timeout: float. Seconds that the client waits, or None.

        Returns:
            A triple: the version, the `SignatureSpec`, and the outputs, a
            dict of name to array.

        Raises:
            RequestError: if the request is wrong or cannot be served.
        """
        signature = signature or SERVING_DEFAULT
        with self.use(spec) as (version, servable):
            try:
                known = servable.signature(signature)
            except ValueError as error:
                raise RequestError(
                    grpc.StatusCode.FAILED_PRECONDITION, str(error)
                ) from error
            try:
                inputs = read_inputs(known)
                servable.check_inputs(signature, inputs)
                key = _batch_key(version, signature, known, inputs)
            except (ValueError, TypeError, RecursionError) as error:
                raise RequestError(
                    grpc.StatusCode.INVALID_ARGUMENT, str(error)
                ) from error
            future = self._batcher.submit(
                lambda joined: servable.predict(signature, joined),
                key,
                inputs,
                timeout,
            )
            try:
                outputs = await asyncio.wrap_future(future)
            except ValueError as error:
                raise RequestError(
                    grpc.StatusCode.INVALID_ARGUMENT, str(error)
                ) from error
            except tf.errors.OpError as error:
                raise RequestError(
                    grpc.StatusCode.INTERNAL, error.message
                ) from error
        return version, known, outputs


def _batch_key(version, signature, spec, inputs):
    """Returns what requests that can be joined have in common, or None."""
    if not spec.batchable:
        return None
    shapes = tuple((name, inputs[name].shape[1:]) for name in sorted(inputs))
    if len({len(rows) for rows in inputs.values()}) > 1:
        raise ValueError(
            "All inputs have a row for each photograph. Received: "
            + ", ".join(f"{n} with {len(rows)}" for n, rows in inputs.items())
        )
    return version, signature, shapes
