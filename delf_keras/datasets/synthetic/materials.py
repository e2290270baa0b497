"""What facades are made of: brick, stone, plaster, tiles and roofing.

A material is a function of (rng, shape, colour, unit) that returns a
`Surface` of that shape; `colour` is linear and `unit` is the length in pixels
of one unit of the drawing.
"""

import cv2
import numpy as np

from delf_keras.datasets.synthetic.relief import Surface


def linear(colour):
    """The linear float32 value of a displayed colour given as 0 to 1.

    Displayed values are square roots of linear ones here, which is near enough
    to what sRGB does and quicker.
    """
    return np.square(np.clip(np.asarray(colour, np.float32), 0, 1))


def noise(rng, shape, cell, octaves=3):
    """Smooth noise of about unit amplitude.

    Args:
        rng: `np.random.Generator`.
        shape: (height, width), pixels.
        cell: float or (y, x), the pixels over which it changes.
        octaves: int, how many times finer and fainter noise is added.

    Returns:
        float32 [H, W].
    """
    cells = np.broadcast_to(cell, 2)
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        grid = [
            int(np.clip(side * 2**octave / size, 1, side)) + 2
            for side, size in zip(shape, cells, strict=True)
        ]
        values = rng.standard_normal(grid, np.float32)
        values = cv2.resize(values, shape[::-1], interpolation=cv2.INTER_CUBIC)
        total += values / 2**octave
    return total


def _grain(rng, shape, unit):
    """The blotches and specks that any wall has, a factor about 1."""
    return (
        1
        + 0.06 * noise(rng, shape, 90 * unit)
        + 0.05 * noise(rng, shape, 2.5 * unit, 1)
    )[..., None]


def _blocks(rng, labels, joint, colour, unit, variation, mortar=0.6):
    """A wall of blocks: one tone per label, and joints between them."""
    count = int(labels.max()) + 1
    tones = 1 + variation * rng.standard_normal((count, 1), np.float32)
    tones = tones * (
        1 + 0.3 * variation * rng.standard_normal((count, 3), np.float32)
    )
    palette = np.float32(colour) * np.clip(tones, 0.35, 1.7)
    albedo = palette[labels] * _grain(rng, labels.shape, unit)
    albedo += joint[..., None] * (mortar * albedo.mean((0, 1)) - albedo)
    steps = 0.35 * rng.standard_normal(count, np.float32)
    return Surface(albedo, unit * (steps[labels] * (1 - joint) - 1.1 * joint))


def _courses(shape, heights, lengths, shift):
    """Labels and joints of blocks laid in courses.

    Args:
        shape: (height, width), pixels.
        heights: float array, pixels, of the courses; they fill the height.
        lengths: float [courses, N], pixels, of the blocks in each.
        shift: float [courses], pixels, by which each course is moved left.

    Returns:
        int [H, W] and float32 [H, W]: the block of each pixel, and 1 where a
        joint of a pixel's width runs.
    """
    tops = np.cumsum(heights)
    course = np.searchsorted(tops, np.arange(shape[0]), side="right")
    course = np.minimum(course, len(heights) - 1)
    ends = np.cumsum(lengths, 1) - shift[:, None]
    column = np.arange(shape[1])
    block = np.stack(
        [np.searchsorted(row, column, side="right") for row in ends]
    )
    labels = (block + np.arange(len(ends))[:, None] * (block.max() + 1))[course]
    joint = np.zeros(shape, np.float32)
    joint[:, 1:] = labels[:, 1:] != labels[:, :-1]
    joint[1:] = np.maximum(joint[1:], (course[1:] != course[:-1])[:, None])
    return labels, joint


def brick(rng, shape, colour, unit):
    """Running bond, each brick burnt a little differently."""
    high, long = 8 * unit, rng.uniform(18, 24) * unit
    courses = int(shape[0] / high) + 1
    labels, joint = _courses(
        shape,
        np.full(courses, high),
        np.full((courses, int(shape[1] / long) + 2), long),
        np.arange(courses) % 2 * long / 2,
    )
    return _blocks(rng, labels, joint, colour, unit, 0.16, mortar=1.5)


def ashlar(rng, shape, colour, unit):
    """Dressed stone in courses of different heights."""
    courses = int(shape[0] / (20 * unit)) + 1
    blocks = int(shape[1] / (24 * unit)) + 1
    labels, joint = _courses(
        shape,
        rng.uniform(20, 36, courses) * unit,
        rng.uniform(30, 80, (courses, blocks)) * unit,
        rng.uniform(0, 30, courses) * unit,
    )
    return _blocks(rng, labels, joint, colour, unit, 0.09)


_BANDS = (
    (0.90, 0.87, 0.80),
    (0.34, 0.38, 0.36),
    (0.66, 0.38, 0.30),
    (0.82, 0.70, 0.48),
)


def banded(rng, shape, colour, unit):
    """Stone in courses of two alternating colours."""
    stone = ashlar(rng, shape, colour, unit)
    other = linear(_BANDS[rng.integers(len(_BANDS))])
    band = rng.uniform(26, 44) * unit
    rows = np.arange(shape[0]) % band < band * rng.uniform(0.3, 0.6)
    albedo = stone.albedo.copy()
    albedo[rows] *= other / np.float32(colour)
    return Surface(np.minimum(albedo, 0.9), stone.relief)


