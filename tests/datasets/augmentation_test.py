"""Views against Pillow, SciPy and tf.image."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance
from scipy import ndimage

from delf_keras.datasets import augmentation
from delf_keras.datasets.augmentation import (
    Augmentation,
    augment,
    centre_view,
)


def make_views(image, image_size, resize_size, count, **options):
    """Makes views of the seeds (5, 0), (5, 1)..., as one array."""
    options = Augmentation(**options)

    @tf.function
    def view(seed):
        return augment(image, image_size, resize_size, options, seed)

    return np.stack([view(tf.constant([5, i])).numpy() for i in range(count)])


def pillow_square(image, size):
    """Crops the centre square and resizes it with Pillow, antialiased."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side].astype(np.float32)
    planes = [
        Image.fromarray(square[..., i]).resize((size, size), Image.BILINEAR)
        for i in range(3)
    ]
    return np.stack(planes, axis=-1)


@pytest.mark.parametrize(
    ("height", "width"), [(61, 90), (90, 61), (300, 200), (24, 25), (10, 13)]
)
def test_centre_view_equals_pillow(make_photograph, height, width):
    """Of photographs that shrink, that grow, and that nearly fit."""
    image = make_photograph(height, width)
    view = centre_view(image, 20, 25).numpy()

    assert view.dtype == np.float32
    expected = pillow_square(image, 25)[2:22, 2:22]
    np.testing.assert_allclose(view, expected, atol=2e-3)


def test_centre_crops_are_windows_of_the_resized_square(make_photograph):
    """All 16 of a 20 pixel view of 23 pixels, equally often."""
    image = make_photograph(61, 90)
    square = pillow_square(image, 23)
    windows = np.lib.stride_tricks.sliding_window_view(square, (20, 20), (0, 1))
    windows = windows.transpose(0, 1, 3, 4, 2).reshape(16, 20, 20, 3)
    views = make_views(image, 20, 23, 160)
    differences = np.abs(views[:, None] - windows).max(axis=(2, 3, 4))

    np.testing.assert_allclose(differences.min(axis=1), 0, atol=2e-3)
    counts = np.bincount(differences.argmin(axis=1), minlength=16)
    assert counts.min() >= 3 and counts.max() <= 20


def test_area_crops_have_the_area_and_aspect_of_the_recipe():
    """Seen on a photograph that tells where each of its pixels was."""
    height, width = 180, 240
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([rows, columns, 0 * rows], -1).astype(np.uint8)
    views = make_views(image, 16, 0, 200, crop="area", min_area=0.2)
    # At half a pixel from the border the filter reaches over it.
    steps = (views[:, 8, 8] - views[:, 7, 7])[:, :2] * 16
    aspects = steps[:, 1] / steps[:, 0]
    areas = steps.prod(axis=1) / (height * width)

    assert 0.74 < aspects.min() < 0.8 and 1.25 < aspects.max() < 1.35
    assert 0.19 < areas.min() < 0.25 and 0.8 < areas.max() <= 1.01
    centres = views[:, 7:9, 7:9].mean(axis=(1, 2))[:, :2]
    low, high = centres - steps / 2, centres + steps / 2
    np.testing.assert_allclose(low.clip(max=0), -0.5, atol=0.6)
    assert (high < (height, width)).all()


def test_an_area_crop_equals_pillow(make_photograph):
    """All of the photograph, where nothing less is allowed."""
    image = make_photograph(60, 60)
    view = make_views(image, 25, 25, 1, crop="area", min_area=1.0)[0]
    np.testing.assert_allclose(view, pillow_square(image, 25), atol=2e-3)


def test_flip(make_photograph):
    image = make_photograph(40, 40)
    views = make_views(image, 20, 20, 100, flip=True)
    mirrored = np.array([not np.allclose(view, views[0]) for view in views])

    assert 30 <= mirrored.sum() <= 70
    (other,) = np.unique(views[mirrored], axis=0)
    np.testing.assert_array_equal(other, views[0][:, ::-1])


@pytest.fixture
def draw(monkeypatch):
    """A function that says what is drawn, in the middle unless it says more."""

    def draw(**values):
        draws = [values.pop(name, 0.5) for name in augmentation.DRAWS]
        assert not values
        monkeypatch.setattr(
            tf.random, "stateless_uniform", lambda shape, seed: tf.stack(draws)
        )

    return draw


