"""ImageNet weights of keras.applications find their places in our ResNet."""

import shutil

import h5py
import keras
import numpy as np
import pytest

from delf_keras.models.imagenet import (
    load_imagenet_block,
    load_imagenet_weights,
)
from delf_keras.models.resnet import ResNet


def make_resnet(**options):
    model = ResNet(**options)
    model.build((None, None, None, 3))
    return model


def save_as_published(model, path):
    """Writes the older HDF5 layout, in which the weights are published."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name for layer in model.layers]
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{v.name}:0" for v in layer.weights]
            group.attrs["weight_names"] = names
            for name, variable in zip(names, layer.weights, strict=True):
                group[name] = variable.numpy()


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(1)
    return rng.uniform(-100, 100, (1, 64, 97, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def expected(keras_resnet50, images, compute):
    """What keras.applications computes up to the end of blocks 3 and 4."""
    outputs = [
        keras_resnet50.get_layer(f"{name}_out").output
        for name in ("conv4_block6", "conv5_block3")
    ]
    model = keras.Model(keras_resnet50.input, outputs)
    return dict(zip((3, 4), compute(model, images), strict=True))


def assert_same(received, expected):
    difference = np.abs(keras.ops.convert_to_numpy(received) - expected).max()
    assert received.shape == expected.shape
    assert difference < 1e-5 * expected.max()


def test_weights_up_to_block_3(resnet50_file, images, expected):
    model = make_resnet()
    load_imagenet_weights(model, resnet50_file)
    assert_same(model(images), expected[3])


def test_another_format_of_images(resnet50_file, images, expected, request):
    """That of Keras' own models, which the weights do not depend on."""
    keras.config.set_image_data_format("channels_first")
    request.addfinalizer(
        lambda: keras.config.set_image_data_format("channels_last")
    )
    model = make_resnet()
    load_imagenet_weights(model, resnet50_file)
    assert_same(model(images), expected[3])


def test_weights_of_the_whole_model(tmp_path, keras_resnet50, images, expected):
    path = tmp_path / "resnet50.weights.h5"
    keras_resnet50.save_weights(path)
    model = make_resnet(output_stride=32)
    load_imagenet_weights(model, path)
    assert_same(model(images), expected[3][:, ::2, ::2])


def test_weights_as_published(tmp_path, keras_resnet50, images, expected):
    path = tmp_path / "resnet50_notop.h5"
    save_as_published(keras_resnet50, path)
    model = make_resnet(output_block=4, output_stride=32)
    load_imagenet_weights(model, str(path))
    assert_same(model(images), expected[4])


def test_block_4_beside_a_backbone(tmp_path, keras_resnet50, images, expected):
    """The block that follows a backbone computes what keras.applications does.

    It strides, since the backbone's own stride is 16.
    """
    path = tmp_path / "resnet50.weights.h5"
    keras_resnet50.save_weights(path)
    backbone = ResNet()
    units = make_block_4(backbone)
    assert load_imagenet_block(units, backbone, path)

    x = expected[3]
    for unit in units:
        x = unit(x)
    assert_same(x, expected[4])


def test_block_4_of_a_file_that_ends_before(resnet50_file):
    backbone = ResNet()
    units = make_block_4(backbone)
    before = [each for unit in units for each in unit.get_weights()]
    assert not load_imagenet_block(units, backbone, resnet50_file)

    after = [each for unit in units for each in unit.get_weights()]
    for received, weight in zip(after, before, strict=True):
        np.testing.assert_array_equal(received, weight)


def make_block_4(backbone):
    units = backbone.make_block(4, 2)
    channels = backbone.channels
    for unit in units:
        unit.build((None, None, None, channels))
        channels = 4 * unit.filters
    return units


def test_download(monkeypatch, keras_resnet50, images, expected):
    """Keras downloads them where no file is given."""

    def download(weights, **kwargs):
        assert weights == "imagenet"
        return keras_resnet50

    monkeypatch.setattr(keras.applications, "ResNet50", download)
    model = make_resnet()
    load_imagenet_weights(model)
    assert_same(model(images), expected[3])


def test_no_network(monkeypatch):
    def download(weights, **kwargs):
        raise Exception("URL fetch failure on https://example.org: None")

    monkeypatch.setattr(keras.applications, "ResNet50", download)
    with pytest.raises(
        FileNotFoundError,
        match="could not be downloaded: give a local copy .*Received: URL",
    ):
        load_imagenet_weights(make_resnet())


def test_missing_file(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="no file of ImageNet weights. Received: .*x.h5"
    ):
        load_imagenet_weights(make_resnet(), tmp_path / "x.h5")


def test_weights_of_a_deeper_model(tmp_path, resnet50_file):
    """Keras alone would take the first units of it for the whole."""
    path = tmp_path / "resnet101.weights.h5"
    shutil.copy(resnet50_file, path)
    with h5py.File(path, "a") as file:
        file["layers/conv2d_53/vars/0"] = np.zeros((1, 1, 1024, 256))
        file["layers/conv2d_53/vars/1"] = np.zeros(256)
    with pytest.raises(
        ValueError,
        match="does not hold the weights of ResNet50 .*Received: 260 arrays",
    ):
        load_imagenet_weights(make_resnet(), path)


def test_file_of_something_else(tmp_path):
    path = tmp_path / "resnet50_notop.h5"
    path.write_text("404: not found")
    with pytest.raises(
        ValueError, match="_notop.h5 does not hold the weights of ResNet50 of"
    ):
        load_imagenet_weights(make_resnet(), path)


@pytest.mark.parametrize(
    "options", [{"depth": 26}, {"width": 32}, {"stride_placement": "last"}]
)
def test_backbone_without_imagenet_weights(tmp_path, options):
    backbone = make_resnet(**options)
    for path in (None, tmp_path / "missing.h5"):
        with pytest.raises(
            ValueError, match='depth 50 and 101, width 64 and .* "first"'
        ):
            load_imagenet_weights(backbone, path)
