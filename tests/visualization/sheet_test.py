"""The sheet that pictures are composed on, and the files it becomes."""

import gc
import os
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageFont

from delf_keras.visualization.sheet import (
    POINT,
    Box,
    check_photograph,
    checked_matches,
    new_sheet,
    place_image,
    save_sheet,
    shortened,
    write_text,
)


def make_sheet(text=""):
    figure, axes = new_sheet(80, 40)
    red = np.full((4, 6, 3), (255, 0, 0), np.uint8)
    place_image(axes, red, Box(10, 10, 30, 20))
    if text:
        write_text(axes, 45, 10, text)
    return figure


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.jpeg", "a.PNG"])
def test_file_is_the_sheet(tmp_path, name):
    save_sheet(make_sheet(), tmp_path / name)

    with Image.open(tmp_path / name) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert pixels.shape == (60, 120, 3)
    tolerance = 0 if name.lower().endswith("png") else 6
    inside, outside = pixels[18:42, 18:57], pixels[:, 64:]
    assert abs(inside - [255, 0, 0]).max() <= tolerance
    assert abs(outside - 255).max() <= tolerance
    assert os.listdir(tmp_path) == [name]


def test_pdf_file(tmp_path):
    save_sheet(make_sheet("text"), tmp_path / "a.pdf")
    contents = (tmp_path / "a.pdf").read_bytes()
    assert contents.startswith(b"%PDF-")
    assert contents.rstrip().endswith(b"%%EOF")


@pytest.mark.parametrize("name", ["a.gif", "a", "png"])
def test_unknown_suffix_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"\.png, \.jpg, \.jpeg, \.pdf"):
        save_sheet(make_sheet(), tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_failure_leaves_the_old_picture(tmp_path, monkeypatch):
    figure = make_sheet()

    def fail(path, **_):
        path.write_bytes(b"half")
        raise OSError("The disk is full.")

    monkeypatch.setattr(figure, "savefig", fail)
    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(OSError, match="full"):
        save_sheet(figure, tmp_path / "a.png")

    assert os.listdir(tmp_path) == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"
    assert not figure.axes


def test_sheet_is_freed(tmp_path):
    figure = make_sheet()
    alive = weakref.ref(figure)
    save_sheet(figure, tmp_path / "a.png")
    assert not figure.axes
    del figure
    gc.collect()
    assert alive() is None


def test_threads_do_not_disturb_each_other(tmp_path):
    paths = [tmp_path / f"{index}.png" for index in range(8)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda path: save_sheet(make_sheet("ab"), path), paths))

    assert len({path.read_bytes() for path in paths}) == 1


def test_matplotlib_is_loaded_late_and_pyplot_never(tmp_path):
    program = f"""
import sys
import delf_keras.visualization as v
loaded = {{"matplotlib", "tensorflow", "cv2"}} & set(sys.modules)
assert not loaded, loaded
import numpy as np
image = np.zeros((20, 30, 3), np.uint8)
v.draw_matches({str(tmp_path / "a.png")!r}, image, image, [[1, 2]], [[3, 4]])
assert "matplotlib" in sys.modules
assert "matplotlib.pyplot" not in sys.modules
"""
    environment = {**os.environ, "MPLBACKEND": "qtagg"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    assert (tmp_path / "a.png").exists()


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError) as raised:
        new_sheet(80, 40)
    assert 'pip install "delf-keras[visualization]"' in str(raised.value)


@pytest.mark.parametrize(
    "text",
    ["$\\nope$_{x}", "a\nb\tc\0", os.fsdecode(b"caf\xe9.jpg"), "Huế", ""],
)
def test_any_file_name_can_be_written(tmp_path, text):
    figure = make_sheet(shortened(text, 100, 8))
    save_sheet(figure, tmp_path / "a.png")


def test_box_fits_a_photograph():
    photograph = np.zeros((10, 40, 3), np.uint8)
    assert Box(5, 7, 80, 60).fit(photograph) == Box(5, 27, 80, 20)
    assert Box(5, 7, 80, 10).fit(photograph) == Box(25, 7, 40, 10)


def test_points_are_centres_of_pixels():
    photograph = np.zeros((10, 40, 3), np.uint8)
    locations = np.array([[0.0, 0.0], [9.0, 39.0], [4.5, 19.5]])
    points = Box(100, 200, 80, 20).points(locations, photograph)
    np.testing.assert_allclose(
        points, [[101, 201], [179, 219], [140, 210]], atol=1e-12
    )


def test_short_text_stays():
    assert shortened("church.jpg", 200, 8) == "church.jpg"


@pytest.mark.parametrize("letter", ["i", "m", "W"])
def test_long_text_keeps_both_ends(letter):
    text = "start" + letter * 100 + "end.jpg"
    result = shortened(text, 150, 8)

    assert result.startswith("start")
    assert result.endswith("end.jpg")
    assert result.count("…") == 1
    # Pillow measures the same font; a letter more would not have fit.
    width = measured(result, 8)
    assert width <= 150 * 1.01
    assert width + 2 * measured(letter, 8) > 150


def measured(text, size):
    from matplotlib import font_manager

    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 100 * size)
    return font.getlength(text) / 100 * POINT


def test_no_room_at_all():
    assert shortened("church.jpg", 0, 8) == "…"


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((5, 6), np.uint8),
        np.zeros((5, 6, 1), np.uint8),
        np.zeros((5, 6, 4), np.uint8),
        np.zeros((5, 6, 3), np.float32),
        np.zeros((0, 6, 3), np.uint8),
        [[[1, 2, 3]]],
        None,
    ],
)
def test_only_uint8_rgb_is_a_photograph(image):
    with pytest.raises(ValueError, match=r"photo must be .*Received: photo"):
        check_photograph("photo", image)


def test_matches_become_arrays():
    a, b = checked_matches("ab", [[1, 2], [3, 4]], np.ones((2, 2), np.float32))
    np.testing.assert_array_equal(a, [[1, 2], [3, 4]])
    assert a.dtype == b.dtype == np.float64

    a, b = checked_matches("ab", [], ())
    assert a.shape == b.shape == (0, 2)


@pytest.mark.parametrize(
    "a, b, message",
    [
        ([[1, 2]], [[1, 2], [3, 4]], "a and b must pair up"),
        ([[1, 2, 3]], [[1, 2]], "a must be finite"),
        ([1, 2], [[1, 2]], "a must be finite"),
        ([[1, 2]], [[np.nan, 2]], "b must be finite"),
    ],
)
def test_bad_matches_are_refused(a, b, message):
    with pytest.raises(ValueError, match=f"{message}.*Received: "):
        checked_matches("ab", a, b)
