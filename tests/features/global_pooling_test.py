"""Generalised-mean pooling, against its formula in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.extractor import Extractor
from delf_keras.features.global_pooling import global_descriptor


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.fixture
def levels():
    rng = np.random.default_rng(0)
    return [
        np.maximum(rng.normal(0, 1, (2, cells, 8)), 0).astype(np.float32)
        for cells in (12, 20, 48)
    ]


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_equals_the_formula(levels, power):
    options = ExtractionOptions(scales=(0.25, 1.0, 1.4142), global_power=power)
    received = global_descriptor([*map(tf.constant, levels)], options)
    # The level of a quarter is more than half an octave away.
    means = [np.mean(each**power, axis=1) ** (1 / power) for each in levels[1:]]

    np.testing.assert_allclose(
        received, unit(unit(means[0]) + unit(means[1])), atol=1e-5
    )


def test_codes_of_an_autoencoder_keep_their_sign(make_model, make_photograph):
    model = make_model(attention="conv", autoencoder=6)
    image = make_photograph()
    options = ExtractionOptions(
        scales=(1.0,), global_power=3.0, min_image_size=0
    )
    features = Extractor(model, options=options).extract(image)
    dense = model(image[None])["features"][0].numpy()
    expected = unit(np.cbrt(np.mean(dense**3, axis=(0, 1))))

    assert expected.min() < -0.1
    np.testing.assert_allclose(features.global_descriptor, expected, atol=1e-4)


def test_far_levels_if_there_are_no_others(levels):
    options = ExtractionOptions(scales=(0.25,), global_power=1.0)
    received = global_descriptor([tf.constant(levels[0])], options)

    np.testing.assert_allclose(
        received, unit(levels[0].mean(axis=1)), atol=1e-5
    )


def test_extractor_gives_it_if_asked(tiny_model, make_photograph):
    image = make_photograph()
    options = ExtractionOptions(
        scales=(1.0,), global_power=3.0, min_image_size=0
    )
    features = Extractor(tiny_model, options=options).extract(image)
    dense = tiny_model(image[None])["features"][0].numpy()
    expected = unit(np.mean(dense**3, axis=(0, 1)) ** (1 / 3))

    np.testing.assert_allclose(features.global_descriptor, expected, atol=1e-4)
    without = Extractor(tiny_model, options=ExtractionOptions(scales=(1.0,)))
    assert without.extract(image).global_descriptor is None
