"""The camera, against OpenCV's."""

import cv2
import numpy as np

from delf_keras.datasets.synthetic.camera import (
    GROUND,
    look_at,
    random_camera,
    upright,
)

SIZE = (480, 640)


def test_projects_as_opencv_does():
    position, focal = np.array([500.0, 650.0, -1200.0]), 900.0
    forward = np.array([-0.2, -0.1, 1.0])
    camera = look_at(position, position + forward, focal, 0.05, SIZE)
    points = np.random.default_rng(0).uniform(0, 768, (20, 3))
    intrinsics = np.array([[focal, 0, 319.5], [0, focal, 239.5], [0, 0, 1]])
    rotation = np.linalg.solve(intrinsics, camera.matrix)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) > 0
    expected, _ = cv2.projectPoints(
        points,
        cv2.Rodrigues(rotation)[0],
        -rotation @ position,
        intrinsics,
        None,
    )
    pixels, depths = camera.project(points)
    np.testing.assert_allclose(pixels, expected[:, 0], atol=1e-6)
    assert (depths > 0).all()


def test_sees_its_target_in_the_middle_of_the_view():
    target = np.array([384.0, 400.0, 0.0])
    camera = look_at(np.array([0.0, 700.0, -1000.0]), target, 800, 0.1, SIZE)
    pixels, _ = camera.project([target])
    np.testing.assert_allclose(pixels, [(319.5, 239.5)], atol=1e-9)


def test_a_plane_is_seen_where_its_points_are():
    camera = random_camera(np.random.default_rng(1), SIZE)
    homography = camera.plane((10, 20, 30), (2, 0, 0), (0, 0, 3))
    across, down = 5.0, 7.0
    point = homography @ (across, down, 1)
    pixels, _ = camera.project([(10 + 2 * across, 20, 30 + 3 * down)])
    np.testing.assert_allclose(point[:2] / point[2], pixels[0], atol=1e-9)


def test_the_span_holds_what_the_view_shows():
    for seed in range(20):
        camera = random_camera(np.random.default_rng(seed), SIZE)
        left, right = camera.span(500.0, SIZE)
        edges = [(left, GROUND, 500.0), (right, GROUND, 500.0)]
        pixels, depths = camera.project(edges)
        assert (depths > 0).all()
        assert pixels[0, 0] < 0
        assert pixels[1, 0] > SIZE[1]


def test_what_is_nearer_looks_larger():
    camera = random_camera(np.random.default_rng(2), SIZE)
    near, near_depth = upright(camera, 384, -400, 22, 52)
    far, far_depth = upright(camera, 384, -50, 22, 52)
    assert near_depth < far_depth
    assert near.height > far.height > 0
