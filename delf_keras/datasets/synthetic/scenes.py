"""What surrounds a landmark: sky, ground and other houses."""

from dataclasses import dataclass

import cv2
import numpy as np

from delf_keras.datasets.synthetic import materials
from delf_keras.datasets.synthetic.camera import FACADE_SIZE, GROUND
from delf_keras.datasets.synthetic.materials import linear, noise
from delf_keras.datasets.synthetic.shapes import Box, rectangle

# World units per row of the textures that are laid in perspective.
GROUND_TEXEL = 5.0
HOUSE_TEXEL = 2.5

# What is nearer to the camera than this, or behind it, is not drawn.
MINIMUM_DEPTH = 50.0

# Where, behind the facade, the ground ends and the hills begin.
FAR = 500.0


@dataclass(frozen=True)
class Scene:
    """A photograph in the making.

    Attributes:
        image: uint8 [H, W, 3], RGB, drawn on.
        visible: uint8 [H, W], 255 where the landmark is seen, drawn on.
    """

    image: np.ndarray
    visible: np.ndarray


def displayed(albedo, light=0.9):
    """The uint8 picture of a linear colour or image."""
    light = np.float32(light)
    return np.uint8(255 * np.sqrt(np.clip(light * albedo, 0, 1)) + 0.5)


def new_scene(rng, size):
    """A `Scene` of `size` (height, width) with nothing but sky in it."""
    height = np.linspace(0, 1, size[0], dtype=np.float32)[:, None, None]
    zenith = np.float32(rng.uniform(0.75, 1.08) * np.array((112, 155, 212)))
    horizon = np.float32(rng.uniform((205, 212, 215), (238, 234, 226)))
    sky = zenith + (horizon - zenith) * height**0.7
    # Clouds flatten towards the horizon.
    clouds = noise(rng, size, (0.22 * size[0], 0.4 * size[1]), 5)[..., None]
    thick = np.float32(rng.uniform(-1.2, 1.0))
    amount = np.clip(0.7 * clouds - thick, 0, 0.9)
    image = sky + amount * (222 + 12 * clouds - sky)
    return Scene(np.uint8(np.clip(image, 0, 255)), np.zeros(size, np.uint8))


