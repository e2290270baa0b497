"""The autoencoder against its formula in NumPy."""

import keras
import numpy as np
import pytest

from delf_keras.models.autoencoder import Autoencoder


@pytest.fixture
def make_autoencoder(randomise):
    """A function that makes one from 6 channels to 4, with random weights."""

    def make_autoencoder(**options):
        layer = Autoencoder(4, 6, **options)
        layer.build((None, None, None, 6))
        return randomise(layer)

    return make_autoencoder


@pytest.fixture
def features():
    rng = np.random.default_rng(1)
    return rng.normal(0, 3, (2, 5, 7, 6)).astype(np.float32)


def test_formula(make_autoencoder, features):
    layer = make_autoencoder()
    (encode, shift), (decode, bias) = (
        map(keras.ops.convert_to_numpy, part.weights)
        for part in (layer.encoder, layer.decoder)
    )
    reduced, restored = map(keras.ops.convert_to_numpy, layer(features))
    expected = features @ encode[0, 0] + shift

    assert reduced.shape == (2, 5, 7, 4) and restored.shape == (2, 5, 7, 6)
    np.testing.assert_allclose(reduced, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        restored,
        np.maximum(expected @ decode[0, 0] + bias, 0),
        rtol=1e-5,
        atol=1e-5,
    )


def test_mixed_precision(make_autoencoder, features):
    exact = make_autoencoder()(features)
    mixed = make_autoencoder(dtype="mixed_bfloat16")(features)

    for received, expected in zip(mixed, exact, strict=True):
        dtype = keras.backend.standardize_dtype(received.dtype)
        assert dtype == "bfloat16"
        received = keras.ops.convert_to_numpy(
            keras.ops.cast(received, "float32")
        )
        expected = keras.ops.convert_to_numpy(expected)
        assert np.abs(received - expected).max() < 0.03 * expected.max()


def test_symbolic_output():
    """The shapes in a functional model."""
    features = keras.KerasTensor((None, None, None, 6))
    reduced, restored = Autoencoder(4, 6)(features)

    assert reduced.shape == (None, None, None, 4)
    assert restored.shape == (None, None, None, 6)


def test_config():
    layer = Autoencoder(4, 6, name="autoencoder")
    copy = Autoencoder.from_config(layer.get_config())

    assert copy.get_config() == layer.get_config()
    assert (copy.dimension, copy.channels) == (4, 6)
