"""What is carved: cornices, columns, statues, friezes."""

import numpy as np

from delf_keras.datasets.synthetic.relief import fill, tint, turn
from delf_keras.datasets.synthetic.shapes import (
    Box,
    arch,
    disc,
    ellipse,
    mirrored,
    polar,
    rectangle,
    stroke,
    turned,
)


def draw_cornice(canvas, box, kit, rng, projection=7.0):
    """Draws mouldings across a box, with dentils or brackets below."""
    upper, lower = box.rows([3, 2])
    parts = upper.rows(rng.uniform(1, 3, 3))
    for index, part in enumerate(parts):
        reach = (2 - index) * 2 * canvas.unit
        rise = projection * (1 - 0.25 * index)
        wide = Box(part.left - reach, part.top, part.right + reach, part.bottom)
        fill(canvas, rectangle(wide), kit.trim, rise, 1.5)
    fill(canvas, rectangle(lower), kit.trim, 1.5)
    pitch = rng.choice([1.2, 2.0, 4.0]) * lower.height
    count = max(int(box.width / pitch), 1)
    width = rng.uniform(0.4, 0.65)
    for tooth in lower.columns(np.ones(count)):
        outline = rectangle(
            tooth.part(0.5 - width / 2, 0, 0.5 + width / 2, 0.8)
        )
        fill(canvas, outline, kit.trim, 0.7 * projection, 0.8)


def draw_eaves(canvas, room, kit, rng):
    """Draws the cornice on which a roof rests, at the foot of its box."""
    unit = canvas.unit
    box = Box(
        room.left - 4 * unit,
        room.bottom - 9 * unit,
        room.right + 4 * unit,
        room.bottom + 7 * unit,
    )
    draw_cornice(canvas, box, kit, rng, 10)


def draw_column(canvas, box, kit, rng, order=None):
    """Draws a column that fills a box; `order` is the form of its capital."""
    order = rng.integers(3) if order is None else order
    shaft = box.part(0.16, 0.1, 0.84, 0.95)
    profile = [(0, 1), (0.35, 1), (0.7, 0.95), (1, 0.84)]
    radius = shaft.width / 2 / canvas.unit
    turn(canvas, turned(shaft, profile), kit.trim, 4, 0.75)
    for x in np.linspace(0.2, 0.8, 5):
        flute = shaft.part(x - 0.03, 0.03, x + 0.03, 0.97)
        tint(canvas, rectangle(flute), 0.82)
    rise = 0.75 * radius + 5
    for bottom, reach in ((1.0, 0.0), (0.975, 0.06)):
        foot = box.part(reach, bottom - 0.025, 1 - reach, bottom)
        fill(canvas, rectangle(foot), kit.trim, rise, 1.5)
    fill(canvas, rectangle(box.part(0, 0, 1, 0.035)), kit.trim, rise + 1, 1)
    bell = box.part(0.1, 0.035, 0.9, 0.11)
    flare = [(0, 0.75), (0.5, 0.8), (1, 1.15)]
    fill(canvas, turned(bell, flare), kit.trim, rise - 1, 2)
    if order == 1:
        for x in (0.12, 0.88):
            volute = (box.left + x * box.width, bell.top + 0.4 * bell.height)
            fill(canvas, disc(volute, 0.16 * box.width), kit.trim, rise + 1, 2)
            tint(canvas, disc(volute, 0.06 * box.width), 0.5)
    if order == 2:
        for leaf in bell.columns(np.ones(4)):
            fill(canvas, ellipse(leaf.part(0, 0.1, 1, 0.6)), kit.trim, rise, 2)
            fill(
                canvas, ellipse(leaf.part(0.3, 0.5, 1.2, 1)), kit.trim, rise, 2
            )


def draw_carving(canvas, box, paint, rng, rise=4.0, parts=7):
    """Draws a symmetrical relief that nobody carved twice."""
    size = min(box.width, box.height) / 2
    centre = box.centre
    for _ in range(parts):
        radius = size * rng.uniform(0.1, 0.38)
        reach = np.array([box.width, box.height]) / 2 - radius
        middle = centre + reach * (rng.uniform(0, 1), rng.uniform(-1, 1))
        lobes = rng.integers(2, 7)
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        waves = 0.75 + 0.25 * np.cos(lobes * angle + rng.uniform(0, 6))
        outline = polar(middle, radius * waves)
        height = rng.uniform(0.5, 1) * rise
        roundness = 0.6 * radius / canvas.unit
        for half in (outline, mirrored(outline, box.middle)):
            fill(canvas, half, paint, height, roundness)
            if lobes > 4:
                tint(canvas, disc(half.mean(0), 0.25 * radius), 0.45)


