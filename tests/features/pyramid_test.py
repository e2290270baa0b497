"""Sizes, resizing and locations of the image pyramid."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from delf_keras.features import pyramid


def size_tensor(height, width):
    return tf.constant([height, width], tf.float32)


def test_default_scales_are_those_of_the_paper():
    np.testing.assert_allclose(
        pyramid.DEFAULT_SCALES,
        [0.25, 0.3536, 0.5, 0.7071, 1.0, 1.4142, 2.0],
        atol=5e-5,
    )


@pytest.mark.parametrize(
    ("size", "scale", "expected"),
    [
        ((768, 1024), 1.0, (768, 1024)),
        ((768, 1024), 2**-0.5, (543, 724)),
        ((684, 1000), 0.25, (171, 250)),
        ((684, 999), 2**0.5, (967, 1413)),
        ((1, 3), 0.25, (1, 1)),
    ],
)
def test_level_size(size, scale, expected):
    level = pyramid.level_size(size_tensor(*size), scale).numpy()
    assert tuple(level) == expected


@pytest.mark.parametrize(
    ("size", "limit", "expected"),
    [
        ((768, 1024), 512, 0.5),
        ((1024, 300), 512, 0.5),
        ((300, 400), 512, 1.0),
        ((300, 400), 400, 1.0),
        ((3000, 4000), 0, 1.0),
    ],
)
def test_fit_scale(size, limit, expected):
    assert pyramid.fit_scale(size_tensor(*size), limit).numpy() == expected


@pytest.mark.parametrize("size", [(31, 42), (45, 20), (122, 166), (61, 120)])
def test_resize_equals_pillow(make_photograph, size):
    """Bilinear; where it shrinks, with the filter as wide as a pixel."""
    image = make_photograph(61, 83).astype(np.float32)
    resized = pyramid.resize(image[None], size_tensor(*size))[0].numpy()
    expected = [
        Image.fromarray(image[..., channel]).resize(
            size[::-1], Image.Resampling.BILINEAR
        )
        for channel in range(3)
    ]

    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, np.stack(expected, -1), atol=2e-3)


def test_resize_to_the_same_size_is_exact(make_photograph):
    images = np.stack([make_photograph(31, 42, seed) for seed in range(2)])
    images = images.astype(np.float32)
    resized = pyramid.resize(images, size_tensor(31, 42))
    np.testing.assert_array_equal(resized, images)


def test_cell_locations():
    """`stride * index / scale`, of row and column, row by row."""
    locations = pyramid.cell_locations(tf.constant([3, 4]), 16, 2**0.5).numpy()
    index = [(row, column) for row in range(3) for column in range(4)]

    assert locations.dtype == np.float32 and locations.shape == (12, 2)
    np.testing.assert_allclose(
        locations, 16 * np.array(index) * 2**0.5, rtol=1e-7
    )
