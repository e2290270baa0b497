"""Outlines."""

import numpy as np
import pytest

from delf_keras.datasets.synthetic import shapes
from delf_keras.datasets.synthetic.shapes import Box

BOX = Box(10.0, 20.0, 50.0, 100.0)


def area(outline):
    """The area inside an outline, by the shoelace formula."""
    x, y = outline.T
    return 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))


def test_columns_and_rows_share_a_box():
    columns = BOX.columns([1, 2, 1])
    assert [column.width for column in columns] == [10, 20, 10]
    assert columns[0].left == BOX.left and columns[-1].right == BOX.right
    rows = BOX.rows([3, 1])
    assert [row.height for row in rows] == [60, 20]


@pytest.mark.parametrize("kind", shapes.ARCHES)
def test_an_arch_stands_in_its_box(kind):
    outline = shapes.arch(BOX, kind)
    low, high = outline.min(0), outline.max(0)
    np.testing.assert_allclose(low, (BOX.left, BOX.top), atol=1e-9)
    np.testing.assert_allclose(high, (BOX.right, BOX.bottom), atol=1e-9)
    # The same on both sides of its axis.
    mirrored = shapes.mirrored(outline, BOX.middle)
    for point in mirrored:
        assert np.abs(outline - point).sum(1).min() < 1e-9


def test_areas_are_those_of_the_textbook():
    assert area(shapes.rectangle(BOX)) == pytest.approx(3200)
    assert area(shapes.triangle(BOX)) == pytest.approx(1600)
    assert area(shapes.trapezium(BOX, 10)) == pytest.approx(2400)
    assert area(shapes.stroke((0, 0), (3, 4), 2)) == pytest.approx(10)
    # A polygon of 40 corners falls short of its circle by 0.4 %.
    assert area(shapes.disc((5, 5), 3)) == pytest.approx(9 * np.pi, rel=0.005)
    quarter = shapes.sector((0, 0), 1, 2, 0, np.pi / 2)
    assert area(quarter) == pytest.approx(0.75 * np.pi, rel=0.01)


def test_a_turned_body_is_as_wide_as_its_profile():
    outline = shapes.turned(BOX, [(0, 1), (0.5, 0.5), (1, 0)])
    at_half = outline[np.isclose(outline[:, 1], 60)]
    assert np.ptp(at_half[:, 0]) == pytest.approx(20)
    assert np.ptp(outline[:, 1]) == pytest.approx(80)


def test_a_polar_curve_starts_upwards():
    outline = shapes.polar((5, 5), [3, 1, 1, 1])
    np.testing.assert_allclose(outline[0], (5, 2))
    np.testing.assert_allclose(outline[1], (6, 5))
