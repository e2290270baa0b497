"""Photographs of a landmark, and of other things."""

from dataclasses import dataclass

import cv2
import numpy as np

from delf_keras.datasets.synthetic.bystanders import (
    add_bystanders,
    random_places,
)
from delf_keras.datasets.synthetic.camera import FACADE_SIZE, random_camera
from delf_keras.datasets.synthetic.checks import checked_count, checked_size
from delf_keras.datasets.synthetic.exposure import coordinates, exposed
from delf_keras.datasets.synthetic.facades import facade_pixels
from delf_keras.datasets.synthetic.relief import LIGHTS
from delf_keras.datasets.synthetic.scenes import (
    add_hills,
    add_houses,
    lay_ground,
    neighbours,
    new_scene,
)
from delf_keras.datasets.synthetic.shapes import Box, rectangle

# Homographies of the project map (y, x, 1), those of OpenCV (x, y, 1).
_SWAP = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


@dataclass(frozen=True)
class View:
    """A photograph of a landmark, with what is true of it.

    Attributes:
        image: uint8 [H, W, 3], RGB.
        homography: float64 [3, 3], maps homogeneous pixels (y, x, 1) of
            `render_landmark(landmark_seed)`, 768 x 768, to pixels (y, x, 1) of
            the image.
        visible: bool [H, W], where the landmark is seen: inside its outline
            and behind nothing.
    """

    image: np.ndarray
    homography: np.ndarray
    visible: np.ndarray


def render_view(landmark_seed, view_seed, size=(480, 640)):
    """Renders a landmark as a passer-by might photograph it.

    The facade is seen in perspective, at some hour, among other houses, and
    partly behind people, cars and trees.

    Args:
        landmark_seed: int, at least 0; see `render_landmark`.
        view_seed: int, at least 0.
        size: (height, width), pixels, each at least 96.

    Returns:
        A `View`. The same arguments give the same pixels.

    Raises:
        ValueError: if a seed is negative or the size too small.
    """
    landmark_seed = checked_count("landmark_seed", landmark_seed)
    view_seed = checked_count("view_seed", view_seed)
    size = checked_size(size)
    rng = np.random.default_rng([landmark_seed, view_seed])
    camera = random_camera(rng, size)
    scene = new_scene(rng, size)
    add_hills(scene, camera, rng)
    lay_ground(scene, camera, rng)
    add_houses(scene, camera, rng, neighbours(rng))
    homography = camera.plane((0, 0, 0), (1, 0, 0), (0, 1, 0))
    light = int(rng.integers(len(LIGHTS)))
    pixels = facade_pixels(landmark_seed, FACADE_SIZE, light)
    _place_facade(scene, pixels, homography)
    if rng.random() < 0.4:
        _overshadow(scene, rng)
    most = {"person": 8, "car": 2, "tree": 2, "lamp post": 2}
    counts = {kind: int(rng.integers(n + 1)) for kind, n in most.items()}
    add_bystanders(scene, camera, rng, random_places(rng, camera, counts))
    ordered = _SWAP @ homography @ _SWAP
    return View(
        image=exposed(scene.image, rng),
        homography=ordered / ordered[2, 2],
        visible=scene.visible > 127,
    )


def _place_facade(scene, pixels, homography):
    """Puts a facade into a scene, in perspective."""
    height, width = scene.visible.shape
    corners = rectangle(Box(0, 0, FACADE_SIZE[1], FACADE_SIZE[0]))
    corners = cv2.perspectiveTransform(corners[None], homography)
    area = cv2.contourArea(np.float32(corners))
    shrink = np.sqrt(np.prod(FACADE_SIZE) / area)
    if shrink > 1:
        # Without this what is finer than a pixel would turn to noise.
        sigma = 0.5 * np.sqrt(shrink**2 - 1)
        pixels = cv2.GaussianBlur(pixels, (0, 0), max(sigma, 0.1))
    seen = cv2.warpPerspective(pixels, homography, (width, height))
    opacity = seen[..., 3]
    behind = cv2.multiply(
        scene.image,
        cv2.cvtColor(255 - opacity, cv2.COLOR_GRAY2RGB),
        scale=1 / 255,
    )
    scene.image[...] = cv2.add(behind, seen[..., :3].copy())
    scene.visible[...] = opacity


def _overshadow(scene, rng):
    """Lets the house across the street shade a part of the landmark."""
    x, y = coordinates(scene.visible.shape)
    turn, edge = np.float32(rng.uniform((-0.8, -0.6), (0.8, 0.9)))
    depth, soft = np.float32(rng.uniform((0.2, 0.02), (0.45, 0.2)))
    side = rng.choice([-1, 1]).astype(np.float32) * (x + turn * y - edge)
    shade = depth * np.clip(side / soft, 0, 1) * (scene.visible / 255)
    scene.image[...] = scene.image * (1 - shade[..., None])
