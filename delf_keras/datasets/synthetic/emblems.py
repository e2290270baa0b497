"""What a building is told by: clocks, rose windows, arms, signs, pictures."""

import numpy as np

from delf_keras.datasets.synthetic.materials import linear
from delf_keras.datasets.synthetic.ornaments import draw_carving
from delf_keras.datasets.synthetic.relief import fill, write
from delf_keras.datasets.synthetic.shapes import (
    Box,
    disc,
    ellipse,
    polar,
    rectangle,
    sector,
    stroke,
    turned,
)

NAMES = ("MUSEO", "TEATRO", "HOTEL", "BANCO", "PALACE", "CASINO", "OPERA")
SYLLABLES = ("AL", "BOR", "CA", "DEN", "EL", "FO", "GRA", "HU", "IR", "KO")
SYLLABLES += ("LU", "MI", "NOR", "PA", "RI", "SAN", "TO", "UR", "VE", "ZA")


def draw_shield(canvas, box, kit, rng):
    """Draws a painted coat of arms among carved leaves."""
    draw_carving(canvas, box, kit.trim, rng, 5, 9)
    shield = box.part(0.26, 0.12, 0.74, 0.9)
    profile = [(0, 0), (0.15, 0.5), (0.4, 0.92), (0.7, 1), (1, 1)]
    fill(
        canvas,
        turned(shield.inset(-2.5 * canvas.unit), profile),
        kit.trim,
        6,
        2,
    )
    outline = turned(shield, profile)
    for row in shield.rows([1, 1.2]):
        for quarter in row.columns([1, 1]):
            fill(canvas, rectangle(quarter), kit.accent(rng), 7, clip=outline)
            charge = quarter.part(0.25, 0.2, 0.75, 0.8)
            points = 2 * rng.integers(3, 7)
            star = polar(charge.centre, np.resize([0.5, 0.22], points))
            star = charge.centre + (star - charge.centre) * charge.width
            fill(canvas, star, kit.metal, 8, 1, clip=outline)


