"""Features as circles on their photograph."""

import numpy as np
import pytest
from matplotlib.collections import EllipseCollection
from PIL import Image

from delf_keras.features.local_features import LocalFeatures
from delf_keras.visualization.attention import _attention_sheet, draw_attention

IMAGE = np.full((300, 400, 3), (200, 100, 50), np.uint8)

# The photograph is 800 units wide, 2 to a pixel, and 10 from the edge; there
# are 1.5 dots to a unit.
DOTS = 3.0
EDGE = 15


def make_features(locations, scores, scales, image_size=(300, 400)):
    return LocalFeatures(
        locations=locations,
        descriptors=np.zeros((len(scores), 4)),
        scores=scores,
        scales=scales,
        image_size=image_size,
    )


NO_FEATURES = make_features(np.zeros((0, 2)), np.zeros(0), np.zeros(0))
FEATURES = make_features(
    [[100, 100], [200, 300], [150, 200]], [400, 100, 250], [1, 2, 4]
)


def draw(path, features):
    draw_attention(path, IMAGE, features)
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def circles_of(figure):
    (axes,) = figure.axes
    return [c for c in axes.collections if isinstance(c, EllipseCollection)]


def colored(picture):
    """Which dots of the photograph are not grey."""
    inside = picture[EDGE : EDGE + 900, EDGE : EDGE + 1200]
    return np.ptp(inside, axis=2) > 40


@pytest.mark.parametrize("scale", [0.5, 1, 2, 4])
def test_circle_is_as_wide_as_the_scale(tmp_path, scale):
    features = make_features([[150, 200]], [1.0], [scale])
    rows, columns = np.nonzero(colored(draw(tmp_path / "a.png", features)))

    # The ink of the line is 2.5 dots wide.
    expected = 24 * scale * DOTS + 2.5
    assert abs(np.ptp(columns) + 1 - expected) <= 2
    assert abs(np.ptp(rows) + 1 - expected) <= 2
    assert abs((columns.min() + columns.max()) / 2 - 200.5 * DOTS) <= 1.5
    assert abs((rows.min() + rows.max()) / 2 - 150.5 * DOTS) <= 1.5


def test_photograph_is_dark_grey(tmp_path):
    picture = draw(tmp_path / "a.png", NO_FEATURES)
    assert picture.shape == (930, 1230, 3)
    luma = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    np.testing.assert_allclose(picture[20:-20, 20:-20], 0.55 * luma, atol=1)
    assert (picture[[0, -1]] == 255).all()


def test_stronger_is_brighter_and_on_top():
    (circles,) = circles_of(_attention_sheet(IMAGE, FEATURES))
    np.testing.assert_array_equal(circles.get_array(), [100, 250, 400])
    circles.update_scalarmappable()
    brightness = circles.get_edgecolor()[:, :3].sum(axis=1)
    assert (np.diff(brightness) > 0.3).all()
    assert brightness[0] > 0.8


def test_bar_names_the_extreme_scores(tmp_path):
    figure = _attention_sheet(IMAGE, FEATURES)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["400", "100", "attention score"]

    picture = draw(tmp_path / "a.png", FEATURES)
    bar = picture[EDGE + 2 : EDGE + 898, int(1.5 * (10 + 800 + 10 + 6))]
    assert (np.diff(bar.sum(axis=1)) <= 3).all()
    assert bar[0].sum() > bar[-1].sum() + 300


def test_circles_end_at_the_photograph(tmp_path):
    corner = make_features([[299, 399], [150, 200]], [2.0, 1.0], [4, 1])
    picture = draw(tmp_path / "a.png", corner)
    assert colored(picture)[-140:, -140:].any()
    below = picture[EDGE + 902 :, : EDGE + 1200]
    beside = picture[:, EDGE + 1202 : EDGE + 1213]
    assert (below == 255).all()
    assert (beside == 255).all()


def test_equal_scores(tmp_path):
    features = make_features([[10, 10], [90, 90]], [5.0, 5.0], [1, 1])
    assert colored(draw(tmp_path / "a.png", features)).any()


def test_no_features_no_bar():
    figure = _attention_sheet(IMAGE, NO_FEATURES)
    assert not circles_of(figure)
    assert not figure.axes[0].texts
    assert len(figure.axes[0].images) == 1


@pytest.mark.parametrize("image_size", [(0, 0), (300, 400)])
def test_size_may_be_unknown(tmp_path, image_size):
    features = make_features([[10, 10]], [1.0], [1], image_size)
    draw_attention(tmp_path / "a.pdf", IMAGE, features)
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")


def test_wrong_arguments_are_refused(tmp_path):
    path = tmp_path / "a.png"
    with pytest.raises(ValueError, match="image must be a uint8"):
        draw_attention(path, IMAGE[..., 0], FEATURES)
    with pytest.raises(ValueError, match=r"image_size=\(300, 400\)"):
        draw_attention(path, IMAGE[:200], FEATURES)
    with pytest.raises(ValueError, match="must end in"):
        draw_attention(tmp_path / "a.bmp", IMAGE, FEATURES)
    assert not list(tmp_path.iterdir())
