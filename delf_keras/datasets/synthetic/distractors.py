"""Photographs with no landmark in them."""

import cv2
import numpy as np

from delf_keras.datasets.synthetic import materials
from delf_keras.datasets.synthetic.bystanders import (
    add_bystanders,
    paint,
    random_places,
)
from delf_keras.datasets.synthetic.camera import random_camera
from delf_keras.datasets.synthetic.checks import checked_count, checked_size
from delf_keras.datasets.synthetic.exposure import exposed
from delf_keras.datasets.synthetic.materials import linear, noise
from delf_keras.datasets.synthetic.relief import (
    LIGHTS,
    blank_canvas,
    fill,
    shade,
)
from delf_keras.datasets.synthetic.scenes import (
    add_hills,
    add_houses,
    lay_ground,
    new_scene,
)
from delf_keras.datasets.synthetic.shapes import Box, disc, rectangle


def _street(rng, size):
    """Ordinary houses, cars and people."""
    scene, camera = new_scene(rng, size), random_camera(rng, size)
    add_hills(scene, camera, rng)
    lay_ground(scene, camera, rng)
    lefts = np.cumsum(rng.uniform(150, 330, 8)) - 800
    spots = [
        (left, rng.uniform(0, 200), rng.uniform(200, 400), height)
        for left, height in zip(lefts, rng.uniform(220, 640, 8), strict=True)
    ]
    add_houses(scene, camera, rng, spots)
    counts = {"person": 8, "car": 4, "tree": 1, "lamp post": 2}
    add_bystanders(scene, camera, rng, random_places(rng, camera, counts))
    return scene.image


def _park(rng, size):
    """Many trees."""
    scene, camera = new_scene(rng, size), random_camera(rng, size)
    add_hills(scene, camera, rng)
    lay_ground(scene, camera, rng)
    trees = [
        ("tree", rng.uniform(-400, 1170), rng.uniform(-600, 300))
        for _ in range(int(rng.integers(7, 14)))
    ]
    counts = {"person": 5, "lamp post": 2}
    places = trees + random_places(rng, camera, counts)
    add_bystanders(scene, camera, rng, places)
    return scene.image


def _mountains(rng, size):
    """Ranges one behind the other, perhaps over a lake."""
    height, width = size
    image = new_scene(rng, size).image.astype(np.float32)
    y = np.arange(height, dtype=np.float32)[:, None]
    air = np.float32((176, 192, 210))
    layers = int(rng.integers(3, 6))
    for layer in range(layers):
        near = (layer + 1) / layers
        ridge = noise(rng, (1, width), (1, width / 3), 7)[0]
        top = height * (0.2 + 0.42 * near - 0.09 * ridge)
        rock = np.float32(rng.uniform((60, 75, 45), (110, 110, 85)))
        slopes = noise(rng, size, (height / 12, width / 20), 4)[..., None]
        colour = rock * (1 + 0.25 * slopes)
        snow = (y < top + 0.16 * height * (0.7 - near)) & (
            slopes[..., 0] > -0.4
        )
        colour = np.where(snow[..., None], np.float32(225), colour)
        colour = air + near * (colour - air)
        image = np.where((y > top)[..., None], colour, image)
    if rng.random() < 0.6:
        shore = int(height * rng.uniform(0.66, 0.8))
        mirror = image[shore - np.arange(height - shore) - 1]
        waves = noise(rng, mirror.shape[:2], (4, 40), 2)[..., None]
        image[shore:] = 0.75 * mirror + 8 * waves
    return np.uint8(np.clip(image, 0, 255))


