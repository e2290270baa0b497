"""Precision and recall as a picture."""

import os

import numpy as np
import pytest
from PIL import Image

from delf_keras.evaluation import precision_recall_over_queries
from delf_keras.visualization import draw_precision_recall
from delf_keras.visualization.precision_recall import _curves_sheet


def make_curve(seed=0, num_missing=10):
    rng = np.random.default_rng(seed)
    relevant = rng.random(400) < 0.3
    scores = np.round(rng.normal(relevant, 1), 1)
    return precision_recall_over_queries(
        [scores], [relevant], int(relevant.sum()) + num_missing
    )


HALF = precision_recall_over_queries([[3, 2]], [[True, False]], 2)
EMPTY = precision_recall_over_queries([[]], [[]], 2)


def texts_of(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def lines_of(figure):
    return figure.axes[1].lines


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_picture(tmp_path, suffix):
    path = tmp_path / f"curves.{suffix}"
    draw_precision_recall(path, {"DELF": make_curve(), "half": HALF})
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert pixels.shape == (810, 1482, 3)
    # The first line is blue, and most of the sheet white.
    blue = abs(pixels - (0x1F, 0x77, 0xB4)).max(axis=2) < 30
    assert blue.sum() > 1000
    assert (pixels > 250).all(axis=2).mean() > 0.9
    assert os.listdir(tmp_path) == [path.name]


def test_pdf_file(tmp_path):
    draw_precision_recall(tmp_path / "curves.pdf", {"DELF": make_curve()})
    contents = (tmp_path / "curves.pdf").read_bytes()
    assert contents.startswith(b"%PDF-")


def test_legend_names_curves_and_their_average_precision():
    figure = _curves_sheet({"$a$ <b>": make_curve(), "half": HALF})
    average_precision = 100 * make_curve().average_precision
    assert texts_of(figure) == [
        "$a$ <b>",
        f"AP {average_precision:.1f}%",
        "half",
        "AP 50.0%",
    ]
    samples = figure.axes[0].lines
    for sample, line in zip(samples, lines_of(figure), strict=True):
        assert sample.get_color() == line.get_color()
        assert sample.get_linestyle() == line.get_linestyle()


@pytest.mark.parametrize("seed", range(3))
def test_area_under_a_line_is_the_average_precision(seed):
    curve = make_curve(seed)
    (line,) = lines_of(_curves_sheet({"DELF": curve}))
    x, y = line.get_data()
    area = np.diff(x) @ (y[1:] + y[:-1]) / 2
    assert area == pytest.approx(curve.average_precision, abs=1e-12)
    assert x[0] == 0
    assert x[-1] == curve.recall[-1]


def test_lines_can_be_told_apart():
    curves = {f"curve {index}": HALF for index in range(20)}
    styles = {
        (line.get_color(), line.get_linestyle())
        for line in lines_of(_curves_sheet(curves))
    }
    assert len(styles) == 20


def test_sheet_grows_with_the_legend():
    one = _curves_sheet({"a": HALF})
    many = _curves_sheet({f"{index}": HALF for index in range(60)})
    _, high = many.get_size_inches()
    assert high > one.get_size_inches()[1]
    lowest = max(text.get_position()[1] for text in many.axes[0].texts)
    assert lowest + 24 < 100 * high
    # The graph keeps its size.
    sizes = [
        figure.axes[1].get_position().height * figure.get_size_inches()[1]
        for figure in (one, many)
    ]
    assert sizes[0] == pytest.approx(sizes[1])


def test_nothing_retrieved(tmp_path):
    draw_precision_recall(tmp_path / "curves.png", {"nothing": EMPTY})
    figure = _curves_sheet({"nothing": EMPTY})
    assert texts_of(figure) == ["nothing", "AP 0.0%"]
    assert not len(lines_of(figure)[0].get_xdata())


def test_wrong_arguments_are_refused(tmp_path):
    path = tmp_path / "curves.png"
    with pytest.raises(ValueError, match="at least one curve.*Received: "):
        draw_precision_recall(path, {})
    of_nothing = precision_recall_over_queries([[1]], [[False]], 0)
    with pytest.raises(ValueError, match="relevant to find.*label='none'"):
        draw_precision_recall(path, {"half": HALF, "none": of_nothing})
    with pytest.raises(ValueError, match="must end in"):
        draw_precision_recall(tmp_path / "curves.svg", {"half": HALF})
    assert not list(tmp_path.iterdir())