def rubble(rng, shape, colour, unit):
    """Field stones as they came, fitted together."""
    spacing = rng.uniform(18, 28) * unit
    count = int(shape[0] * shape[1] / spacing**2)
    seeds = np.ones(shape, np.uint8)
    seeds[
        rng.integers(shape[0], size=count), rng.integers(shape[1], size=count)
    ] = 0
    _, labels = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    joint = np.zeros(shape, np.float32)
    joint[:, 1:] = labels[:, 1:] != labels[:, :-1]
    joint[1:] = np.maximum(joint[1:], labels[1:] != labels[:-1])
    joint = cv2.GaussianBlur(joint, (0, 0), 0.8 * unit)
    joint = np.minimum(1.6 * joint, 1)
    return _blocks(rng, labels, joint, colour, unit, 0.2)


def stone(rng, shape, colour, unit):
    """Smooth stone without joints, as cornices are cut from."""
    speckle = 0.05 * noise(rng, shape, 8 * unit, 3)[..., None]
    albedo = np.float32(colour) * (_grain(rng, shape, unit) + speckle)
    return Surface(albedo, 0.12 * unit * noise(rng, shape, 3 * unit, 1))


def plaster(rng, shape, colour, unit):
    """Render, patched, and fallen off the bricks here and there."""
    bricks = brick(rng, shape, linear((0.62, 0.36, 0.27)), unit)
    bare = noise(rng, shape, 70 * unit, 4) - rng.uniform(2.4, 3.4)
    bare = np.clip(6 * bare, 0, 1)
    repaired = noise(rng, shape, 120 * unit, 2) > 1.5
    tone = _grain(rng, shape, unit) * np.where(repaired, 0.9, 1)[..., None]
    albedo = np.float32(colour) * tone
    albedo += bare[..., None] * (bricks.albedo - albedo)
    bumps = 0.25 * unit * noise(rng, shape, 5 * unit, 2)
    return Surface(albedo, bumps + bare * (bricks.relief - 2 * unit))


def tiles(rng, shape, colour, unit):
    """Glazed tiles that repeat a symmetrical motif."""
    side = int(rng.integers(4, 8))
    quarter = rng.integers(4, size=(side, side))
    quarter = np.where(np.tri(side, dtype=bool), quarter, quarter.T)
    half = np.concatenate([quarter, quarter[:, ::-1]], 1)
    motif = np.concatenate([half, half[::-1]])
    size = max(rng.uniform(5, 7) * unit, 1.0)
    row = (np.arange(shape[0]) / size).astype(int)[:, None]
    column = (np.arange(shape[1]) / size).astype(int)[None]
    # Two tones of the wall's colour, a pale one and one of another hue.
    colours = np.stack(
        [
            np.float32(colour),
            np.float32(colour) * 0.55,
            linear(rng.uniform(0.75, 0.95) - rng.uniform(0, 0.12, 3)),
            linear(rng.uniform(0.1, 0.6, 3)),
        ]
    )
    glaze = 1 + 0.12 * rng.standard_normal(
        (int(row.max()) + 1, int(column.max()) + 1, 1), np.float32
    )
    albedo = colours[motif[row % (2 * side), column % (2 * side)]]
    albedo = albedo * glaze[row, column] * _grain(rng, shape, unit)
    return Surface(albedo, np.zeros(shape, np.float32))


def panels(rng, shape, colour, unit):
    """Large cladding panels in a few related tones."""
    courses = int(shape[0] / (40 * unit)) + 1
    blocks = int(shape[1] / (30 * unit)) + 1
    labels, joint = _courses(
        shape,
        rng.uniform(40, 75, courses) * unit,
        rng.uniform(30, 110, (courses, blocks)) * unit,
        rng.uniform(0, 30, courses) * unit,
    )
    return _blocks(rng, labels, joint, colour, unit, 0.22, mortar=0.3)


def slates(rng, shape, colour, unit):
    """Overlapping slates or flat tiles, thicker at their lower edge."""
    high, long = rng.uniform(9, 13) * unit, rng.uniform(9, 15) * unit
    courses = int(shape[0] / high) + 1
    labels, joint = _courses(
        shape,
        np.full(courses, high),
        np.full((courses, int(shape[1] / long) + 2), long),
        np.arange(courses) % 2 * long / 2,
    )
    surface = _blocks(rng, labels, joint, colour, unit, 0.15, mortar=0.5)
    lap = (np.arange(shape[0]) / high % 1)[:, None].astype(np.float32)
    return Surface(surface.albedo, surface.relief + 2.2 * unit * lap)


def pantiles(rng, shape, colour, unit):
    """Wavy clay tiles."""
    surface = slates(rng, shape, colour, unit)
    wave = np.arange(shape[1]) * (2 * np.pi / (rng.uniform(11, 15) * unit))
    wave = 2.2 * unit * np.sin(wave).astype(np.float32)
    return Surface(surface.albedo, surface.relief + wave)


def sheet_metal(rng, shape, colour, unit):
    """Weathered sheets with standing seams."""
    spacing = rng.uniform(16, 26) * unit
    seam = np.arange(shape[1]) % spacing < max(2.5 * unit, 1)
    streaks = noise(rng, shape, (60 * unit, 4 * unit), 2)
    albedo = np.float32(colour) * (1 + 0.12 * streaks[..., None])
    albedo = albedo * _grain(rng, shape, unit)
    relief = np.broadcast_to(2.5 * unit * np.float32(seam), shape)
    return Surface(albedo, relief)
