"""Photographs without a landmark."""

import numpy as np
import pytest

from delf_keras.datasets.synthetic import render_distractor


@pytest.mark.parametrize("seed", range(6))
def test_every_kind_is_a_picture_of_something(seed):
    image = render_distractor(seed, (120, 160))
    assert image.shape == (120, 160, 3)
    assert image.dtype == np.uint8
    assert image.std() > 15


def test_the_same_seed_gives_the_same_pixels():
    first, second = render_distractor(3), render_distractor(3)
    np.testing.assert_array_equal(first, second)
    assert first.shape == (480, 640, 3)


def test_seeds_of_the_same_kind_differ():
    first, second = render_distractor(2), render_distractor(2 + 6)
    assert np.abs(first.astype(float) - second).mean() > 10


@pytest.mark.parametrize(
    ("arguments", "name"), [((-1,), "seed"), ((0, (20, 20)), "size")]
)
def test_refuses_what_it_cannot_draw(arguments, name):
    with pytest.raises(ValueError, match=f"Received: {name}="):
        render_distractor(*arguments)
