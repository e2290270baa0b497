"""The client is an extractor to whoever uses it, over both protocols."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from delf_keras.features.decoding import ImageError
from delf_keras.serving import Client
from delf_keras.serving.client import split_address
from delf_keras.serving.embedded.server import EmbeddedServer, ServerOptions
from delf_keras.serving.errors import ServerError
from delf_keras.serving.rest_transport import RestTransport
from delf_keras.serving.retrying import RetryOptions
from delf_keras.serving.servable import Servable

QUICK = RetryOptions(retries=3, first_seconds=0.01)


@pytest.fixture(scope="module")
def server(exported_base):
    """A started server of `served_extractor`."""
    options = ServerOptions(grpc_port=0, rest_port=0)
    with EmbeddedServer(exported_base, options) as server:
        yield server


@pytest.fixture(params=["grpc", "rest"])
def address(server, request):
    if request.param == "grpc":
        return server.grpc_address
    return f"http://{server.rest_address}"


def assert_same(received, expected):
    assert received.image_size == expected.image_size
    assert received.fingerprint == expected.fingerprint
    for name in ("locations", "descriptors", "scores", "scales"):
        np.testing.assert_array_equal(
            getattr(received, name), getattr(expected, name)
        )


def test_stands_in_for_an_extractor(address, served_extractor, photographs):
    with Client(address) as client:
        assert client.fingerprint == served_extractor.fingerprint
        assert client.cache_key == served_extractor.cache_key
        assert client.options == served_extractor.options
        assert client.has_pca and served_extractor.has_pca
        paths = sorted(photographs.rglob("*.jpg"))
        received = client.extract(paths)
        assert_same(client.extract(paths[0]), received[0])
    for features, expected in zip(
        received, served_extractor.extract(paths), strict=True
    ):
        assert_same(features, expected)


def test_arrays(address, served_extractor, make_photograph):
    image = make_photograph(90, 120)
    with Client(address) as client:
        assert_same(client.extract(image), served_extractor.extract(image))
        with pytest.raises(ImageError, match="uint8 array"):
            client.extract(image[..., 0])


def test_photographs_that_are_not_taken(address, photographs, tmp_path):
    """Each has its reason, and those beside it their features."""
    files = {
        "empty.jpg": b"",
        "text.jpg": b"no photograph",
        "large.jpg": bytes(400_001),
        "small.png": tf.io.encode_png(np.zeros((9, 9, 3), np.uint8)).numpy(),
    }
    for name, contents in files.items():
        (tmp_path / name).write_bytes(contents)
    good = sorted(photographs.rglob("*.jpg"))[0]
    paths = [tmp_path / name for name in (*files, "none.jpg")]
    with Client(address) as client:
        results = list(client.extract_each([*paths, good]))
        with pytest.raises(ImageError, match="is whole. Received: .*text.jpg"):
            client.extract([good, tmp_path / "text.jpg"])

    assert [photograph for photograph, _ in results] == [*paths, good]
    errors = [result for _, result in results[:-1]]
    assert all(isinstance(error, ImageError) for error in errors)
    for error, path, reason in zip(
        errors,
        paths,
        (
            "is empty",
            "that is whole",
            "limits on bytes and pixels",
            "at least 10 pixels",
            "cannot be read",
        ),
        strict=True,
    ):
        assert reason in str(error) and str(path) in str(error)
    assert len(results[-1][1]) > 0


def test_metadata_and_status(address):
    with Client(address) as client:
        signatures = client.metadata().signature_def
        assert set(signatures) == {
            "serving_default",
            "extract",
            "extract_pixels",
            "delf_compat",
        }
        assert "image_bytes" in signatures["extract"].inputs
        (entry,) = client.status().model_version_status
        assert (entry.version, entry.state) == (1, entry.AVAILABLE)


def test_any_signature(address, exported_base, make_photograph):
    inputs = {
        "input_image": make_photograph(60, 80),
        "input_scales": np.array([1.0], np.float32),
        "input_max_feature_num": np.int32(5),
        "input_abs_thres": np.float32(0),
    }
    expected = Servable(exported_base / "1").predict("delf_compat", inputs)
    with Client(address) as client:
        received = client.predict(inputs, "delf_compat")
    assert received.keys() == expected.keys()
    for name, rows in expected.items():
        assert received[name].dtype == rows.dtype
        np.testing.assert_array_equal(received[name], rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "other"}, "NOT_FOUND.*'delf'. Received: 'other'"),
        ({"version": 7}, r"NOT_FOUND.*\[1\]. Received: 7"),
        ({"label": "stable"}, "INVALID_ARGUMENT.*Received: stable"),
    ],
)
def test_no_such_model(address, options, message):
    with pytest.raises(ServerError, match=message) as error:
        Client(address, retries=QUICK, **options)
    assert error.value.code == message.split(".")[0]


@pytest.mark.parametrize(
    ("address", "server", "chosen"),
    [
        ("localhost:8500", "localhost:8500", {}),
        ("http://localhost:8501/", "http://localhost:8501", {}),
        ("https://proxy/a/b", "https://proxy/a/b", {}),
        ("a:1/models/m", "a:1", ("m", None, None)),
        ("a:1/v1/models/m/versions/12", "a:1", ("m", 12, None)),
        ("http://a:1/models/m/", "http://a:1", ("m", None, None)),
        (
            "http://a/b/v1/models/m/labels/canary",
            "http://a/b",
            ("m", None, "canary"),
        ),
    ],
)
def test_model_in_the_address(address, server, chosen):
    expected = dict(
        zip(("model", "version", "label"), chosen, strict=bool(chosen))
    )
    assert split_address(address) == (server, expected)


@pytest.mark.parametrize(
    "address", ["", "a:1/m", "a:1/models/m/versions/x", "a:1/models/"]
)
def test_wrong_address(address):
    with pytest.raises(ValueError, match=f"Received: '{address}'"):
        split_address(address)


def test_model_of_an_address_answers(address):
    with Client(f"{address}/models/delf/versions/1") as client:
        assert client.status().model_version_status[0].version == 1
        assert client.address == f"{address}/models/delf/versions/1"
    with pytest.raises(ServerError, match=r"NOT_FOUND.*\[1\]. Received: 7"):
        Client(f"{address}/models/delf/versions/7", retries=QUICK)
    with pytest.raises(ValueError, match="in the address or beside it"):
        Client(f"{address}/models/delf", label="stable")


# An answer in the form of TensorFlow Serving's REST documentation.
METADATA = b"""{
 "model_spec": {"name": "delf", "signature_name": "", "version": "1"},
 "metadata": {"signature_def": {"signature_def": {"extract": {
  "inputs": {"image_bytes": {
   "dtype": "DT_STRING",
   "tensor_shape": {
    "dim": [{"size": "-1", "name": ""}], "unknown_rank": false
   },
   "name": "extract_image_bytes:0"
  }},
  "outputs": {},
  "method_name": "tensorflow/serving/predict"
 }}}}
}"""


def test_metadata_in_the_form_of_tensorflow_serving(monkeypatch):
    transport = RestTransport("http://a:1", "delf", None, None, 1.0, 1)
    monkeypatch.setattr(transport, "_call", lambda *_: METADATA)
    (signature,) = transport.metadata().signature_def.values()
    (tensor,) = signature.inputs.values()
    assert tensor.dtype == 7 and tensor.tensor_shape.dim[0].size == -1
    assert signature.method_name == "tensorflow/serving/predict"
    for wrong in (b"[]", b"{}", b"<html>", b'{"metadata": 1}'):
        monkeypatch.setattr(transport, "_call", lambda *_, w=wrong: w)
        with pytest.raises(ServerError, match="JSON of a SignatureDefMap"):
            transport.metadata()
    transport.close()


@pytest.mark.parametrize(
    "answer", [b"<html>", b"1", b'{"model_version_status": 1}']
)
def test_status_of_something_else(monkeypatch, answer):
    transport = RestTransport("http://a:1", "delf", None, None, 1.0, 1)
    monkeypatch.setattr(transport, "_call", lambda *_: answer)
    with pytest.raises(ServerError, match="JSON of a GetModelStatusResponse"):
        transport.status()
    transport.close()


@pytest.mark.parametrize("version", [-1, 2**63])
def test_version_that_is_none(version):
    for address in ("localhost:1", "http://localhost:1"):
        with pytest.raises(ValueError, match=f"64 bits. Received: {version}"):
            Client(address, version=version)


def test_names_of_any_letters(address):
    """What a URL gives a meaning is part of the name."""
    for name in ("a?b#c", "a/b", "de%6cf", "a b"):
        with pytest.raises(ServerError, match=r"NOT_FOUND|INVALID_ARGUMENT"):
            Client(address, model=name, retries=QUICK)


def test_version_or_label():
    with pytest.raises(ValueError, match="Either a version or a label"):
        Client("localhost:1", version=1, label="stable")


def test_missing_libraries(monkeypatch):
    for library, address in (
        ("grpc", "localhost:1"),
        ("requests", "http://localhost:1"),
    ):
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(ImportError, match=r"delf-keras\[serving\]"):
            Client(address)


def test_no_server():
    for address in ("127.0.0.1:1", "http://127.0.0.1:1"):
        with pytest.raises(ServerError, match="start it with") as error:
            Client(address, retries=QUICK)
        assert error.value.code == "UNAVAILABLE"
        assert address in str(error.value)
