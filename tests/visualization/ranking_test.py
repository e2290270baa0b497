"""A search as a picture."""

import dataclasses

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from PIL import Image

from delf_keras.visualization.ranking import (
    RankedImage,
    _ranking_sheet,
    draw_ranking,
)

QUERY = np.full((60, 80, 3), 90, np.uint8)
GREEN, GREY = "#1a9850", "#b0b0b0"


def make_results(inlier_counts):
    generator = np.random.default_rng(0)
    return [
        RankedImage(
            np.full((60, 80, 3), (10 * index, 200, 100), np.uint8),
            f"photograph_{index}.jpg",
            generator.uniform(0, 60, (count, 2)),
            generator.uniform(0, 60, (count, 2)),
            score=count + 0.25,
        )
        for index, count in enumerate(inlier_counts)
    ]


def texts_of(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def lines_of(figure):
    collections = figure.axes[0].collections
    return [c for c in collections if isinstance(c, LineCollection)]


def frames_of(figure):
    frames = [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    return [frame for frame in frames if frame.get_edgecolor()[3] > 0]


def overlap(a, b):
    """Whether two boxes (left, right, bottom, top) share an area."""
    return a[0] < b[1] and b[0] < a[1] and a[3] < b[2] and b[3] < a[2]


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_picture_of_a_search(tmp_path, suffix):
    path = tmp_path / f"search.{suffix}"
    draw_ranking(path, QUERY, make_results([30, 12, 5, 4, 0]))
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    height, width, _ = pixels.shape
    assert width == 2250
    assert 600 < height < 1200
    # A row through the results meets the photographs in their order.
    row = pixels[int(1.5 * 120)]
    places = []
    for index in range(5):
        near = abs(row - (10 * index, 200, 100)).max(axis=1) <= 3
        assert near.sum() > 200
        places.append(np.flatnonzero(near).mean())
    assert places == sorted(places)
    # The query stands left of them all.
    assert np.flatnonzero((row == 90).all(axis=1)).max() < places[0]


def test_captions():
    figure = _ranking_sheet(QUERY, make_results([30, 1, 0]), 5)
    texts = texts_of(figure)
    assert texts.count("Query") == 1
    assert texts.count("3 results, 2 verified") == 1
    assert texts.count("photograph_2.jpg") == 1
    assert texts.count("30 inliers  ·  score 30.2") == 1
    assert texts.count("1 inlier  ·  score 1.25") == 1
    assert texts.count("not verified  ·  score 0.25") == 1
    # Once with the photographs, once more with the matches.
    assert [texts.count(rank) for rank in "123"] == [2, 2, 1]
    assert texts.count("photograph_0.jpg") == 2


def test_score_may_be_unknown_or_large():
    results = [
        RankedImage(QUERY, "a.jpg", [[1, 2]], [[3, 4]]),
        RankedImage(QUERY, "b.jpg", score=12345.6),
    ]
    texts = texts_of(_ranking_sheet(QUERY, results, 5))
    assert texts.count("1 inlier") == 2
    assert texts.count("not verified  ·  score 12346") == 1


def test_long_names_are_cut_in_the_middle():
    results = [RankedImage(QUERY, "a" * 50 + "W" * 50 + "17.jpg")]
    (name,) = [
        t for t in texts_of(_ranking_sheet(QUERY, results, 5)) if "…" in t
    ]
    assert name.startswith("aaaa")
    assert name.endswith("17.jpg")


def test_frames_tell_the_verified():
    figure = _ranking_sheet(QUERY, make_results([30, 0, 5, 0]), 5)
    colors = [to_hex(frame.get_edgecolor()) for frame in frames_of(figure)]
    assert colors == [GREEN, GREY, GREEN, GREY]


def test_matches_of_the_first_three_verified():
    figure = _ranking_sheet(QUERY, make_results([0, 30, 12, 5, 4]), 5)
    counts = [len(lines.get_segments()) for lines in lines_of(figure)]
    assert counts == [30, 12, 5]
    # The query, five results, and three pairs.
    assert len(figure.axes[0].images) == 1 + 5 + 2 * 3


def test_a_photograph_that_cannot_be_read_keeps_its_place():
    results = make_results([30, 12, 5])
    results[0] = dataclasses.replace(results[0], image=None)
    figure = _ranking_sheet(QUERY, results, 5)
    texts = texts_of(figure)

    assert texts.count("3 results, 3 verified") == 1
    assert texts.count("cannot be read") == 1
    assert texts.count("30 inliers  ·  score 30.2") == 1
    assert [texts.count(rank) for rank in "123"] == [1, 2, 2]
    assert [len(each.get_segments()) for each in lines_of(figure)] == [12, 5]


def test_matches_of_tall_photographs_stay_small():
    tall = np.zeros((400, 100, 3), np.uint8)
    result = RankedImage(tall, "a.jpg", [[1, 2]], [[3, 4]])
    image = _ranking_sheet(tall, [result], 5).axes[0].images[-1]
    _, _, bottom, top = image.get_extent()
    np.testing.assert_allclose(bottom - top, 300)


def test_nothing_verified():
    figure = _ranking_sheet(QUERY, make_results([0, 0]), 5)
    assert not lines_of(figure)
    assert len(figure.axes[0].images) == 3


def test_nothing_found(tmp_path):
    draw_ranking(tmp_path / "search.png", QUERY, [])
    figure = _ranking_sheet(QUERY, [], 5)
    assert len(figure.axes[0].images) == 1
    assert texts_of(figure) == ["Query", "0 results, 0 verified"]


@pytest.mark.parametrize("shape", [(60, 80), (80, 60), (20, 400), (400, 20)])
@pytest.mark.parametrize("count, columns", [(1, 5), (7, 5), (23, 8), (3, 1)])
def test_nothing_overlaps_or_leaves_the_sheet(shape, count, columns):
    image = np.zeros((*shape, 3), np.uint8)
    result = RankedImage(image, "a.jpg", [[1, 2]], [[3, 4]])
    figure = _ranking_sheet(image, [result] * count, columns)
    (axes,) = figure.axes
    right, bottom = axes.get_xlim()[1], axes.get_ylim()[0]

    extents = [shown.get_extent() for shown in axes.images]
    assert len(extents) == 1 + count + 2 * min(count, 3)
    for index, extent in enumerate(extents):
        assert 0 < extent[0] < extent[1] < right
        assert 0 < extent[3] < extent[2] < bottom
        np.testing.assert_allclose(
            (extent[1] - extent[0]) / (extent[2] - extent[3]),
            shape[1] / shape[0],
            rtol=1e-6,
        )
        assert not any(overlap(extent, other) for other in extents[:index])


def test_two_rows_are_as_high_as_the_query():
    figure = _ranking_sheet(QUERY, make_results([0] * 10), 5)
    query = figure.axes[0].images[0].get_extent()
    last = frames_of(figure)[-1].get_bbox()
    assert abs(query[2] - (last.y1 + 36)) < 1e-6
    assert query[1] - query[0] > 2 * last.width


def test_inliers_of_a_result_pair_up():
    assert RankedImage(QUERY, "a.jpg").num_inliers == 0
    assert RankedImage(QUERY, "a.jpg", [[1, 2]], [[3, 4]]).num_inliers == 1
    with pytest.raises(ValueError, match="query_locations and image_locations"):
        RankedImage(QUERY, "a.jpg", [[1, 2]], [])


def test_wrong_arguments_are_refused(tmp_path):
    path = tmp_path / "search.png"
    with pytest.raises(ValueError, match="image must be a uint8"):
        RankedImage(QUERY[..., 0], "a.jpg")
    with pytest.raises(ValueError, match="query_image must be a uint8"):
        draw_ranking(path, QUERY[..., 0], [])
    with pytest.raises(ValueError, match="columns must be at least 1"):
        draw_ranking(path, QUERY, [], columns=0)
    with pytest.raises(ValueError, match="must end in"):
        draw_ranking(tmp_path / "search.svg", QUERY, [])
    assert not list(tmp_path.iterdir())


def test_few_inliers_can_be_left_unverified():
    ends = [[1.0, 2.0]], [[3.0, 4.0]]
    assert RankedImage(QUERY, "a.jpg", *ends).verified
    assert not RankedImage(QUERY, "a.jpg", *ends, verified=False).verified
    assert not RankedImage(QUERY, "a.jpg").verified