def draw_rose(canvas, centre, radius, kit, rng):
    """Draws a rose window: rings of stained glass in stone tracery."""
    unit = canvas.unit
    fill(canvas, disc(centre, radius), kit.trim, 5, 5)
    fill(canvas, disc(centre, 0.86 * radius), kit.trim, -2, 1)
    petals = int(rng.integers(6, 13))
    edges = np.concatenate([[0.18], np.sort(rng.uniform(0.3, 0.72, 2)), [0.83]])
    for ring, (inner, outer) in enumerate(
        zip(edges[:-1], edges[1:], strict=True)
    ):
        count = petals * (1 + ring // 2)
        angles = np.linspace(0, 2 * np.pi, count + 1) + np.pi * ring / petals
        colours = [
            kit.accent(rng) * 0.7 for _ in range(int(rng.integers(1, 4)))
        ]
        for index, first in enumerate(angles[:-1]):
            gap = 1.6 * unit / (outer * radius)
            pane = sector(
                centre,
                inner * radius + 1.5 * unit,
                outer * radius - 1.5 * unit,
                first + gap,
                angles[index + 1] - gap,
            )
            fill(canvas, pane, colours[index % len(colours)], -7, 0)
    fill(canvas, disc(centre, 0.15 * radius), kit.accent(rng), -5, 2)
    beads = np.linspace(0, 2 * np.pi, 2 * petals, endpoint=False)
    for angle in beads:
        spot = centre + 0.93 * radius * np.array([np.cos(angle), np.sin(angle)])
        fill(canvas, disc(spot, 0.045 * radius), kit.trim, 7, 2)


def draw_clock(canvas, centre, radius, kit, rng):
    """Draws a clock that stopped at an hour of its own."""
    centre = np.asarray(centre)
    fill(canvas, disc(centre, 1.16 * radius), kit.trim, 6, 3)
    dark = rng.random() < 0.4
    dial, ink = linear((0.93, 0.91, 0.84)), linear((0.08, 0.08, 0.1))
    if dark:
        dial, ink = linear(rng.uniform(0.05, 0.25, 3)), kit.metal
    fill(canvas, disc(centre, radius), dial, 2)
    ring = [disc(centre, 0.66 * radius), disc(centre, 0.62 * radius)]
    fill(canvas, ring, ink, 3)
    for hour in range(12):
        angle = np.pi * hour / 6
        ray = np.array([np.sin(angle), -np.cos(angle)])
        width = (0.16 if hour % 3 == 0 else 0.08) * radius
        mark = stroke(
            centre + 0.70 * radius * ray, centre + 0.93 * radius * ray, width
        )
        fill(canvas, mark, ink, 3)
    time = rng.uniform(0, 12)
    for turn, length, width in ((time / 12, 0.5, 0.11), (time % 1, 0.82, 0.07)):
        angle = 2 * np.pi * turn
        ray = np.array([np.sin(angle), -np.cos(angle)])
        hand = stroke(
            centre - 0.15 * radius * ray,
            centre + length * radius * ray,
            width * radius,
        )
        fill(canvas, hand, ink, 5)


def draw_sign(canvas, box, kit, rng):
    """Draws a board, or bare letters, with a name."""
    name = "".join(rng.choice(SYLLABLES, rng.integers(2, 4)))
    if rng.random() < 0.5:
        name = f"{rng.choice(NAMES)} {name}"
    ink = kit.metal
    if rng.random() < 0.6:
        board = kit.accent(rng) * 0.6
        fill(canvas, rectangle(box), board, 4)
        ink = linear((0.95, 0.92, 0.8)) if board.mean() < 0.3 else ink * 0.3
    long = min(0.9 * box.width, 0.55 * box.height * len(name))
    half = long / 2
    text = Box(
        box.middle - half,
        box.top + 0.2 * box.height,
        box.middle + half,
        box.bottom - 0.2 * box.height,
    )
    write(canvas, text, name, ink, 6)


def draw_banner(canvas, box, kit, rng):
    """Draws hanging cloth with an emblem."""
    colour, other = kit.accent(rng), kit.accent(rng)
    tail = rng.uniform(0.82, 1)
    notch = [(box.middle, box.top + tail * box.height)]
    outline = np.insert(rectangle(box), 3, notch, axis=0)
    fill(canvas, outline, colour, 5)
    stripes = box.columns(rng.uniform(0.5, 2, rng.integers(2, 6)))
    for stripe in stripes[1::2]:
        fill(canvas, rectangle(stripe), other, 5.5, clip=outline)
    emblem = box.part(0.15, 0.25, 0.85, 0.6)
    draw_carving(canvas, emblem, kit.metal, rng, 6.5, 4)


def draw_mosaic(canvas, box, kit, rng):
    """Draws an irregular picture of coloured pieces in a frame."""
    fill(canvas, rectangle(box.inset(-4 * canvas.unit)), kit.trim, 4, 1.5)
    fill(canvas, rectangle(box), kit.accent(rng) * 0.5, 0)
    clip = rectangle(box)
    for _ in range(int(rng.integers(14, 30))):
        centre = (rng.uniform(*box[::2]), rng.uniform(*box[1::2]))
        radii = rng.uniform(0.06, 0.28, rng.integers(3, 9)) * box.height
        fill(canvas, polar(centre, radii), kit.accent(rng), 0.5, clip=clip)
    for _ in range(3):
        x = rng.uniform(*box[::2])
        figure = Box(
            x - 0.2 * box.height, box.top, x + 0.2 * box.height, box.bottom
        )
        colour = kit.accent(rng)
        fill(
            canvas, ellipse(figure.part(0, 0.35, 1, 1.2)), colour, 1, clip=clip
        )
        head = disc((x, box.top + 0.25 * box.height), 0.12 * box.height)
        fill(canvas, head, linear((0.85, 0.65, 0.5)), 1, clip=clip)


def draw_finial(canvas, box, kit, rng):
    """Draws what ends a roof: a ball, a cross, a vane or a crescent."""
    unit = canvas.unit
    mast = stroke((box.middle, box.bottom), (box.middle, box.top), 2.5 * unit)
    fill(canvas, mast, kit.metal, 3, 1)
    ball = disc((box.middle, box.bottom - 0.2 * box.height), 0.14 * box.height)
    fill(canvas, ball, kit.metal, 6, 4)
    kind = rng.integers(4)
    top = box.part(0, 0, 1, 0.5)
    if kind == 0:
        half = 0.35 * top.height
        bar = (
            (top.middle - half, top.centre[1]),
            (top.middle + half, top.centre[1]),
        )
        fill(canvas, stroke(*bar, 3 * unit), kit.metal, 3, 1)
    elif kind == 1:
        flag = top.part(0.5, 0, 0.5, 0.8)
        flag = Box(
            flag.left, flag.top, flag.left + 1.3 * top.height, flag.bottom
        )
        fill(canvas, rectangle(flag), kit.accents[2], 4)
    elif kind == 2:
        moon = [
            disc(top.centre, 0.4 * top.height),
            disc(top.centre - (0, 0.14 * top.height), 0.3 * top.height),
        ]
        fill(canvas, moon, kit.metal, 3)
