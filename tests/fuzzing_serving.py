"""Damaged photographs and requests, given to an exported model."""

import base64
import json

import numpy as np
from damaging import Samples, damaged, damaged_json

_SECONDS = 30
# Of gRPC, that a damaged request may have.
_REFUSALS = ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND")


def _check_answer(outputs, path):
    """Refuses an answer of a served model that is not right."""
    from delf_keras.features.decoding import read_image
    from delf_keras.serving import contract

    status = outputs["status"][0].decode()
    count, size = outputs["num_features"][0], outputs["image_size"][0]
    if status not in contract.STATUSES:
        raise ValueError(f"status {status}")
    if status != contract.OK and (count or outputs["descriptors"].any()):
        raise ValueError(f"features of a photograph that is {status}")
    if status == contract.OK and read_image(path).shape[:2] != (*size,):
        raise ValueError(f"a photograph of {size}")


class Exported(Samples):
    """Photographs, given to a model in the folder work/delf."""

    def __init__(self, samples, work):
        from delf_keras.serving.servable import Servable

        super().__init__(samples, work)
        self.servable = Servable(work / "delf/1")

    def read(self, rng):
        path = self.write(rng)
        contents = {"image_bytes": np.array([path.read_bytes()], object)}
        _check_answer(self.servable.predict("extract", contents), path)


class Served(Samples):
    """Photographs and damaged requests, sent to a server of work/delf."""

    def __init__(self, samples, work):
        import grpc
        import requests

        from delf_keras.serving import Client
        from delf_keras.serving.embedded.server import (
            EmbeddedServer,
            ServerOptions,
        )

        super().__init__(samples, work)
        options = ServerOptions(grpc_port=0, rest_port=0)
        self.server = EmbeddedServer(work / "delf", options)
        self.server.start()
        self.url = f"http://{self.server.rest_address}"
        self.clients = [
            Client(address) for address in (self.server.grpc_address, self.url)
        ]
        self.session = requests.Session()
        channel = grpc.insecure_channel(self.server.grpc_address)
        self.call = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict"
        )

    def read(self, rng):
        path = self.write(rng)
        contents = path.read_bytes()
        if rng.random() < 0.3:
            return self._send_json(contents, rng)
        if rng.random() < 0.3:
            return self._send_message(contents, rng)
        for client in self.clients:
            inputs = {"image_bytes": np.array([contents], object)}
            _check_answer(client.predict(inputs), path)

    def _send_json(self, contents, rng):
        """A damaged request over REST has an answer, or is refused."""
        others = list(self.contents.values())
        text = base64.b64encode(contents).decode()
        body = {
            "signature_name": "extract",
            rng.choice(("inputs", "instances")): [{"b64": text}],
        }
        if rng.random() < 0.7:
            body = json.dumps(damaged_json(body, rng)).encode()
        else:
            body = damaged(json.dumps(body).encode(), others, rng)
        url = f"{self.url}/v1/models/delf:predict"
        response = self.session.post(url, body, timeout=_SECONDS)
        response.json()
        if response.status_code not in (200, 400):
            raise ValueError(f"{response.status_code} {response.text[:500]}")

    def _send_message(self, contents, rng):
        """A damaged request over gRPC has an answer, or is refused."""
        import grpc
        from tensorflow_serving.apis import predict_pb2

        others = list(self.contents.values())
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "delf"
        request.model_spec.signature_name = "extract"
        tensor = request.inputs["image_bytes"]
        tensor.dtype = 7
        tensor.tensor_shape.dim.add().size = 1
        tensor.string_val.append(contents)
        data = damaged(request.SerializeToString(), others, rng)
        try:
            self.call(data, timeout=_SECONDS)
        except grpc.RpcError as error:
            if error.code().name not in _REFUSALS:
                raise