def _sea(rng, size):
    """Water, and boats under sail."""
    height, width = size
    scene = new_scene(rng, size)
    horizon = int(height * rng.uniform(0.35, 0.6))
    rows = height - horizon
    water = np.float32(rng.uniform((25, 70, 95), (70, 125, 150)))
    swell = np.zeros((rows, width), np.float32)
    for share in (0.0, 0.15, 0.5):
        first = int(share * rows)
        cell = (2 + 14 * share, 20 + 90 * share)
        swell[first:] += noise(rng, (rows - first, width), cell, 2)
    scene.image[horizon:] = np.clip(water + 16 * swell[..., None], 0, 255)
    for far in np.sort(rng.uniform(0.02, 0.7, rng.integers(2, 7))):
        size = (0.06 + 0.5 * far) * height
        x, foot = rng.uniform(0, width), horizon + far * rows
        hull = Box(x - size / 3, foot - size / 9, x + size / 3, foot)
        prow = rectangle(hull) + [(-size / 9, 0), (size / 9, 0), (0, 0), (0, 0)]
        for side, reach in ((-1, 0.3), (1, 0.4)):
            sail = [(x, foot - size), (x, foot - size / 7)]
            sail.append((x + side * reach * size, foot - size / 6))
            paint(scene, np.array(sail), rng.uniform(150, 245, 3))
        paint(scene, prow, rng.uniform(20, 220, 3))
    return scene.image


def _wall(rng, size):
    """A close look at a wall, with scrawls on it."""
    canvas = blank_canvas(size)
    makes = (
        materials.brick,
        materials.rubble,
        materials.plaster,
        materials.ashlar,
        materials.tiles,
        materials.pantiles,
    )
    make = makes[rng.integers(len(makes))]
    colour = linear(rng.uniform((0.4, 0.35, 0.3), (0.85, 0.75, 0.7)))
    surface = make(rng, size, colour, rng.uniform(2, 5) * canvas.unit)
    page = Box(0.0, 0.0, float(size[1]), float(size[0]))
    fill(canvas, rectangle(page), surface)
    image = shade(canvas, LIGHTS[rng.integers(len(LIGHTS))])
    for _ in range(int(rng.integers(0, 4))):
        steps = rng.normal(0, 0.09, (30, 2)).cumsum(0) * min(size)
        spots = steps + rng.uniform(0.2, 0.8, 2) * (size[1], size[0])
        colour = rng.uniform(0, 255, 3).tolist()
        thick = max(int(rng.uniform(0.008, 0.02) * min(size)), 1)
        line = [np.int32(spots).clip(-9999, 9999)]
        cv2.polylines(image, line, False, colour, thick, cv2.LINE_AA)
    return image


def _market(rng, size):
    """Heaps of fruit on a patterned cloth."""
    canvas = blank_canvas(size)
    cloth = linear(rng.uniform(0.3, 0.9, 3))
    unit = rng.uniform(3, 6) * canvas.unit
    page = Box(0.0, 0.0, float(size[1]), float(size[0]))
    fill(canvas, rectangle(page), materials.tiles(rng, size, cloth, unit))
    for _ in range(int(rng.integers(4, 9))):
        heap = rng.uniform((0, 0.1), (1, 1)) * (size[1], size[0])
        colour = rng.uniform((0.5, 0.15, 0.05), (0.95, 0.8, 0.3))
        radius = rng.uniform(28, 70)
        for layer in range(int(rng.integers(8, 25))):
            spot = heap + rng.normal(0, 1.7 * radius, 2) * canvas.unit
            fruit = disc(spot, radius * rng.uniform(0.8, 1.1) * canvas.unit)
            ripe = linear(colour + rng.normal(0, 0.06, 3))
            fill(canvas, fruit, ripe, 6 * layer, radius)
    return shade(canvas, LIGHTS[rng.integers(len(LIGHTS))])


_KINDS = (_street, _park, _mountains, _sea, _wall, _market)


def render_distractor(seed, size=(480, 640)):
    """Renders a photograph of something that is no landmark.

    Args:
        seed: int, at least 0. Seeds in a row show different kinds of things:
            a street, a park, mountains, the sea, a wall, a market stall.
        size: (height, width), pixels, each at least 96.

    Returns:
        uint8 [height, width, 3], RGB. The same arguments give the same
        pixels.

    Raises:
        ValueError: if the seed is negative or the size too small.
    """
    seed, size = checked_count("seed", seed), checked_size(size)
    rng = np.random.default_rng(seed)
    return exposed(_KINDS[seed % len(_KINDS)](rng, size), rng)
