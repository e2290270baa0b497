"""Sizes, resizing and locations of the image pyramid."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from delf_keras.features import pyramid


def size_tensor(height, width):
    return tf.constant([height, width], tf.float32)


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


def bilinear(image, size, half_pixel_centers):
    """Interpolates between the two nearest pixels along each axis."""
    for axis, length in enumerate(size):
        scale = image.shape[axis] / length
        shift = 0.5 if half_pixel_centers else 0.0
        places = (np.arange(length) + shift) * scale - shift
        places = np.clip(places, 0, image.shape[axis] - 1)
        first = np.floor(places).astype(int)
        second = np.minimum(first + 1, image.shape[axis] - 1)
        weight = (places - first).reshape(-1, *[1] * (2 - axis))
        image = (1 - weight) * image.take(first, axis) + weight * image.take(
            second, axis
        )
    return image


@pytest.mark.parametrize("size", [(31, 42), (122, 166), (61, 120)])
@pytest.mark.parametrize("resampling", ["tf1", "tf2"])
def test_resize_as_tensorflow_does(make_photograph, size, resampling):
    image = make_photograph(61, 83)
    resized = pyramid.resize(image[None], size_tensor(*size), resampling)
    expected = bilinear(image.astype(float), size, resampling == "tf2")

    np.testing.assert_allclose(resized[0], expected, atol=1e-3)


def test_cell_origins():
    """`stride * index` of row and column, row by row."""
    origins = pyramid.cell_origins(tf.constant([3, 4]), 16).numpy()
    index = [(row, column) for row in range(3) for column in range(4)]

    assert origins.dtype == np.float32 and origins.shape == (12, 2)
    np.testing.assert_array_equal(origins, 16 * np.array(index))


def test_points_and_corners_of_a_level():
    """The first center of a quarter is that of the first four by four."""
    sizes = size_tensor(400, 200), size_tensor(100, 50)
    points = pyramid.to_image(tf.constant([[0.0, 49.0]]), *sizes)
    corners = pyramid.to_image(tf.constant([[-0.5, 0.0, 0.0, 49.0]]), *sizes)

    np.testing.assert_array_equal(points, [[1.5, 197.5]])
    np.testing.assert_array_equal(corners, [[-0.5, 1.5, 1.5, 197.5]])