@pytest.mark.parametrize(
    ("name", "enhance"),
    [
        ("exposure", ImageEnhance.Brightness),
        ("contrast", ImageEnhance.Contrast),
        ("saturation", ImageEnhance.Color),
    ],
)
@pytest.mark.parametrize("value", [0.0, 0.25, 0.5, 1.0])
def test_colours_change_as_those_of_pillow(
    make_photograph, draw, name, enhance, value
):
    """By a factor of 0.7 to 1.3; Pillow computes in whole numbers."""
    image = make_photograph(40, 40)
    draw(**{name: value})
    (view,) = make_views(image, 40, 40, 1, colour=0.6)

    expected = enhance(Image.fromarray(image)).enhance(0.7 + 0.6 * value)
    np.testing.assert_allclose(view, np.asarray(expected), atol=1.5)


@pytest.mark.parametrize("value", [0.0, 0.75])
def test_hue_is_turned_in_yiq(make_photograph, draw, value):
    image = make_photograph(40, 40)
    draw(hue=value)
    (view,) = make_views(image, 40, 40, 1, colour=0.5)

    angle = 0.5 * 0.1 * 2 * np.pi * (2 * value - 1)
    yiq = tf.image.rgb_to_yiq(image / 255.0).numpy()
    turned = (yiq[..., 1] + 1j * yiq[..., 2]) * np.exp(1j * angle)
    yiq = np.stack([yiq[..., 0], turned.real, turned.imag], axis=-1)
    expected = tf.image.yiq_to_rgb(yiq).numpy().clip(0, 1) * 255
    np.testing.assert_allclose(view, expected, atol=0.05)


def test_the_light_has_a_colour(make_photograph, draw):
    image = make_photograph(40, 40)
    draw(red=0.0, green=0.5, blue=1.0)
    (view,) = make_views(image, 40, 40, 1, colour=1.0)
    expected = np.minimum(image * (0.85, 1.0, 1.15), 255)
    np.testing.assert_allclose(view, expected, atol=0.01)


def test_grey_views(make_photograph):
    image = make_photograph(40, 40)
    views = make_views(image, 40, 40, 60, grey=0.25)
    grey = np.ptp(views, axis=3).max(axis=(1, 2)) < 1e-3

    assert 3 <= grey.sum() <= 28
    expected = np.asarray(Image.fromarray(image).convert("L"))[..., None]
    for view in views[grey]:
        np.testing.assert_allclose(view, expected + [0, 0, 0], atol=1.01)
    for view in views[~grey]:
        np.testing.assert_allclose(view, image, atol=0.01)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_blur_is_gaussian(make_photograph, draw, value):
    image = make_photograph(40, 40)
    draw(blur=value)
    (view,) = make_views(image, 40, 40, 1, blur=1.0)

    deviation = 0.5 + value
    expected = ndimage.gaussian_filter(
        image.astype(np.float32),
        (deviation, deviation, 0),
        radius=(4, 4, 0),
        mode="reflect",
    )
    np.testing.assert_allclose(view, expected, atol=1e-3)


def test_views_stay_in_the_range_of_pixels(make_photograph):
    image = make_photograph(40, 40)
    image[:20] = 255
    views = make_views(image, 40, 40, 20, colour=1.0)
    assert views.min() >= 0 and views.max() == 255


def test_views_are_functions_of_the_seed(make_photograph):
    options = {"crop": "area", "flip": True, "colour": 1, "blur": 0.5}
    image = make_photograph(50, 70)
    first = make_views(image, 16, 16, 8, **options)
    second = make_views(image, 16, 16, 8, **options)

    np.testing.assert_array_equal(first, second)
    assert len(np.unique(first, axis=0)) == 8


@pytest.mark.parametrize("crop", ["centre", "area"])
@pytest.mark.parametrize("size", [(10, 10), (10, 400), (300, 11)])
def test_small_photographs_of_one_colour(crop, size):
    image = np.full((*size, 3), 90, np.uint8)
    views = make_views(image, 32, 40, 4, crop=crop, flip=True, blur=0.5)

    assert views.shape == (4, 32, 32, 3) and views.dtype == np.float32
    np.testing.assert_allclose(views, 90, atol=1e-3)


def test_other_options_leave_the_crop_as_it_is(make_photograph):
    image = make_photograph(50, 70)
    plain = make_views(image, 16, 20, 8)
    never = make_views(image, 16, 20, 8, blur=1e-9, grey=1e-9)
    np.testing.assert_allclose(plain, never, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("crop", "center"),
        ("min_area", 0.0),
        ("min_area", 1.1),
        ("colour", -0.1),
        ("grey", 2),
        ("blur", -1),
    ],
)
def test_wrong_options(name, value):
    with pytest.raises(ValueError, match=rf"Received: {name}={value!r}"):
        Augmentation(**{name: value})
