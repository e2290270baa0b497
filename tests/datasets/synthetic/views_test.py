"""Photographs of landmarks, and what is said to be true of them."""

import cv2
import numpy as np
import pytest

from delf_keras.datasets.synthetic import View, render_landmark, render_view

# Turns homographies of (y, x, 1) into those of (x, y, 1), and back.
SWAP = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def grey(image):
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def correlation(landmark, view, shift=0):
    """Normalised correlation where the landmark is seen.

    The facade is warped by the homography that the view states, and may be
    moved by some pixels to see what that costs.
    """
    height, width = view.image.shape[:2]
    warped = cv2.warpPerspective(
        render_landmark(landmark),
        SWAP @ view.homography @ SWAP,
        (width, height),
    )
    seen = cv2.erode(np.uint8(view.visible), np.ones((9, 9))) > 0
    warped = np.roll(grey(warped), shift, axis=1)
    return np.corrcoef(warped[seen], grey(view.image)[seen])[0, 1]


def sift_homography(first, second):
    """(x, y) homography between views by SIFT and RANSAC, and its inliers."""
    sift = cv2.SIFT_create()
    (points, descriptors), (others, other_descriptors) = (
        sift.detectAndCompute(grey(view.image), None)
        for view in (first, second)
    )
    pairs = cv2.BFMatcher().knnMatch(descriptors, other_descriptors, k=2)
    good = [
        near for near, next_ in pairs if near.distance < 0.8 * next_.distance
    ]
    source = np.float32([points[match.queryIdx].pt for match in good])
    target = np.float32([others[match.trainIdx].pt for match in good])
    cv2.setRNGSeed(0)
    homography, inliers = cv2.findHomography(source, target, cv2.RANSAC, 4.0)
    return homography, int(inliers.sum())


def test_has_the_shapes_it_states():
    view = render_view(0, 0, (120, 200))
    assert isinstance(view, View)
    assert view.image.shape == (120, 200, 3)
    assert view.image.dtype == np.uint8
    assert view.homography.shape == (3, 3)
    assert view.homography.dtype == np.float64
    assert view.homography[2, 2] == 1
    assert view.visible.shape == (120, 200)
    assert view.visible.dtype == bool


def test_the_same_seeds_give_the_same_photograph():
    first, second = render_view(1, 7), render_view(1, 7)
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.homography, second.homography)
    np.testing.assert_array_equal(first.visible, second.visible)


@pytest.mark.parametrize("seeds", [(1, 8), (2, 7)])
def test_other_seeds_give_another_photograph(seeds):
    here, there = render_view(1, 7), render_view(*seeds)
    difference = here.image.astype(float) - there.image
    assert np.abs(difference).mean() > 15
    assert np.abs(here.homography - there.homography).max() > 1e-3


@pytest.mark.parametrize("landmark", [0, 1, 2, 3])
@pytest.mark.parametrize("view", [0, 1, 2])
def test_the_homography_lays_the_facade_on_the_view(landmark, view):
    shown = render_view(landmark, view)
    level = correlation(landmark, shown)
    assert level > 0.65
    # Four pixels off it fits much less.
    assert correlation(landmark, shown, shift=4) < level - 0.1


def test_what_is_not_visible_is_not_the_landmark():
    for seed in range(20, 30):
        view = render_view(5, seed)
        height, width = view.visible.shape
        outline = np.full((768, 768), 255, np.uint8)
        inside = cv2.warpPerspective(
            outline, SWAP @ view.homography @ SWAP, (width, height)
        )
        assert not (view.visible & (inside == 0)).any()
        assert 0.05 < view.visible.mean() < 0.95


def test_most_views_of_a_landmark_are_matched_where_the_truth_says():
    grid = np.stack(
        np.meshgrid(np.linspace(150, 618, 5), np.linspace(300, 700, 5)), -1
    ).reshape(-1, 1, 2)
    views = [[render_view(seed, view) for view in (0, 2)] for seed in range(4)]
    errors = []
    for first, second in views:
        found, _ = sift_homography(first, second)
        here, there = (
            cv2.perspectiveTransform(grid, SWAP @ view.homography @ SWAP)
            for view in (first, second)
        )
        there_found = cv2.perspectiveTransform(here, found)
        errors.append(np.linalg.norm(there_found - there, axis=-1).max())
    assert np.sum(np.array(errors) < 3) >= 3


def test_views_of_different_landmarks_hardly_match():
    views = {
        (seed, view): render_view(seed, view)
        for seed in range(3)
        for view in (0, 2)
    }
    same = [
        sift_homography(views[seed, 0], views[seed, 2])[1] for seed in range(3)
    ]
    different = [
        sift_homography(views[seed, 0], views[(seed + 1) % 3, 0])[1]
        for seed in range(3)
    ]
    assert min(same) > 100
    assert max(different) < 40


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((-1, 0), "landmark_seed"),
        ((0, -1), "view_seed"),
        ((0, 0, (64, 640)), "size"),
    ],
)
def test_refuses_what_it_cannot_draw(arguments, name):
    with pytest.raises(ValueError, match=f"Received: {name}="):
        render_view(*arguments)
