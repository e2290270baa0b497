"""What rises from a tower: domes, spires, belfries.

Functions of the same form as those in `roofs`.
"""

import numpy as np

from delf_keras.datasets.synthetic.emblems import draw_clock, draw_finial
from delf_keras.datasets.synthetic.openings import (
    draw_window,
    random_window_style,
)
from delf_keras.datasets.synthetic.ornaments import (
    draw_column,
    draw_cornice,
    draw_eaves,
)
from delf_keras.datasets.synthetic.relief import fill, tint, turn
from delf_keras.datasets.synthetic.shapes import (
    Box,
    arch,
    disc,
    rectangle,
    trapezium,
    triangle,
    turned,
)


def dome(canvas, room, kit, rng):
    """A drum of columns and windows, a ribbed dome, a lantern."""
    draw_eaves(canvas, room, kit, rng)
    width = min(0.86 * room.width, 0.8 * room.height)
    half = width / 2
    room = Box(room.middle - half, room.top, room.middle + half, room.bottom)
    drum = room.part(0.04, 0.68, 0.96, 1)
    turn(canvas, rectangle(drum), kit.wall)
    style = random_window_style(rng, kit)
    bays = int(rng.choice([3, 5, 7]))
    edges = np.sin(np.linspace(-np.pi / 2, np.pi / 2, bays + 1))
    for bay in drum.part(0, 0.1, 1, 1).columns(np.diff(edges)):
        draw_window(canvas, bay.part(0.1, 0, 0.9, 1), style, kit, rng)
        draw_column(canvas, bay.part(-0.07, 0, 0.07, 1), kit, rng, 0)
    draw_cornice(canvas, drum.part(-0.03, -0.05, 1.03, 0.1), kit, rng, 8)
    bulge = rng.choice([0.0, 0.16])
    angle = np.linspace(0, np.pi / 2, 20)
    swell = np.cos(angle) * (1 + bulge * np.sin(2 * angle))
    shell = room.part(0.02, 0.2, 0.98, 0.68)
    profile = np.stack([np.sin(angle), swell], -1)
    turn(canvas, turned(shell, profile), kit.roof, 4)
    for reach in np.sin(np.linspace(-1.3, 1.3, int(rng.integers(5, 10)))):
        left, right = reach - 0.02, reach + 0.02
        ys = shell.bottom - profile[:, 0] * shell.height
        xs = shell.middle + np.outer((left, right), swell) * shell.width / 2
        rib = np.stack([np.r_[xs[0], xs[1][::-1]], np.r_[ys, ys[::-1]]], -1)
        tint(canvas, rib, 1.35)
    lantern = room.part(0.4, 0.08, 0.6, 0.22)
    fill(canvas, rectangle(lantern), kit.trim, 4, 6)
    for bay in lantern.part(0.1, 0.2, 0.9, 0.9).columns(np.ones(3)):
        tint(canvas, arch(bay.part(0.15, 0, 0.85, 1), "round"), 0.2)
    cap = turned(room.part(0.38, 0.04, 0.62, 0.09), profile)
    fill(canvas, cap, kit.roof, 5, 8)
    draw_finial(canvas, room.part(0.4, -0.04, 0.6, 0.05), kit, rng)


def onion(canvas, room, kit, rng):
    """A bulbous dome on a low drum."""
    draw_eaves(canvas, room, kit, rng)
    width = min(0.95 * room.width, 0.85 * room.height)
    half = width / 2
    room = Box(room.middle - half, room.top, room.middle + half, room.bottom)
    drum = room.part(0.14, 0.8, 0.86, 1)
    turn(canvas, rectangle(drum), kit.wall)
    for bay in drum.columns(np.ones(int(rng.integers(4, 8)))):
        opening = arch(bay.part(0.2, 0.2, 0.8, 1), kit.arch)
        fill(canvas, opening, kit.accent(rng) * 0.4, -5)
    height = np.linspace(0, 1, 30)
    bulb = np.sin(np.pi * (0.22 + 0.78 * height**0.9)) ** 0.9
    profile = np.stack([height, 0.03 + bulb * (1 - 0.35 * height)], -1)
    shell = room.part(0, 0.14, 1, 0.82)
    turn(canvas, turned(shell, profile), kit.roof, 4)
    band = room.part(0.12, 0.79, 0.88, 0.84)
    fill(canvas, rectangle(band), kit.metal, 8, 3)
    draw_finial(canvas, room.part(0.3, 0, 0.7, 0.17), kit, rng)


