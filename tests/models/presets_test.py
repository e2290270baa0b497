"""Preset folders: what is saved is what is loaded, or an error says why."""

import contextlib
import functools
import http.server
import json
import shutil
import socket
import tarfile
import threading

import keras
import numpy as np
import pytest

import delf_keras
from delf_keras.models import presets
from delf_keras.models.delf import Delf
from delf_keras.models.resnet import ResNet
from delf_keras.models.weights import model_fingerprint

VARIANTS = {
    "norm": {},
    "conv": {"attention": "conv", "scaling": "tf_models"},
    "slim": {"resnet": {"stride_placement": "last", "output_stride": 32}},
    "autoencoder": {"attention": "conv", "autoencoder": 6},
}


@pytest.fixture(scope="module")
def saved(tiny_model, tmp_path_factory):
    """A preset folder of the tiny model, not to be changed."""
    folder = tmp_path_factory.mktemp("presets") / "tiny"
    tiny_model.save_to_preset(folder, "A tiny model.")
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A preset folder of the tiny model, to be damaged."""
    return shutil.copytree(saved, tmp_path / "damaged")


@pytest.mark.parametrize("variant", VARIANTS)
def test_round_trip(tmp_path, make_model, make_photograph, compute, variant):
    pixels = make_photograph(64, 80)[None]
    model = make_model(**VARIANTS[variant])
    model.save_to_preset(tmp_path / "folder")
    loaded = Delf.from_preset(str(tmp_path / "folder"))

    assert loaded.name == model.name
    assert model_fingerprint(loaded) == model_fingerprint(model)
    keras.tree.map_structure(
        np.testing.assert_array_equal,
        compute(loaded, pixels),
        compute(model, pixels),
    )


def test_files_of_a_preset(saved):
    names = {path.name for path in saved.iterdir()}
    found = presets.find_preset(saved)

    assert names == {"config.json", "model.weights.h5", "preset.json"}
    assert found.name == "tiny" and found.folder == saved
    assert found.info["description"] == "A tiny model."
    assert found.file(presets.PCA_FILE) is None


def test_pca_is_found(tmp_path, tiny_model):
    presets.save_model(tiny_model, tmp_path / "a", {}, {"mean": np.zeros(3)})
    found = presets.find_preset(tmp_path / "a")

    assert found.file(presets.PCA_FILE) == tmp_path / "a/pca.npz"
    assert set(found.info["sha256"]) == {"model.weights.h5", "pca.npz"}

    np.savez(tmp_path / "a/pca.npz", mean=np.ones(3))
    with pytest.raises(ValueError, match="pca.npz is damaged"):
        found.file(presets.PCA_FILE)


def test_dtype_is_that_of_the_caller(saved, tiny_model):
    mixed = Delf.from_preset(saved, dtype="mixed_bfloat16")
    layers = [
        layer
        for layer in mixed._flatten_layers()
        if not isinstance(layer, keras.Model)
    ]

    assert len(layers) > 30
    assert {layer.compute_dtype for layer in layers} == {"bfloat16"}
    assert model_fingerprint(mixed) == model_fingerprint(tiny_model)


def test_existing_folder_is_refused(tmp_path, saved, tiny_model):
    (tmp_path / "empty").mkdir()
    for folder in (saved, tmp_path / "empty"):
        before = sorted(folder.iterdir())
        with pytest.raises(FileExistsError, match=f"Received: .*{folder}"):
            tiny_model.save_to_preset(folder)
        assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("half", [False, True])
def test_a_full_disk_leaves_nothing(tmp_path, tiny_model, full_disk, half):
    """HDF5 that finds it would end the process."""
    with full_disk(30_000), pytest.raises(OSError, match="File too large"):
        presets.save_model(tiny_model, tmp_path / "folder", {}, half=half)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("setting", "value"),
    [("image_data_format", "channels_first"), ("floatx", "float64")],
)
def test_settings_of_keras_are_those_of_other_models(
    tmp_path,
    make_model,
    make_photograph,
    compute,
    request,
    variant,
    setting,
    value,
):
    model = make_model(**VARIANTS[variant])
    model.save_to_preset(tmp_path / "folder")
    pixels = make_photograph(64, 80)[None]
    expected = compute(model, pixels)
    change = getattr(keras.config, f"set_{setting}")
    request.addfinalizer(
        functools.partial(change, getattr(keras.config, setting)())
    )
    change(value)
    loaded = Delf.from_preset(tmp_path / "folder")

    assert model_fingerprint(loaded) == model_fingerprint(model)
    for name, values in compute(loaded, pixels).items():
        np.testing.assert_array_equal(values, expected[name])


@pytest.mark.filterwarnings("ignore:.* cannot be built automatically")
def test_a_model_that_cannot_be_built(saved, monkeypatch):
    """Keras warns, and goes on with one that has no weights."""

    def build(self, input_shape):
        raise TypeError("channels of unknown number")

    monkeypatch.setattr(ResNet, "build", build)
    with pytest.raises(ValueError, match="not describe .* unknown number"):
        Delf.from_preset(saved)


def test_built_in_presets():
    names = delf_keras.list_presets()

    assert {"delf_resnet50_imagenet", "delf_resnet101_imagenet"} <= set(names)
    for name, description in names.items():
        info = presets.find_preset(name).info
        assert description and info["licence"] and info["paper"]


def test_built_in_preset_with_local_weights(
    resnet50_file, keras_resnet50, make_photograph, compute
):
    """Its features are block 3 of keras.applications, of RGB pixels."""
    model = Delf.from_preset("delf_resnet50_imagenet", weights=resnet50_file)
    pixels = make_photograph(64, 97)[None]
    reference = keras.Model(
        keras_resnet50.input,
        keras_resnet50.get_layer("conv4_block6_out").output,
    )
    expected = compute(
        reference,
        keras.applications.resnet50.preprocess_input(pixels.astype(np.float32)),
    )
    difference = compute(model, pixels)["features"] - expected

    assert model.name == "delf_resnet50_imagenet"
    assert np.abs(difference).max() < 1e-5 * expected.max()


def test_built_in_preset_without_network(monkeypatch):
    def download(**kwargs):
        raise Exception("URL fetch failure on https://example.org: None")

    monkeypatch.setattr(keras.applications, "ResNet50", download)
    with pytest.raises(
        FileNotFoundError, match="give a local copy of the file with `weights`"
    ):
        Delf.from_preset("delf_resnet50_imagenet")


@pytest.mark.parametrize("name", ["delf_resnet18", "/no/such/folder"])
def test_unknown_preset(name):
    with pytest.raises(
        ValueError,
        match=rf"\['delf_resnet101_imagenet'.*a folder, or a URL.*'{name}'",
    ):
        Delf.from_preset(name)


@pytest.mark.parametrize(
    "file", ["config.json", "model.weights.h5", "preset.json"]
)
def test_missing_file(folder, file):
    (folder / file).unlink()
    with pytest.raises(
        FileNotFoundError, match=f"{folder}, which has no {file}"
    ):
        Delf.from_preset(folder)


def test_truncated_weights(folder):
    path = folder / "model.weights.h5"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="is damaged or was .* sha256 must be"):
        Delf.from_preset(folder)


def test_weights_of_another_model(folder, make_model):
    make_model(seed=1).save_weights(folder / "model.weights.h5")
    with pytest.raises(ValueError, match="was replaced"):
        Delf.from_preset(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(tmp_path, make_model, value):
    model = make_model()
    kernel = model.backbone.convolutions()[3].conv.kernel
    values = kernel.numpy()
    values[0, 0, 0, 0] = value
    kernel.assign(values)
    model.save_to_preset(tmp_path / "folder")

    with pytest.raises(
        ValueError, match="finite. Received: NaN or infinity in .*conv/kernel"
    ):
        Delf.from_preset(tmp_path / "folder")


@pytest.mark.parametrize("file", ["config.json", "preset.json"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is not valid JSON. Received: "),
        (b'{"half": ', "is not valid JSON. Received: "),
        (b"\xff\xfe", "is not valid JSON. Received: "),
        (b"[1, 2]", r"must hold an object. Received: \[1, 2\]"),
    ],
)
def test_broken_json(folder, file, text, message):
    (folder / file).write_bytes(text)
    with pytest.raises(ValueError, match=f"{file} {message}"):
        Delf.from_preset(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"class_name": "Unknown", "registered_name": "other>Unknown"},
        {"config": {}},
        {"config": {"colour": "blue"}},
    ],
)
def test_config_of_no_model(folder, change):
    path = folder / "config.json"
    config = json.loads(path.read_text()) | change
    path.write_text(json.dumps(config))
    with pytest.raises(
        ValueError, match="config.json does not describe a model. Received: "
    ):
        Delf.from_preset(folder)


def test_a_folder_has_its_own_weights(saved):
    with pytest.raises(
        ValueError, match="Only a preset of ImageNet .*weights=a.h5"
    ):
        Delf.from_preset(saved, weights="a.h5")


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """A function that serves a folder and returns its URL."""
    cached = functools.partial(
        keras.utils.get_file, cache_dir=tmp_path / "cache"
    )
    (tmp_path / "cache").mkdir()
    monkeypatch.setattr(keras.utils, "get_file", cached)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    def start(folder):
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=folder)
        )
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    with contextlib.ExitStack() as stack:
        yield start


def pack(folder, path):
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, arcname=folder.name)


def test_url(tmp_path, serve, saved, tiny_model):
    pack(saved, tmp_path / "www/preset.tar.gz")
    url = f"{serve(tmp_path / 'www')}/preset.tar.gz"
    assert model_fingerprint(Delf.from_preset(url)) == model_fingerprint(
        tiny_model
    )

    # Kept: it is not downloaded again.
    (tmp_path / "www/preset.tar.gz").unlink()
    assert presets.find_preset(url).name == "tiny"


def test_url_without_stdout(tmp_path, serve, saved):
    """Services have none, and Keras writes to it."""
    pack(saved, tmp_path / "www/preset.tar.gz")
    url = f"{serve(tmp_path / 'www')}/preset.tar.gz"
    with contextlib.redirect_stdout(None):
        assert presets.find_preset(url).name == "tiny"
    assert keras.config.is_interactive_logging_enabled()


def test_urls_of_one_file_name(tmp_path, serve, saved, make_model):
    other = tmp_path / "other"
    make_model(seed=1).save_to_preset(other)
    pack(saved, tmp_path / "www_1/preset.tar.gz")
    pack(other, tmp_path / "www_2/preset.tar.gz")
    names = [
        presets.find_preset(f"{serve(tmp_path / folder)}/preset.tar.gz").name
        for folder in ("www_1", "www_2")
    ]
    assert names == ["tiny", "other"]


def test_unreachable_url():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/preset.tar.gz"
        with pytest.raises(FileNotFoundError) as error:
            Delf.from_preset(url)

    message = str(error.value)
    assert "could not be downloaded: give the folder of a local" in message
    assert url in message and "\n" not in message


def test_url_of_nothing(tmp_path, serve):
    with pytest.raises(FileNotFoundError, match="Received: .* 404"):
        Delf.from_preset(f"{serve(tmp_path)}/preset.tar.gz")


@pytest.mark.filterwarnings("ignore:Could not extract archive")
def test_url_of_something_else(tmp_path, serve, saved):
    """It is refused, and not kept in the way of the preset to come."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www/preset.tar.gz").write_text("We shall be back soon.")
    url = f"{serve(tmp_path / 'www')}/preset.tar.gz"
    with pytest.raises(
        FileNotFoundError, match=f"no preset.*Received: url={url}"
    ):
        Delf.from_preset(url)

    shutil.rmtree(tmp_path / "www")
    pack(saved, tmp_path / "www/preset.tar.gz")
    assert presets.find_preset(url).name == "tiny"
