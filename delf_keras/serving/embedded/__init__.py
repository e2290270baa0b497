"""The embedded server: TensorFlow Serving's protocols, without docker.

It serves an exported model to laptops and tests by the real gRPC services and
REST paths of TensorFlow Serving, from one Python process. Leave it for
TensorFlow Serving, which reads the same folder, when there is more than one
machine or GPU, more than a few requests at a time, or more than one model.
"""

import importlib

for _name in (
    "grpc",
    "grpc_health",
    "orjson",
    "starlette",
    "tensorflow_serving",
    "uvicorn",
):
    try:
        importlib.import_module(_name)
    except ModuleNotFoundError as error:
        raise ImportError(
            'The embedded server needs: pip install "delf-keras[serving]". '
            f"Received: {error}"
        ) from error
