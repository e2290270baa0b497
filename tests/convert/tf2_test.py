"""DELF of TensorFlow 2, on a network that has the names of its code.

The published files were not at hand.
"""

import numpy as np
import pytest
import tensorflow as tf

from delf_keras.convert.importing import import_weights
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.extractor import Extractor
from tests.convert.conftest import random_values

WIDTH = 4
LETTERS = {"l2": "abc", "l3": "abcd", "l4": "abcdef"}


class Layer(tf.Module):
    """Variables, by the names that Keras gives those of a layer."""

    def __init__(self, path, **shapes):
        super().__init__()
        for name, shape in shapes.items():
            kind = "weights" if name == "kernel" else name
            values = random_values(f"{path}/{kind}", shape, seed=0)
            setattr(self, name, tf.Variable(values, dtype=tf.float32))


def conv(path, size, channels, filters):
    return Layer(path, kernel=(size, size, channels, filters), bias=(filters,))


def batch_norm(path, channels):
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    return Layer(path, **{name: (channels,) for name in names})


def convolve(x, layer, strides=1):
    return tf.nn.conv2d(x, layer.kernel, strides, "SAME") + layer.bias


def normalise(x, layer):
    return tf.nn.batch_normalization(
        x,
        layer.moving_mean,
        layer.moving_variance,
        layer.beta,
        layer.gamma,
        1e-3,
    )


class Block(tf.Module):
    """A residual unit, with a projection where it is the first of a block."""

    def __init__(self, path, channels, filters, strides, projection):
        super().__init__()
        self.strides = strides
        self.projection = projection
        for letter, size, inputs, outputs in (
            ("a", 1, channels, filters),
            ("b", 3, filters, filters),
            ("c", 1, filters, 4 * filters),
        ):
            name = f"{path}/{letter}"
            setattr(self, f"conv2{letter}", conv(name, size, inputs, outputs))
            setattr(self, f"bn2{letter}", batch_norm(f"{name}_bn", outputs))
        if projection:
            name = f"{path}/shortcut"
            self.conv_shortcut = conv(name, 1, channels, 4 * filters)
            self.bn_shortcut = batch_norm(f"{name}_bn", 4 * filters)

    def __call__(self, x):
        y = tf.nn.relu(
            normalise(convolve(x, self.conv2a, self.strides), self.bn2a)
        )
        y = tf.nn.relu(normalise(convolve(y, self.conv2b), self.bn2b))
        y = normalise(convolve(y, self.conv2c), self.bn2c)
        if self.projection:
            x = normalise(
                convolve(x, self.conv_shortcut, self.strides), self.bn_shortcut
            )
        return tf.nn.relu(x + y)


class Backbone(tf.Module):
    """ResNet50 up to block 3, a sixteenth as wide, and a part of block 4."""

    def __init__(self):
        super().__init__()
        self.conv1 = conv("conv1", 7, 3, WIDTH)
        self.bn_conv1 = batch_norm("bn_conv1", WIDTH)
        channels = WIDTH
        for number, (block, letters) in enumerate(LETTERS.items()):
            filters = WIDTH * 2**number
            for letter in letters:
                first = letter == "a"
                strides = 2 if first and number else 1
                name = f"{block}{letter}"
                setattr(
                    self, name, Block(name, channels, filters, strides, first)
                )
                channels = 4 * filters
        self.l5a = conv("l5a", 1, channels, 3)

    def __call__(self, x):
        x = tf.nn.relu(normalise(convolve(x, self.conv1, 2), self.bn_conv1))
        x = tf.nn.max_pool2d(x, 3, 2, "VALID")
        for block, letters in LETTERS.items():
            for letter in letters:
                x = getattr(self, f"{block}{letter}")(x)
        return x


class Attention(tf.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = conv("attention/conv1", 1, channels, 512)
        self.bn_conv1 = batch_norm("attention/bn", 512)
        self.conv2 = conv("attention/conv2", 1, 512, 1)

    def __call__(self, x):
        x = tf.nn.relu(normalise(convolve(x, self.conv1), self.bn_conv1))
        return tf.nn.softplus(convolve(x, self.conv2))[..., 0]


class Autoencoder(tf.Module):
    def __init__(self, channels, dimension):
        super().__init__()
        self.conv1 = conv("autoencoder/conv1", 1, channels, dimension)
        self.conv2 = conv("autoencoder/conv2", 1, dimension, channels)


class Model(tf.Module):
    """The network inside of an export."""

    def __init__(self, dimension):
        super().__init__()
        self.backbone = Backbone()
        self.attention = Attention(16 * WIDTH)
        if dimension:
            self.autoencoder = Autoencoder(16 * WIDTH, dimension)

    def __call__(self, pixels, strides):
        features = self.backbone((pixels - 128) / 128)[:, ::strides, ::strides]
        if not hasattr(self, "autoencoder"):
            return features, self.attention(features)
        reduced = convolve(features, self.autoencoder.conv1)
        restored = tf.nn.relu(convolve(reduced, self.autoencoder.conv2))
        return reduced, self.attention(restored)


class Export(tf.Module):
    def __init__(self, dimension):
        super().__init__()
        self._model = Model(dimension)


@pytest.mark.parametrize("dimension", [None, 12])
@pytest.mark.parametrize("stride", [16, 32])
def test_equals_the_network(tmp_path, make_photograph, dimension, stride):
    module = Export(dimension)
    tf.saved_model.save(module, str(tmp_path / "export"))
    imported = import_weights(tmp_path / "export", output_stride=stride)

    assert imported.model.resampling == "tf2"
    assert [n for n in imported.left_out if "l5a" in n and "kernel" in n]
    for size in ((97, 130), (64, 96)):
        image = make_photograph(*size)[None]
        features, scores = module._model(
            tf.cast(image, tf.float32), stride // 16
        )
        outputs = imported.model(image)
        for received, expected in (
            (outputs["features"], features),
            (outputs["attention_scores"], scores),
        ):
            np.testing.assert_allclose(
                received, expected, rtol=1e-4, atol=1e-4 * np.max(expected)
            )
        shape = imported.model.backbone.compute_output_shape((1, *size, 3))
        assert shape[1:3] == scores.shape[1:]


def test_extraction(tmp_path, make_photograph):
    """Descriptors are those of the autoencoder; no PCA is needed."""
    tf.saved_model.save(Export(12), str(tmp_path / "export"))
    imported = import_weights(tmp_path / "export")
    options = ExtractionOptions(
        scales=(1.0,), max_features=10, min_image_size=0
    )
    features = Extractor(imported.model, options=options).extract(
        make_photograph(130, 160)
    )
    assert imported.pca is None
    assert features.descriptors.shape == (10, 12)
    np.testing.assert_allclose(features.locations % 32, 0)
