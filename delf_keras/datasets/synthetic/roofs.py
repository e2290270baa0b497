"""What a wall ends in: gables, pediments, roofs, battlements.

A roof is a function of (canvas, room, kit, rng): it draws into the box `room`,
whose lower side is the top of the wall.
"""

import numpy as np

from delf_keras.datasets.synthetic.emblems import draw_finial
from delf_keras.datasets.synthetic.openings import (
    draw_window,
    random_window_style,
)
from delf_keras.datasets.synthetic.ornaments import (
    draw_balustrade,
    draw_carving,
    draw_cornice,
    draw_eaves,
    draw_statue,
)
from delf_keras.datasets.synthetic.relief import fill, tint
from delf_keras.datasets.synthetic.shapes import (
    Box,
    arch,
    disc,
    rectangle,
    trapezium,
    triangle,
    turned,
)


def parapet(canvas, room, kit, rng):
    """A cornice, and a balustrade above it."""
    thick = min(0.6 * room.height, 26 * canvas.unit)
    cornice = Box(room.left, room.bottom - thick, room.right, room.bottom)
    rail = Box(
        room.left,
        cornice.top - min(0.8 * thick, room.height - thick),
        room.right,
        cornice.top,
    )
    draw_balustrade(canvas, rail, kit, rng)
    draw_cornice(canvas, cornice, kit, rng, 11)


def pediment(canvas, room, kit, rng):
    """A temple front's triangle with carvings in it."""
    unit = canvas.unit
    height = min(room.height, 0.3 * room.width)
    gable = Box(room.left, room.bottom - height, room.right, room.bottom)
    outer = gable.inset(-10 * unit, 0)
    fill(canvas, triangle(outer), kit.trim, 12, 2)
    inner = gable.part(0.09, 0.2, 0.91, 0.94)
    fill(canvas, triangle(inner), kit.wall, 1)
    for x in (0.24, 0.36):
        size = 0.36 if x > 0.3 else 0.24
        for side in (x, 1 - x):
            foot = inner.left + side * inner.width
            figure = Box(
                foot - 0.05 * inner.width,
                inner.bottom - size * 1.5 * inner.height,
                foot + 0.05 * inner.width,
                inner.bottom,
            )
            draw_statue(canvas, figure, kit.trim, rng)
    draw_carving(
        canvas, inner.part(0.41, 0.25, 0.59, 0.97), kit.trim, rng, 6, 9
    )
    base = Box(outer.left, room.bottom - 5 * unit, outer.right, room.bottom)
    draw_cornice(canvas, base.inset(0, -6 * unit), kit, rng, 12)
    for x in (0.02, 0.5, 0.98):
        foot = gable.top if x == 0.5 else gable.bottom - 8 * unit
        middle = outer.left + x * outer.width
        half = 0.1 * height
        figure = Box(middle - half, foot - 4 * half, middle + half, foot)
        draw_statue(canvas, figure, kit.trim, rng)


def gable(canvas, room, kit, rng):
    """A steep gable of the wall's material with a window in it."""
    unit = canvas.unit
    fill(canvas, triangle(room.inset(-6 * unit, 0)), kit.trim, 6, 1.5)
    fill(canvas, triangle(room.part(0.05, 0.08, 0.95, 1)), kit.wall, 0)
    style = random_window_style(rng, kit)
    draw_window(canvas, room.part(0.33, 0.42, 0.67, 1), style, kit, rng)
    eye = (room.middle, room.top + 0.32 * room.height)
    fill(canvas, disc(eye, 0.07 * room.width), kit.trim, 4, 2)
    fill(canvas, disc(eye, 0.045 * room.width), kit.accent(rng) * 0.4, -5)
    _crown_with_finial(canvas, room, kit, rng)


def stepped_gable(canvas, room, kit, rng):
    """A gable in steps, each step capped with stone."""
    unit = canvas.unit
    steps = int(rng.integers(4, 7))
    for step, row in enumerate(room.rows(np.ones(steps))[::-1]):
        reach = 0.5 * step / steps
        box = Box(
            room.left + reach * room.width,
            row.top,
            room.right - reach * room.width,
            room.bottom,
        )
        fill(canvas, rectangle(box), kit.wall, 0)
        for x in (box.left, box.right):
            side = 0.5 * room.width / steps * (1 if x == box.left else -1)
            left, right = sorted((x - 0.1 * side, x + side))
            cap = Box(left, row.top - 3 * unit, right, row.top + 3 * unit)
            fill(canvas, rectangle(cap), kit.trim, 5, 1.5)
    style = random_window_style(rng, kit)
    draw_window(canvas, room.part(0.3, 0.45, 0.7, 1), style, kit, rng)
    _crown_with_finial(canvas, room, kit, rng)


