"""Landmarks seen from the front."""

import cv2
import numpy as np
import pytest

from delf_keras.datasets.synthetic import render_landmark
from delf_keras.datasets.synthetic.facades import drawn_facade, facade_pixels
from delf_keras.datasets.synthetic.plans import PLANS

SMALL = (192, 160)


def forget():
    """Empties the caches, so that the same seed is drawn anew."""
    drawn_facade.cache_clear()
    facade_pixels.cache_clear()


def test_is_an_rgb_image_of_768_pixels_unless_told_otherwise():
    image = render_landmark(0)
    assert image.shape == (768, 768, 3)
    assert image.dtype == np.uint8


def test_the_same_seed_gives_the_same_pixels():
    forget()
    first = render_landmark(3, SMALL)
    forget()
    np.testing.assert_array_equal(render_landmark(3, SMALL), first)


def test_changing_a_result_does_not_change_the_next():
    image = render_landmark(3, SMALL)
    before = image.copy()
    image[...] = 0
    np.testing.assert_array_equal(render_landmark(3, SMALL), before)


def test_seeds_of_the_same_kind_of_building_differ():
    kinds = len(PLANS)
    images = [
        render_landmark(seed, SMALL).astype(float)
        for seed in (1, 1 + kinds, 1 + 2 * kinds)
    ]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(images[first] - images[second]).mean() > 15


@pytest.mark.parametrize("seed", range(len(PLANS)))
def test_every_kind_of_building_stands_before_the_sky(seed):
    opacity = facade_pixels(seed, SMALL, 0)[..., 3]
    assert opacity[-3:].max() == 255
    assert opacity[:3].max() == 0 or opacity[:3].mean() < 30
    assert 0.3 < (opacity > 127).mean() < 0.95


@pytest.mark.parametrize("seed", range(len(PLANS)))
def test_a_facade_is_full_of_detail(seed):
    grey = cv2.cvtColor(render_landmark(seed), cv2.COLOR_RGB2GRAY)
    assert len(cv2.SIFT_create().detect(grey, None)) > 1000


def test_the_sun_moves():
    left, right = (
        facade_pixels(6, SMALL, light)[..., :3].astype(float)
        for light in (0, 1)
    )
    assert np.abs(left - right).mean() > 5


@pytest.mark.parametrize("size", [(95, 200), (200, 0), 200, (200, 200, 3)])
def test_refuses_a_size_that_is_none(size):
    with pytest.raises(ValueError, match="Received: size="):
        render_landmark(0, size)


@pytest.mark.parametrize("seed", [-1, 0.5, None])
def test_refuses_a_seed_that_is_none(seed):
    with pytest.raises(ValueError, match="Received: landmark_seed="):
        render_landmark(seed)