def draw_frieze(canvas, box, kit, rng):
    """Draws a band of carvings, each different."""
    fill(canvas, rectangle(box), kit.trim, 1)
    coloured = rng.random() < 0.4
    ground = kit.accent(rng) if coloured else kit.wall
    field = box.inset(0, 0.1 * box.height)
    fill(canvas, rectangle(field), ground, -1)
    count = max(int(box.width / box.height / rng.uniform(0.9, 1.6)), 1)
    for cell in field.columns(rng.uniform(0.7, 1.3, count)):
        draw_carving(canvas, cell.inset(canvas.unit), kit.trim, rng, 5, 4)


def draw_statue(canvas, box, paint, rng):
    """Draws a standing figure on a plinth."""
    plinth = box.part(0.2, 0.84, 0.8, 1)
    fill(canvas, rectangle(plinth), paint, 6, 1.5)
    robe = box.part(0.22, 0.2, 0.78, 0.84)
    waist, hem = rng.uniform(0.5, 0.8), rng.uniform(0.7, 1)
    profile = [(0, hem), (0.5, waist), (0.85, 0.95), (1, 0.3)]
    fill(canvas, turned(robe, profile), paint, 8, 5)
    head = (box.middle, box.top + 0.13 * box.height)
    fill(canvas, disc(head, 0.085 * box.height), paint, 8, 4)
    shoulder = (box.middle, box.top + 0.3 * box.height)
    for side in (-1, 1):
        hand = (
            box.middle + side * rng.uniform(0.2, 0.5) * box.width,
            box.top + rng.uniform(0.05, 0.65) * box.height,
        )
        arm = stroke(shoulder, hand, 0.07 * box.height)
        fill(canvas, arm, paint, 9, 3)
    if rng.random() < 0.5:
        staff = stroke(
            (hand[0], box.top), (hand[0], plinth.top), canvas.unit * 2
        )
        fill(canvas, staff, paint, 10, 1)


def draw_niche(canvas, box, kit, rng):
    """Draws a statue in a niche."""
    outer = box.part(0.12, 0, 0.88, 1)
    fill(canvas, arch(outer, kit.arch), kit.trim, 3, 2)
    inner = outer.part(0.12, 0.08, 0.88, 1)
    fill(canvas, arch(inner, kit.arch), kit.base, -8, 0)
    figure = outer.part(0.14, 0.2, 0.86, 1)
    draw_statue(canvas.raised(-6), figure, kit.trim, rng)


def draw_balustrade(canvas, box, kit, rng):
    """Draws a row of balusters between posts, some with an urn on top."""
    rail, shafts, foot = box.rows([1, 4, 1])
    for bar in (rail, foot):
        fill(canvas, rectangle(bar), kit.trim, 5, 1.2)
    profile = [(0, 0.5), (0.3, 1), (0.6, 0.4), (1, 0.6)]
    count = max(int(shafts.width / (0.5 * shafts.height)), 2)
    for cell in shafts.columns(np.ones(count)):
        shaft = cell.part(0.2, 0, 0.8, 1)
        fill(canvas, turned(shaft, profile), kit.trim, 4, 2)
    posts = np.linspace(0, 1, max(count // 8, 1) + 1)
    topped = rng.choice(["none", "urns", "statues"])
    for x in posts:
        middle = box.left + x * box.width
        half = 0.3 * box.height
        post = Box(middle - half, box.top, middle + half, box.bottom)
        fill(canvas, rectangle(post), kit.trim, 6, 1)
        above = Box(post.left, box.top - 1.6 * box.height, post.right, box.top)
        if topped == "urns":
            urn = [(0, 0.6), (0.2, 0.3), (0.6, 1), (0.8, 0.5), (1, 0)]
            fill(canvas, turned(above.part(0, 0.3, 1, 1), urn), kit.trim, 6, 4)
        elif topped == "statues":
            draw_statue(canvas, above.inset(-0.2 * half, 0), kit.trim, rng)