def lay(image, texture, homography):
    """Pastes a texture into an image (uint8, RGB) in perspective."""
    rows, columns = texture.shape[:2]
    corners = rectangle(Box(-0.5, -0.5, columns, rows))
    spots = cv2.perspectiveTransform(corners[None], homography)[0]
    edges = np.concatenate([np.floor(spots.min(0)), np.ceil(spots.max(0)) + 1])
    height, width = image.shape[:2]
    left, top, right, bottom = np.int32(
        np.clip(edges, 0, (width, height, width, height))
    )
    if right <= left or bottom <= top:
        return
    window = image[top:bottom, left:right].copy()
    move = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]])
    cv2.warpPerspective(
        texture,
        move @ homography,
        (right - left, bottom - top),
        dst=window,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    image[top:bottom, left:right] = window


def add_hills(scene, camera, rng):
    """Draws wooded hills that hide the horizon."""
    left, right = camera.span(FAR, scene.visible.shape)
    x = np.linspace(left, right, 200)
    for layer in range(2):
        height = (1.6 - 0.5 * layer) * (GROUND - camera.position[1]) + 40
        ridge = noise(rng, (1, 200), (1, 60 - 40 * layer), 4)[0]
        ridge = height * np.maximum(1 + 0.25 * ridge, 0.7)
        tops = np.stack([x, GROUND - ridge, np.full(200, FAR)], -1)
        feet = [(right, GROUND + 9, FAR), (left, GROUND + 9, FAR)]
        outline, _ = camera.project(np.concatenate([tops, feet]))
        colour = rng.uniform((70, 90, 70), (100, 115, 100))
        colour = colour + (0.5 - 0.35 * layer) * ((150, 165, 180) - colour)
        fixed = np.round(outline).clip(-30000, 30000).astype(np.int32)
        cv2.fillPoly(scene.image, [fixed], colour.tolist(), cv2.LINE_AA)


def _paving(rng, shape):
    """A linear albedo for the ground."""
    kind = rng.integers(4)
    unit = 1 / GROUND_TEXEL
    grey = linear(rng.uniform(0.36, 0.56) * rng.uniform(0.94, 1.06, 3))
    if kind == 0:
        return materials.ashlar(rng, shape, grey, 1.3 * unit).albedo
    if kind == 1:
        return materials.brick(rng, shape, grey, 2.4 * unit).albedo
    if kind == 2:
        return materials.stone(rng, shape, 0.6 * grey, 4 * unit).albedo
    green = linear(rng.uniform((0.25, 0.38, 0.15), (0.42, 0.52, 0.28)))
    tufts = 1 + 0.15 * noise(rng, shape, (2, 2), 1)
    tufts += 0.15 * noise(rng, shape, 60, 3)
    return green * np.float32(tufts)[..., None]


def lay_ground(scene, camera, rng):
    """Lays pavement or lawn, sometimes with a road across."""
    near = camera.position[2] + 50
    left, right = camera.span(FAR, scene.visible.shape)
    # What is nearer lies between what is far and the camera.
    left = min(left, camera.position[0] - 100)
    right = max(right, camera.position[0] + 100)
    shape = (int((FAR - near) / GROUND_TEXEL), 600)
    # Row 0 is the farthest.
    away = FAR - GROUND_TEXEL * np.arange(shape[0])
    ground = _paving(rng, shape)
    if rng.random() < 0.55:
        first = rng.uniform(0.3, 0.6) * near
        _lay_road(ground, away, first, first - rng.uniform(180, 260), rng)
    # The foot of the facade is in its own shade.
    shade = 1 - 0.5 * np.exp(-np.maximum(-away, 0) / 25)
    texture = displayed(ground * np.float32(shade)[:, None, None])
    # Far away a pixel of the view holds several of the texture.
    smooth = cv2.blur(texture, (3, 9))
    texture = np.where((away > 0.6 * near)[:, None, None], smooth, texture)
    across = ((right - left) / shape[1], 0, 0)
    homography = camera.plane(
        (left, GROUND, FAR), across, (0, 0, -GROUND_TEXEL)
    )
    lay(scene.image, texture, homography)


def _lay_road(ground, away, first, last, rng):
    """Draws a road between two distances, with its kerb and a dashed line."""
    rows = (away < first) & (away > last)
    columns = ground.shape[1]
    asphalt = linear(rng.uniform(0.28, 0.4) * np.ones(3))
    grit = 1 + 0.1 * noise(rng, (int(rows.sum()), columns), 2, 1)
    ground[rows] = asphalt * grit[..., None]
    dashes = np.float32((np.arange(columns) % 40 < 22) * 0.5)
    ground[np.abs(away - (first + last) / 2) < 5] += dashes[:, None]
    ground[np.abs(away - first) < 6] = linear((0.7, 0.69, 0.66))


def _house(rng, shape, haze):
    """The front of some house, uint8 [H, W, 3], paler with `haze`."""
    rows, columns = shape
    tone = rng.uniform(0.35, 0.85) * rng.uniform((0.9, 0.82, 0.7), (1, 1, 1.02))
    wall = linear(tone) * (1 + 0.1 * noise(rng, shape, 20, 3))[..., None]
    storey, bay = int(rng.integers(22, 34)), int(rng.integers(13, 26))
    y, x = np.arange(rows) % storey, np.arange(columns) % bay
    low, side = rng.uniform(0.25, 0.4), rng.uniform(0.2, 0.34)
    in_y = (y > low * storey) & (y < 0.85 * storey)
    in_x = (x > side * bay) & (x < (1 - side) * bay)
    tones = rng.uniform(0.02, 0.12, (rows // storey + 1, columns // bay + 1, 1))
    tones = np.where(rng.random(tones.shape) < 0.15, 0.4, tones)
    cells = np.ix_(np.arange(rows) // storey, np.arange(columns) // bay)
    glass = tones[cells] * (0.9, 1.0, 1.15)
    window = (in_y[:, None] & in_x[None])[..., None]
    wall = np.where(window, glass, wall)
    wall[y < 2] *= rng.uniform(0.5, 1.4)
    wall[:7] = linear(rng.uniform(0.25, 0.6) * np.array((1, 0.93, 0.88)))
    air = linear((0.72, 0.78, 0.84))
    return displayed(wall + haze * (air - wall), rng.uniform(0.6, 1.0))


def add_houses(scene, camera, rng, spots):
    """Draws houses, the farthest first.

    Args:
        scene: the `Scene` to draw on.
        camera: a `Camera`.
        rng: `np.random.Generator`.
        spots: list of (x of the left side, z, width, height), in the world.
            Those beside or behind the camera are left out.
    """
    for left, away, width, height in sorted(spots, key=lambda s: -s[1]):
        feet = [(left, GROUND, away), (left + width, GROUND, away)]
        if camera.project(feet)[1].min() < MINIMUM_DEPTH:
            continue
        shape = (int(height / HOUSE_TEXEL), int(width / HOUSE_TEXEL))
        haze = np.clip(away / 2500, 0.0, 0.6)
        texture = _house(rng, shape, haze)
        homography = camera.plane(
            (left, GROUND - height, away),
            (HOUSE_TEXEL, 0, 0),
            (0, HOUSE_TEXEL, 0),
        )
        lay(scene.image, texture, homography)


def neighbours(rng):
    """Places for houses behind and beside a landmark; see `add_houses`."""
    spots = []
    for width in rng.uniform(200, 450, rng.integers(0, 4)):
        left, away = rng.uniform(-300, 700), rng.uniform(500, 900)
        spots.append((left, away, width, rng.uniform(260, 520)))
    half = FACADE_SIZE[1] / 2
    for side in (-1, 1):
        edge = half + side * (half + rng.uniform(-60, 60))
        for _ in range(int(rng.integers(0, 4))):
            width = rng.uniform(200, 380)
            left = edge if side > 0 else edge - width
            height = rng.uniform(220, 560)
            spots.append((left, rng.uniform(15, 120), width, height))
            edge += side * width
    return spots
