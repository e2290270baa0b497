"""What stands in front of a landmark: people, cars, trees, lamps."""

import cv2
import numpy as np

from delf_keras.datasets.synthetic.camera import FACADE_SIZE, upright
from delf_keras.datasets.synthetic.shapes import (
    Box,
    disc,
    ellipse,
    polar,
    rectangle,
    stroke,
    trapezium,
    turned,
)

_SKIN = ((232, 190, 160), (198, 140, 104), (120, 80, 58), (84, 56, 42))


def paint(scene, outline, colour):
    """Fills an outline, which hides the landmark there."""
    fixed = [np.round(outline * 16).astype(np.int32)]
    colour = tuple(float(np.clip(value, 0, 255)) for value in colour)
    cv2.fillPoly(scene.image, fixed, colour, cv2.LINE_AA, shift=4)
    cv2.fillPoly(scene.visible, fixed, 0, cv2.LINE_AA, shift=4)


def _shadow(scene, box):
    """Darkens the ground under something as wide as a box."""
    deep = 0.06 * box.width
    foot = Box(box.left, box.bottom - deep, box.right, box.bottom + deep)
    left, top, right, bottom = np.maximum(np.int32(foot) + (0, 0, 2, 2), 0)
    window = scene.image[top:bottom, left:right]
    if window.size == 0:
        return
    mask = np.zeros(window.shape[:2], np.uint8)
    fixed = np.round(ellipse(foot) - (left, top)).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA)
    window[...] = window * (1 - 0.45 * mask[..., None] / 255)


def person(scene, box, rng):
    """A standing or walking person."""
    _shadow(scene, box.inset(-0.3 * box.width, 0))
    skin = np.array(_SKIN[rng.integers(len(_SKIN))])
    coat, trousers = rng.uniform(15, 190, (2, 3))
    coat += 0.5 * (coat.mean() - coat)
    trousers = 0.2 * trousers + 0.25 * trousers.mean()
    stride = rng.uniform(0.02, 0.2)
    hip = box.part(0.5, 0.5, 0.5, 0.5)
    thick = 0.24 * box.width
    for side in (-1, 1):
        foot = (box.middle + side * stride * box.width, box.bottom)
        leg = stroke((hip.left + 0.1 * side * box.width, hip.top), foot, thick)
        paint(scene, leg, trousers * (1 if side > 0 else 0.75))
    torso = [(0, 0.55), (0.2, 0.5), (0.85, 0.72), (1, 0.35)]
    paint(scene, turned(box.part(0.1, 0.16, 0.9, 0.56), torso), coat)
    shoulder = box.part(0.5, 0.22, 0.5, 0.22)
    for side in (-1, 1):
        hand = box.part(0.5 + side * rng.uniform(0.3, 0.5), 0.5, 0.5, 0.5)
        start = (shoulder.left + 0.25 * side * box.width, shoulder.top)
        arm = stroke(start, hand[:2], 0.6 * thick)
        paint(scene, arm, coat * 0.8)
    paint(scene, rectangle(box.part(0.44, 0.1, 0.56, 0.18)), skin * 0.85)
    hair = (box.middle, box.top + 0.075 * box.height)
    face = (box.middle, box.top + 0.095 * box.height)
    paint(scene, disc(hair, 0.07 * box.height), rng.uniform(10, 120, 3))
    paint(scene, disc(face, 0.055 * box.height), skin)


def car(scene, box, rng):
    """A car seen from the side."""
    _shadow(scene, box)
    colour = rng.uniform(20, 235) * rng.uniform(0.5, 1, 3)
    cabin = trapezium(box.part(0.2, 0, 0.86, 0.55), 0.13 * box.width)
    paint(scene, cabin, colour * 0.9)
    glass = trapezium(box.part(0.25, 0.08, 0.81, 0.48), 0.11 * box.width)
    paint(scene, glass, (52, 62, 72))
    post = box.part(0.51, 0.05, 0.54, 0.5)
    paint(scene, rectangle(post), colour * 0.9)
    body = [(0, 0.96), (0.3, 1), (0.75, 0.99), (1, 0.9)]
    paint(scene, turned(box.part(0, 0.42, 1, 0.84), body), colour)
    line = box.part(0.02, 0.66, 0.98, 0.7)
    paint(scene, rectangle(line), colour * 0.7)
    for side, lamp in ((0.015, (250, 240, 200)), (0.94, (170, 30, 25))):
        spot = box.part(side, 0.5, side + 0.045, 0.6)
        paint(scene, rectangle(spot), lamp)
    for x in (0.2, 0.79):
        centre = (box.left + x * box.width, box.top + 0.83 * box.height)
        paint(scene, disc(centre, 0.09 * box.width), (24, 24, 26))
        paint(scene, disc(centre, 0.05 * box.width), (150, 152, 156))


