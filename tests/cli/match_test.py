"""The verb `match`, from two photographs to their matches."""

import re

import pytest
from PIL import Image


@pytest.fixture
def match(command, small):
    """A function that runs the verb and returns the counts it prints."""

    def match(*arguments):
        finished = command("match", *small, *arguments)
        assert finished.code == 0
        assert finished.err == ""
        counts = re.fullmatch(
            r"(\d+) and (\d+) features, (\d+) putative matches, "
            r"(\d+) inliers\.\n",
            finished.out,
        )
        return [int(count) for count in counts.groups()]

    return match


def test_photograph_with_itself(match, scenes, tmp_path):
    """Every feature matches itself, and none is moved."""
    picture = tmp_path / "matches.png"
    photograph = scenes / "a.jpg"
    counts = match(f"--picture={picture}", photograph, photograph)
    assert counts == [108] * 4
    with Image.open(picture) as image:
        assert image.format == "PNG"
        assert image.width > image.height


def test_views_of_one_scene_and_of_two(match, scenes, view):
    photographs = view, scenes / "a.jpg"
    *_, matches, inliers = match(*photographs)
    *_, inliers_of_others = match(view, scenes / "b.jpg")
    assert matches >= inliers >= 20 > inliers_of_others

    *_, fewer_matches, _ = match("--max_ratio=0.8", *photographs)
    *_, fewer_inliers = match("--threshold=2", *photographs)
    assert 0 < fewer_matches < matches
    assert 0 < fewer_inliers < inliers


def test_homography(match, scenes, view):
    *_, inliers = match("--model=homography", view, scenes / "a.jpg")
    assert inliers >= 20


def test_photographs_of_two_sizes(match, scenes, view, tmp_path):
    """Four times as many pixels a side, shrunk to as many as before."""
    larger = [tmp_path / "view.png", tmp_path / "a.png"]
    for path, source in zip(larger, (view, scenes / "a.jpg"), strict=True):
        with Image.open(source) as image:
            image.resize((768, 576)).save(path)
    expected = match(view, scenes / "a.jpg")
    received = match("--max_image_size=192", *larger)

    assert received[:2] == expected[:2] == [108, 108]
    assert abs(received[-1] - expected[-1]) <= 5


@pytest.mark.parametrize("count", [0, 1, 3])
def test_two_photographs_are_needed(refused, small, view, count):
    message = refused("match", *small, *[view] * count)
    assert message.startswith("match takes two photographs. Received: [")


def test_no_photograph(refused, small, view, tmp_path):
    missing = tmp_path / "missing.jpg"
    assert str(missing) in refused("match", *small, view, missing)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    assert str(broken) in refused("match", *small, view, broken)
