"""Matches as lines between two photographs."""

import colorsys
import os

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from PIL import Image

from delf_keras.visualization.matches import (
    _matches_sheet,
    draw_matches,
    position_colors,
)

GREY = np.full((60, 80, 3), 128, np.uint8)


def read(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def pixel_of(location, column):
    """Where a pixel of a 60 x 80 photograph is in the picture of two.

    The photographs are 480 units high, 8 apart and 10 from the edge; there
    are 1.5 dots to a unit.
    """
    y, x = location
    left = 10 + column * (640 + 8)
    return int(1.5 * (10 + 8 * (y + 0.5))), int(1.5 * (left + 8 * (x + 0.5)))


def lines_of(figure):
    (axes,) = figure.axes
    return [c for c in axes.collections if isinstance(c, LineCollection)]


def test_photographs_side_by_side(tmp_path):
    left, right = GREY.copy(), GREY.copy()
    left[:30, :40] = [255, 0, 0]
    right[30:, 40:] = [0, 0, 255]
    draw_matches(tmp_path / "a.png", left, right, [], [])

    picture = read(tmp_path / "a.png")
    assert picture.shape == (750, 1962, 3)
    assert list(picture[pixel_of((2, 2), 0)]) == [255, 0, 0]
    assert list(picture[pixel_of((57, 2), 0)]) == [128, 128, 128]
    assert list(picture[pixel_of((2, 77), 0)]) == [128, 128, 128]
    assert list(picture[pixel_of((57, 77), 1)]) == [0, 0, 255]
    assert list(picture[pixel_of((2, 2), 1)]) == [128, 128, 128]
    assert (picture[[0, -1]] == 255).all()
    assert (picture[:, [0, -1, 981]] == 255).all()


def test_lines_end_where_the_matches_are(tmp_path):
    a, b = [[10, 20], [40, 60]], [[15, 10], [50, 30]]
    draw_matches(tmp_path / "a.png", GREY, GREY, a, b)

    picture = read(tmp_path / "a.png")
    colors = np.rint(255 * position_colors(np.array(a, float)))
    for location_a, location_b, color in zip(a, b, colors, strict=True):
        assert abs(picture[pixel_of(location_a, 0)] - color).max() <= 1
        assert abs(picture[pixel_of(location_b, 1)] - color).max() <= 1
    assert abs(colors[0] - colors[1]).max() > 100
    assert list(picture[pixel_of((50, 20), 0)]) == [128, 128, 128]


def test_all_lines_are_one_collection():
    generator = np.random.default_rng(0)
    a, b = generator.uniform(0, 60, (2, 1000, 2))
    large = np.zeros((240, 320, 3), np.uint8)
    (lines,) = lines_of(_matches_sheet(GREY, large, a, b, "1000 inliers"))

    segments = np.stack(lines.get_segments())
    assert segments.shape == (1000, 2, 2)
    assert len(np.unique(lines.get_colors(), axis=0)) > 990
    # 8 and 2 units to a pixel, the title's line 26 high.
    np.testing.assert_allclose(
        segments[:, 0], (10, 36) + 8 * (a[:, ::-1] + 0.5), rtol=1e-12
    )
    np.testing.assert_allclose(
        segments[:, 1], (658, 36) + 2 * (b[:, ::-1] + 0.5), rtol=1e-12
    )


def test_no_matches_leave_the_photographs(tmp_path):
    empty = np.zeros((0, 2))
    assert not lines_of(_matches_sheet(GREY, GREY, empty, empty, ""))
    draw_matches(tmp_path / "a.png", GREY, GREY, empty, empty)

    # Grey photographs on white paper, and what is between at their edges.
    picture = read(tmp_path / "a.png")
    assert np.ptp(picture, axis=2).max() == 0
    assert set(np.unique(picture[20:-20, 20:900])) == {128}


def test_photographs_have_one_height():
    tall = np.zeros((200, 50, 3), np.uint8)
    figure = _matches_sheet(GREY, tall, np.zeros((0, 2)), np.zeros((0, 2)), "")
    left, right = (image.get_extent() for image in figure.axes[0].images)
    np.testing.assert_allclose(left, [10, 650, 490, 10])
    np.testing.assert_allclose(right, [658, 778, 490, 10])


def test_panoramas_fit_the_sheet(tmp_path):
    strip = np.zeros((10, 5000, 3), np.uint8)
    draw_matches(tmp_path / "a.png", strip, strip, [[5, 5]], [[5, 4000]])
    assert read(tmp_path / "a.png").shape[1] == 1.5 * (2400 + 20)


def test_title_stands_above(tmp_path):
    draw_matches(tmp_path / "a.png", GREY, GREY, [], [], title="73 inliers")

    picture = read(tmp_path / "a.png")
    assert picture.shape == (789, 1962, 3)
    line = picture[:50]
    assert line.min() < 80
    assert (line[:, 300:] == 255).all()
    figure = _matches_sheet(
        GREY, GREY, np.zeros((0, 2)), np.zeros((0, 2)), "73 inliers"
    )
    assert [text.get_text() for text in figure.axes[0].texts] == ["73 inliers"]


def test_colors_tell_the_position():
    y, x = np.mgrid[0:1:5j, 0:1:5j]
    colors = position_colors(np.stack([y.ravel(), x.ravel()], axis=1))
    hsv = np.array([colorsys.rgb_to_hsv(*color) for color in colors])
    hue, saturation, value = hsv.T.reshape(3, 5, 5)

    assert (np.diff(hue, axis=1) > 0.1).all()
    np.testing.assert_allclose(np.ptp(hue, axis=0), 0, atol=1e-9)
    assert (np.diff(saturation, axis=0) > 0.05).all()
    assert (np.diff(value, axis=0) < -0.05).all()
    assert hue[0, 0] == 0


def test_colors_follow_moves_and_zooms():
    locations = np.random.default_rng(0).uniform(0, 100, (20, 2))
    np.testing.assert_allclose(
        position_colors(locations), position_colors(3 * locations + 50)
    )


@pytest.mark.parametrize(
    "locations", [[[5.0, 7.0]], [[5.0, 7.0]] * 3, [[1.0, 7.0], [5.0, 7.0]]]
)
def test_locations_on_a_point_or_line_have_colors(locations):
    colors = position_colors(np.array(locations))
    assert colors.shape == (len(locations), 3)
    assert np.isfinite(colors).all()


@pytest.mark.parametrize(
    "name, changes, message",
    [
        ("a.gif", {}, "must end in"),
        ("a.png", {"image_a": GREY[..., 0]}, "image_a must be a uint8"),
        ("a.png", {"image_b": GREY / 255}, "image_b must be a uint8"),
        ("a.png", {"locations_b": [[1, 2]]}, "locations_a and locations_b"),
        ("a.png", {"locations_a": [1, 2]}, "locations_a must be"),
    ],
)
def test_wrong_arguments_write_nothing(tmp_path, name, changes, message):
    arguments = {
        "image_a": GREY,
        "image_b": GREY,
        "locations_a": [[1, 2], [3, 4]],
        "locations_b": [[1, 2], [3, 4]],
        **changes,
    }
    with pytest.raises(ValueError, match=message):
        draw_matches(tmp_path / name, **arguments)
    assert os.listdir(tmp_path) == []
