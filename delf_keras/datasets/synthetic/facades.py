"""Landmarks: which parts a building has, and its frontal picture."""

import functools
from dataclasses import replace

import numpy as np

from delf_keras.datasets.synthetic.checks import checked_count, checked_size
from delf_keras.datasets.synthetic.kit import random_kit
from delf_keras.datasets.synthetic.materials import noise
from delf_keras.datasets.synthetic.plans import PLANS
from delf_keras.datasets.synthetic.relief import (
    LIGHTS,
    blank_canvas,
    fill,
    shade,
    turn,
)
from delf_keras.datasets.synthetic.shapes import Box, rectangle


def _draw_part(canvas, part, kit, rng):
    """Draws one block of a building: wall, roof, then storey by storey."""
    box = part.box
    canvas = canvas.raised(part.level)
    depth = 0.5 if part.cylindrical else 0.0
    turn(canvas, rectangle(box), kit.wall, 0, depth)
    part.roof(canvas, part.room, kit, rng)
    rows = box.rows([weight for _, weight in part.floors])
    if part.grounded:
        plinth = box._replace(top=rows[-1].top)
        turn(canvas, rectangle(plinth), kit.base, 2, depth)
    if part.quoins:
        _draw_quoins(canvas, box, kit, rng)
    for (storey, _), row in zip(part.floors, rows, strict=True):
        storey(canvas, row, part.bays, kit, rng)


def _draw_quoins(canvas, box, kit, rng):
    """Alternating long and short stones up the corners."""
    high = rng.uniform(13, 20) * canvas.unit
    count = max(int(box.height / high), 2)
    for index, row in enumerate(box.rows(np.ones(count))):
        long = (24 if index % 2 else 15) * canvas.unit
        for left in (box.left, box.right - long):
            block = Box(left, row.top, left + long, row.bottom)
            fill(canvas, rectangle(block.inset(0, 0.6)), kit.trim, 3, 1.2)


def _weather(canvas, rng):
    """Soot, rain streaks and, on some, ivy."""
    shape, unit = canvas.height.shape, canvas.unit
    soot = noise(rng, shape, 110 * unit, 4)
    streaks = noise(rng, shape, (160 * unit, 5 * unit), 2)
    amount = rng.uniform(0.03, 0.1)
    dirt = 1 - np.clip(amount * (soot + 0.8 * streaks), -0.12, 0.45)
    # Splashes and damp near the ground.
    height = np.linspace(1, 0, shape[0], dtype=np.float32)[:, None]
    dirt *= 1 - 0.25 * np.exp(-height * 18)
    canvas.albedo[...] *= dirt[..., None]
    if rng.random() < 0.2:
        _grow_ivy(canvas, rng)


def _grow_ivy(canvas, rng):
    shape, unit = canvas.height.shape, canvas.unit
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    root = rng.uniform(0.1, 0.9) * shape[1]
    spread = np.hypot((x - root) / 0.6, y - shape[0])
    reach = rng.uniform(60, 230) * unit
    grown = reach - spread + 60 * unit * noise(rng, shape, 70 * unit, 4)
    leaves = noise(rng, shape, 6 * unit, 2)
    ivy = np.clip(grown / (25 * unit) + 0.5 * leaves, 0, 1) * canvas.cover
    green = np.float32((0.05, 0.12, 0.03)) * (1.2 + 0.5 * leaves[..., None])
    canvas.albedo[...] += ivy[..., None] * (np.abs(green) - canvas.albedo)
    canvas.height[...] += ivy * unit * (6 + 3 * leaves)


@functools.lru_cache(maxsize=2)
def drawn_facade(landmark_seed, size):
    """The `Canvas` of a landmark, before any light falls on it."""
    rng = np.random.default_rng(landmark_seed)
    # Seeds in a row go through the kinds of building and the colours of walls,
    # so that a small set is a varied one.
    plan = PLANS[landmark_seed % len(PLANS)]
    canvas = blank_canvas(size)
    page = Box(0.0, 0.0, float(size[1]), float(size[0]))
    parts = plan.lay_out(page, rng)
    kits = [
        random_kit(rng, size, canvas.unit, plan, landmark_seed + 3 * index)
        for index in range(1 + max(part.kit for part in parts))
    ]
    for part in parts:
        _draw_part(canvas, part, kits[part.kit], rng)
    _weather(canvas, rng)
    return canvas


@functools.lru_cache(maxsize=16)
def facade_pixels(landmark_seed, size, light):
    """The picture of a landmark and where it covers what is behind.

    Args:
        landmark_seed: int, at least 0.
        size: (height, width), pixels.
        light: int, index into `LIGHTS`.

    Returns:
        uint8 [H, W, 4]: RGB, multiplied by the opacity, and opacity. It is
        cached and cannot be written to.
    """
    canvas = drawn_facade(landmark_seed, size)
    cover = canvas.cover[..., None]
    # On the edge of what was drawn the albedo is that of a part of a pixel.
    whole = replace(canvas, albedo=canvas.albedo / np.maximum(cover, 0.05))
    colour = shade(whole, LIGHTS[light]) * cover
    pixels = np.uint8(np.dstack([colour, 255 * cover]) + 0.5)
    pixels.flags.writeable = False
    return pixels


def render_landmark(landmark_seed, size=(768, 768)):
    """Renders a landmark from the front, in the sun, before a clear sky.

    Args:
        landmark_seed: int, at least 0. Seeds one apart are different kinds of
            building.
        size: (height, width), pixels, each at least 96.

    Returns:
        uint8 [height, width, 3], RGB. The same arguments give the same
        pixels.

    Raises:
        ValueError: if the seed is negative or the size too small.
    """
    landmark_seed = checked_count("landmark_seed", landmark_seed)
    size = checked_size(size)
    pixels = facade_pixels(landmark_seed, size, 0).astype(np.float32)
    height = np.linspace(0, 1, size[0], dtype=np.float32)[:, None, None]
    sky = (1 - height) * (96, 146, 205) + height * (214, 226, 236)
    return np.uint8(pixels[..., :3] + (1 - pixels[..., 3:] / 255) * sky)
