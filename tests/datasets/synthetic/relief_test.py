"""Drawing in relief."""

import numpy as np
import pytest
from skimage import draw

from delf_keras.datasets.synthetic.relief import (
    LIGHTS,
    blank_canvas,
    fill,
    shade,
    tint,
    turn,
    write,
)
from delf_keras.datasets.synthetic.shapes import Box, rectangle

GREY = np.float32([0.4, 0.4, 0.4])
PAGE = Box(0, 0, 200, 200)
BLOCK = Box(80, 80, 120, 120)


@pytest.fixture
def wall():
    """A grey wall of 200 x 200 pixels."""
    canvas = blank_canvas((200, 200))
    fill(canvas, rectangle(PAGE.inset(-5)), GREY)
    return canvas


def test_fills_the_pixels_of_a_polygon(wall):
    corners = np.array([(30.0, 20.0), (170.0, 60.0), (60.0, 180.0)])
    fill(wall, corners, np.float32([1, 0, 0]))
    painted = wall.albedo[..., 1] < 0.2
    expected = draw.polygon2mask((200, 200), corners[:, ::-1])
    # Only the edge, about 400 pixels long, may be counted differently.
    assert (painted != expected).sum() < 400
    assert expected.sum() > 9000


def test_a_second_outline_is_a_hole(wall):
    fill(wall, [rectangle(BLOCK), rectangle(BLOCK.inset(10))], GREY * 2)
    assert wall.albedo[100, 100, 0] == pytest.approx(0.4)
    assert wall.albedo[100, 85, 0] == pytest.approx(0.8)


def test_a_clip_keeps_what_is_inside(wall):
    half = rectangle(Box(80, 80, 100, 120))
    fill(wall, rectangle(BLOCK), GREY * 2, clip=half)
    assert wall.albedo[100, 90, 0] == pytest.approx(0.8)
    assert wall.albedo[100, 110, 0] == pytest.approx(0.4)


@pytest.mark.parametrize("x", [-300, 300])
def test_draws_nothing_beside_the_canvas(wall, x):
    before = wall.albedo.copy()
    beside = Box(x, 20, x + 50, 60)
    fill(wall, rectangle(beside), GREY * 2)
    turn(wall, rectangle(beside), GREY * 2)
    tint(wall, rectangle(beside), 0.5)
    write(wall, beside, "X", GREY * 2)
    np.testing.assert_array_equal(wall.albedo, before)


def test_what_stands_out_throws_a_shadow_away_from_the_sun(wall):
    level = shade(wall, LIGHTS[0])[100, 100].mean()
    fill(wall, rectangle(BLOCK), GREY, rise=40)
    image = shade(wall, LIGHTS[0]).mean(-1)
    # The first sun stands up and to the left.
    assert image[124, 124] < 0.7 * level
    assert image[70, 70] > 0.95 * level


def test_a_raised_canvas_builds_higher(wall):
    fill(wall.raised(8), rectangle(BLOCK), GREY, rise=2)
    assert wall.height[100, 100] == pytest.approx(10 * 200 / 768, rel=1e-5)


def test_a_turned_body_is_lit_on_the_side_of_the_sun(wall):
    turn(wall, rectangle(Box(60, -5, 140, 205)), GREY, depth=1)
    image = shade(wall, LIGHTS[1]).mean(-1)
    assert image[100, 120] > 1.3 * image[100, 80]
    assert wall.height[100, 100] > wall.height[100, 70] > wall.height[100, 50]


def test_tint_multiplies(wall):
    tint(wall, rectangle(BLOCK), 0.5)
    np.testing.assert_allclose(wall.albedo[100, 100], 0.2, rtol=1e-5)


def test_writes_letters_inside_their_box(wall):
    write(wall, Box(20, 60, 180, 100), "MUSEO", np.float32([1, 1, 1]))
    rows, columns = np.nonzero(wall.albedo[..., 0] > 0.7)
    assert len(rows) > 500
    assert 58 <= rows.min() < 66 and 94 < rows.max() <= 102
    assert 18 <= columns.min() < 30 and 165 < columns.max() <= 182