def bell_gable(canvas, room, kit, rng):
    """A gable of curves and scrolls."""
    heights = (0, 0.1, 0.2, 0.35, 0.5, 0.6, 0.61, 0.66, 0.8, 0.86, 0.87)
    reaches = (1, 0.98, 0.86, 0.66, 0.58, 0.56, 0.66, 0.66, 0.4, 0.3, 0.4)
    profile = [
        *zip(heights, reaches, strict=True),
        (0.9, 0.4),
        (0.96, 0.24),
        (1, 0),
    ]
    fill(canvas, turned(room, profile), kit.trim, 5, 1.5)
    inner = room.part(0.05, 0.05, 0.95, 1)
    fill(canvas, turned(inner, profile), kit.wall, 0)
    for side in (0.14, 0.86):
        scroll = (
            room.left + side * room.width,
            room.bottom - 0.17 * room.height,
        )
        fill(canvas, disc(scroll, 0.075 * room.width), kit.trim, 7, 4)
        tint(canvas, disc(scroll, 0.03 * room.width), 0.5)
    style = random_window_style(rng, kit)
    draw_window(canvas, room.part(0.32, 0.5, 0.68, 1), style, kit, rng)
    draw_carving(canvas, room.part(0.38, 0.18, 0.62, 0.4), kit.trim, rng, 5, 6)


def mansard(canvas, room, kit, rng):
    """A steep roof with dormers and chimneys."""
    unit = canvas.unit
    for _ in range(int(rng.integers(1, 4))):
        x = rng.uniform(0.12, 0.88)
        stack = room.part(x - 0.03, rng.uniform(-0.25, -0.05), x + 0.03, 0.5)
        fill(canvas, rectangle(stack), kit.base, 2)
        fill(
            canvas, rectangle(stack.part(-0.15, 0, 1.15, 0.08)), kit.trim, 5, 1
        )
    slope = rng.uniform(0.15, 0.5) * room.height
    fill(canvas, trapezium(room, slope), kit.roof, 0)
    ridge = Box(room.left + slope, room.top, room.right - slope, room.top)
    fill(canvas, rectangle(ridge.inset(0, -3 * unit)), kit.metal, 4, 1.5)
    count = max(int(room.width / (0.95 * room.height)), 1)
    style = random_window_style(rng, kit)
    for cell in room.inset(slope, 0).columns(np.ones(count)):
        middle, half = cell.middle, 0.24 * room.height
        dormer = Box(middle - half, cell.top, middle + half, cell.bottom)
        dormer = dormer.part(0, 0.36, 1, 0.95)
        fill(canvas.raised(6), rectangle(dormer), kit.trim, 0, 1)
        draw_window(canvas.raised(6), dormer, style, kit, rng)
        head = Box(dormer.left, dormer.top, dormer.right, dormer.top)
        head = head.inset(-4 * unit, 0)._replace(top=dormer.top - 0.7 * half)
        pointed = style.shape == "flat"
        outline = triangle(head) if pointed else arch(head, "round")
        fill(canvas, outline, kit.trim, 10, 2)
    draw_eaves(canvas, room, kit, rng)


def hipped(canvas, room, kit, rng):
    """A plain hipped roof with a finial on either end of the ridge."""
    slope = min(0.8 * room.height, 0.4 * room.width)
    fill(canvas, trapezium(room, slope), kit.roof, 0)
    for x in (room.left + slope, room.right - slope):
        mast = room.height * 0.14
        box = Box(x - mast, room.top - 2 * mast, x + mast, room.top + 2)
        draw_finial(canvas, box, kit, rng)
    draw_eaves(canvas, room, kit, rng)


def battlements(canvas, room, kit, rng):
    """Merlons on corbels."""
    unit = canvas.unit
    height = min(room.height, 60 * unit)
    wall = Box(room.left, room.bottom - height, room.right, room.bottom)
    wall = wall.inset(-8 * unit, 0)
    count = max(int(wall.width / (0.62 * height)), 2)
    swallow = rng.random() < 0.4
    for cell in wall.part(0, 0, 1, 0.55).columns(np.ones(count)):
        merlon = cell.part(0.2, 0, 0.8, 1)
        outline = rectangle(merlon)
        if swallow:
            notch = [(merlon.middle, merlon.top + 0.45 * merlon.height)]
            outline = np.insert(outline, 1, notch, axis=0)
        fill(canvas, outline, kit.wall, 8)
        slit = merlon.part(0.45, 0.4, 0.55, 0.85)
        tint(canvas, rectangle(slit), 0.2)
    fill(canvas, rectangle(wall.part(0, 0.5, 1, 0.75)), kit.wall, 8)
    for cell in wall.part(0, 0.73, 1, 1).columns(np.ones(2 * count)):
        corbel = arch(cell.part(0.15, 0, 0.85, 1), "round")
        fill(canvas, corbel, kit.base, 0)
        bracket = cell.part(0.85, 0, 1.15, 0.8)
        fill(canvas, rectangle(bracket), kit.trim, 7, 2)


def _crown_with_finial(canvas, room, kit, rng):
    box = room.part(0.4, -0.1, 0.6, 0.03)
    draw_finial(canvas, box, kit, rng)
