"""Pixel scaling, against keras.applications and the formula."""

import keras
import numpy as np
import pytest

from delf_keras.models.pixels import PixelScaling


def random_pixels(seed=1):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (2, 9, 11, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("scaling", "network"),
    [
        ("caffe", "resnet50"),
        ("tf", "mobilenet_v2"),
        ("torch", "densenet"),
        ("none", "efficientnet_v2"),
    ],
)
def test_is_the_preprocessing_of_keras_applications(scaling, network):
    pixels = random_pixels()
    expected = getattr(keras.applications, network).preprocess_input(
        pixels.astype(np.float32)
    )
    scaled = np.asarray(PixelScaling(scaling)(pixels))

    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, expected, atol=1e-5)


def test_tf_models_formula():
    pixels = random_pixels()
    scaled = np.asarray(PixelScaling("tf_models")(pixels))

    np.testing.assert_array_equal(
        scaled, (pixels.astype(np.float32) - 128) / 128
    )
    assert -1 <= scaled.min() and scaled.max() < 1


@pytest.mark.parametrize("scaling", ["caffe", "tf_models"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_any_type_of_pixel_gives_the_same(scaling, dtype):
    pixels = random_pixels()
    layer = PixelScaling(scaling)

    np.testing.assert_array_equal(layer(pixels.astype(dtype)), layer(pixels))


def test_mixed_precision_rounds_only_the_result(compute):
    # Pixels of a resized photograph; bytes would be exact in bfloat16.
    pixels = random_pixels() * np.float32(0.99)
    exact = compute(PixelScaling("caffe"), pixels)
    scaled = compute(PixelScaling("caffe", dtype="mixed_bfloat16"), pixels)

    assert keras.backend.standardize_dtype(scaled.dtype) == "bfloat16"
    # Eight bits of precision. Rounded before the mean is taken off, a pixel
    # near the mean would be wrong by half a grey level.
    np.testing.assert_allclose(scaled.astype(np.float32), exact, rtol=2**-8)


def test_unknown_scaling():
    with pytest.raises(
        ValueError, match=r"one of \['caffe', .*scaling='pytorch'"
    ):
        PixelScaling("pytorch")


def test_config():
    layer = PixelScaling("tf_models", dtype="mixed_bfloat16")
    copy = PixelScaling.from_config(layer.get_config())

    assert copy.get_config() == layer.get_config()
    assert copy.scaling == "tf_models" and copy.compute_dtype == "bfloat16"