def tree(scene, box, rng):
    """A tree whose leaves hide much and show the sky between them."""
    _shadow(scene, box)
    bark = np.array((84, 66, 50)) * rng.uniform(0.6, 1.2)
    trunk = [(0, 1), (0.1, 0.7), (1, 0.45)]
    paint(scene, turned(box.part(0.45, 0.35, 0.55, 1), trunk), bark)
    fork = (box.middle, box.top + 0.6 * box.height)
    for x in rng.uniform(0.15, 0.85, 4):
        tip = (box.left + x * box.width, box.top + 0.25 * box.height)
        paint(scene, stroke(fork, tip, 0.03 * box.width), bark)
    green = rng.uniform((50, 75, 20), (95, 125, 55))
    crown = box.part(0, 0, 1, 0.72)
    count = int(rng.integers(200, 360))
    angle = rng.uniform(0, 2 * np.pi, count)
    reach = np.sqrt(rng.uniform(0, 1, count))[:, None]
    spots = reach * np.stack([np.cos(angle), np.sin(angle)], -1)
    # The lower leaves first, so that the lit ones lie on top.
    for spot in spots[np.argsort(-spots[:, 1])]:
        centre = crown.centre + spot * (0.45 * crown.width, 0.45 * crown.height)
        radius = rng.uniform(0.018, 0.05) * box.width
        light = 0.75 - 0.3 * spot[1] + rng.uniform(-0.25, 0.25)
        leaves = polar(centre, radius * rng.uniform(0.5, 1.3, 9))
        paint(scene, leaves, green * light)


def lamp_post(scene, box, rng):
    """A street lamp."""
    iron = np.array((46, 50, 54)) * rng.uniform(0.6, 1.5)
    paint(scene, rectangle(box.part(0.46, 0.08, 0.54, 1)), iron)
    paint(scene, rectangle(box.part(0.4, 0.93, 0.6, 1)), iron)
    arms = (0.5,) if rng.random() < 0.5 else (0.1, 0.9)
    for x in arms:
        end = (box.left + x * box.width, box.top + 0.1 * box.height)
        joint = (box.middle, box.top + 0.16 * box.height)
        paint(scene, stroke(joint, end, 0.07 * box.width), iron)
        bulb = np.array(end) - (0, 0.05 * box.height)
        paint(scene, disc(bulb, 0.16 * box.width), (226, 222, 200))


# Of each kind: how it is drawn, and its width and height in the world.
_KINDS = {
    "person": (person, 22, 52),
    "car": (car, 190, 66),
    "tree": (tree, 230, 320),
    "lamp post": (lamp_post, 40, 220),
}


def add_bystanders(scene, camera, rng, places):
    """Draws what stands on the ground, the farthest first.

    Args:
        scene: the `Scene` to draw on.
        camera: a `Camera`.
        rng: `np.random.Generator`.
        places: list of (kind, x, z): "person", "car", "tree" or "lamp post",
            and where it stands in the world.
    """
    for kind, x, z in sorted(places, key=lambda place: -place[2]):
        draw, width, height = _KINDS[kind]
        scale = rng.uniform(0.85, 1.15)
        box, depth = upright(camera, x, z, scale * width, scale * height)
        if depth > 0:
            draw(scene, box, rng)


def random_places(rng, camera, counts):
    """Places on the ground between the camera and the facade.

    Args:
        rng: `np.random.Generator`.
        camera: a `Camera`.
        counts: dict of kind to the number of them.

    Returns:
        list of (kind, x, z); see `add_bystanders`.
    """
    places = []
    for kind, count in counts.items():
        farthest = 0.02 if kind != "tree" else 0.05
        nearest = 0.55 if kind != "tree" else 0.3
        for share in rng.uniform(farthest, nearest, count):
            # Along the ray from the camera to some point of the facade.
            x = rng.uniform(-250, 1020)
            if kind == "tree" and rng.random() < 0.7:
                x = x - 250 if x < FACADE_SIZE[1] / 2 else x + 250
            x += share * (camera.position[0] - x)
            places.append((kind, x, share * camera.position[2]))
    return places