def spire(canvas, room, kit, rng):
    """A tall pyramid with crockets and four pinnacles at its foot."""
    draw_eaves(canvas, room, kit, rng)
    unit = canvas.unit
    for x in (0.06, 0.94):
        pinnacle = room.part(x - 0.07, 0.68, x + 0.07, 1)
        shaft = rectangle(pinnacle.part(0.15, 0.45, 0.85, 1))
        fill(canvas, shaft, kit.trim, 5, 2)
        fill(canvas, triangle(pinnacle.part(0, 0, 1, 0.5)), kit.trim, 6, 3)
    body = room.part(0.1, 0.06, 0.9, 1)
    turn(canvas, triangle(body), kit.roof)
    facet = triangle(body)
    facet[2] = (body.middle + 0.2 * body.width, body.bottom)
    tint(canvas, facet, 0.75)
    for height in np.linspace(0.1, 0.92, int(rng.integers(6, 12))):
        for side in (-1, 1):
            x = body.middle + side * height * body.width / 2
            crocket = disc((x, body.top + height * body.height), 3.5 * unit)
            fill(canvas, crocket, kit.trim, 5, 2)
    window = body.part(0.36, 0.55, 0.64, 0.85)
    fill(canvas, triangle(window.part(-0.2, -0.5, 1.2, 0.1)), kit.trim, 6, 1.5)
    fill(canvas, arch(window, "gothic"), kit.frame * 0.15, -2)
    draw_finial(canvas, room.part(0.4, 0, 0.6, 0.1), kit, rng)


def cone(canvas, room, kit, rng):
    """A conical roof with a flag or a ball."""
    body = room.part(-0.08, 0.12, 1.08, 1)
    turn(canvas, triangle(body), kit.roof, 6, 0.7)
    draw_finial(canvas, room.part(0.35, 0, 0.65, 0.16), kit, rng)


def belfry(canvas, room, kit, rng):
    """An open storey for bells, a clock above it and a pointed roof."""
    profile = [(0, 1), (0.1, 0.85), (0.6, 0.55), (0.9, 0.4), (1, 0.1)]
    bells = room.part(0.04, 0.55, 0.96, 1)
    fill(canvas, rectangle(bells), kit.wall, 0)
    for bay in bells.columns(np.ones(int(rng.integers(2, 4)))):
        opening = bay.part(0.18, 0.12, 0.82, 0.92)
        ring = arch(opening.inset(-4 * canvas.unit), kit.arch)
        fill(canvas, ring, kit.trim, 3, 2)
        fill(canvas, arch(opening, kit.arch), kit.frame * 0.1, -9)
        bell = turned(opening.part(0.2, 0.35, 0.8, 0.8), profile)
        turn(canvas, bell, kit.metal, -8)
    draw_cornice(canvas, bells.part(-0.04, -0.1, 1.04, 0.06), kit, rng)
    cap = room.part(0, 0.12, 1, 0.52)
    fill(canvas, trapezium(cap, 0.34 * cap.width), kit.roof, 2)
    radius = 0.17 * room.width
    draw_clock(canvas, cap.centre + (0, 0.12 * cap.height), radius, kit, rng)
    draw_finial(canvas, room.part(0.35, -0.04, 0.65, 0.15), kit, rng)
