"""What a building ends in: gables, domes, spires, battlements.

A roof is a function of (canvas, room, kit, rng): it draws into the box `room`,
whose lower side is the top of the wall.
"""

import numpy as np

from delf_keras.datasets.synthetic.emblems import draw_clock, draw_finial
from delf_keras.datasets.synthetic.openings import (
    draw_window,
    random_window_style,
)
from delf_keras.datasets.synthetic.ornaments import (
    draw_balustrade,
    draw_carving,
    draw_column,
    draw_cornice,
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
    profile = [(0, 1), (0.1, 0.98), (0.2, 0.86), (0.35, 0.66), (0.5, 0.58)]
    profile += [
        (0.6, 0.56),
        (0.61, 0.66),
        (0.66, 0.66),
        (0.8, 0.4),
        (0.86, 0.3),
    ]
    profile += [(0.87, 0.4), (0.9, 0.4), (0.96, 0.24), (1, 0.0)]
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
        form = triangle if style.shape == "flat" else _segment
        fill(canvas, form(head), kit.trim, 10, 2)
    draw_cornice(canvas, _eaves(canvas, room), kit, rng, 10)


def hipped(canvas, room, kit, rng):
    """A plain hipped roof with a finial on either end of the ridge."""
    slope = min(0.8 * room.height, 0.4 * room.width)
    fill(canvas, trapezium(room, slope), kit.roof, 0)
    for x in (room.left + slope, room.right - slope):
        mast = room.height * 0.14
        box = Box(x - mast, room.top - 2 * mast, x + mast, room.top + 2)
        draw_finial(canvas, box, kit, rng)
    draw_cornice(canvas, _eaves(canvas, room), kit, rng, 10)


def dome(canvas, room, kit, rng):
    """A drum of columns and windows, a ribbed dome, a lantern."""
    width = min(0.86 * room.width, 0.8 * room.height)
    half = width / 2
    room = Box(room.middle - half, room.top, room.middle + half, room.bottom)
    drum = room.part(0.04, 0.68, 0.96, 1)
    fill(canvas, rectangle(drum), kit.wall, 0, width / 3 / canvas.unit)
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
    fill(canvas, turned(shell, profile), kit.roof, 6, width / 2.4 / canvas.unit)
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
    width = min(0.95 * room.width, 0.85 * room.height)
    half = width / 2
    room = Box(room.middle - half, room.top, room.middle + half, room.bottom)
    drum = room.part(0.14, 0.8, 0.86, 1)
    fill(canvas, rectangle(drum), kit.wall, 0, width / 3 / canvas.unit)
    for bay in drum.columns(np.ones(int(rng.integers(4, 8)))):
        opening = arch(bay.part(0.2, 0.2, 0.8, 1), kit.arch)
        fill(canvas, opening, kit.accent(rng) * 0.4, -5)
    height = np.linspace(0, 1, 30)
    bulb = np.sin(np.pi * (0.22 + 0.78 * height**0.9)) ** 0.9
    profile = np.stack([height, 0.03 + bulb * (1 - 0.35 * height)], -1)
    shell = room.part(0, 0.14, 1, 0.82)
    fill(canvas, turned(shell, profile), kit.roof, 6, width / 2.6 / canvas.unit)
    band = room.part(0.12, 0.79, 0.88, 0.84)
    fill(canvas, rectangle(band), kit.metal, 8, 3)
    draw_finial(canvas, room.part(0.3, 0, 0.7, 0.17), kit, rng)


def spire(canvas, room, kit, rng):
    """A tall pyramid with crockets and four pinnacles at its foot."""
    unit = canvas.unit
    for x in (0.06, 0.94):
        pinnacle = room.part(x - 0.07, 0.68, x + 0.07, 1)
        fill(
            canvas,
            rectangle(pinnacle.part(0.15, 0.45, 0.85, 1)),
            kit.trim,
            5,
            2,
        )
        fill(canvas, triangle(pinnacle.part(0, 0, 1, 0.5)), kit.trim, 6, 3)
    body = room.part(0.1, 0.06, 0.9, 1)
    fill(canvas, triangle(body), kit.roof, 0, 0.3 * body.width / unit)
    facet = [
        (body.middle, body.top),
        (body.middle + 0.2 * body.width, body.bottom),
    ]
    fold = np.array([*facet, (body.right, body.bottom)])
    tint(canvas, fold, 0.75)
    for height in np.linspace(0.1, 0.92, int(rng.integers(6, 12))):
        for side in (-1, 1):
            x = body.middle + side * height * body.width / 2
            crocket = disc((x, body.top + height * body.height), 3.5 * unit)
            fill(canvas, crocket, kit.trim, 5, 2)
    window = body.part(0.36, 0.55, 0.64, 0.85)
    fill(canvas, triangle(window.part(-0.2, -0.5, 1.2, 0.1)), kit.trim, 6, 1.5)
    fill(canvas, arch(window, "gothic"), kit.frame * 0.15, -2)
    draw_finial(canvas, room.part(0.4, 0, 0.6, 0.1), kit, rng)


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


def cone(canvas, room, kit, rng):
    """A conical roof with a flag or a ball."""
    body = room.part(-0.08, 0.12, 1.08, 1)
    fill(canvas, triangle(body), kit.roof, 6, 0.35 * body.width / canvas.unit)
    draw_finial(canvas, room.part(0.35, 0, 0.65, 0.16), kit, rng)


def belfry(canvas, room, kit, rng):
    """An open storey for bells, a clock above it and a pointed roof."""
    bells = room.part(0.04, 0.55, 0.96, 1)
    fill(canvas, rectangle(bells), kit.wall, 0)
    for bay in bells.columns(np.ones(int(rng.integers(2, 4)))):
        opening = bay.part(0.18, 0.12, 0.82, 0.92)
        fill(
            canvas,
            arch(opening.inset(-4 * canvas.unit), kit.arch),
            kit.trim,
            3,
            2,
        )
        fill(canvas, arch(opening, kit.arch), kit.frame * 0.1, -9)
        bell = [(0, 1), (0.1, 0.85), (0.6, 0.55), (0.9, 0.4), (1, 0.1)]
        fill(
            canvas,
            turned(opening.part(0.2, 0.35, 0.8, 0.8), bell),
            kit.metal,
            -5,
            6,
        )
    draw_cornice(canvas, bells.part(-0.04, -0.1, 1.04, 0.06), kit, rng)
    cap = room.part(0, 0.12, 1, 0.52)
    fill(canvas, trapezium(cap, 0.34 * cap.width), kit.roof, 2)
    radius = 0.17 * room.width
    draw_clock(canvas, cap.centre + (0, 0.12 * cap.height), radius, kit, rng)
    draw_finial(canvas, room.part(0.35, -0.04, 0.65, 0.15), kit, rng)


ROOFS = {
    roof.__name__: roof
    for roof in (
        parapet,
        pediment,
        gable,
        stepped_gable,
        bell_gable,
        mansard,
        hipped,
        dome,
        onion,
        spire,
        battlements,
        cone,
        belfry,
    )
}


def _segment(box):
    return arch(box, "round")


def _eaves(canvas, room):
    thick = 16 * canvas.unit
    return Box(
        room.left - 4 * canvas.unit,
        room.bottom - 0.6 * thick,
        room.right + 4 * canvas.unit,
        room.bottom + 0.4 * thick,
    )


def _crown_with_finial(canvas, room, kit, rng):
    box = room.part(0.4, -0.1, 0.6, 0.03)
    draw_finial(canvas, box, kit, rng)
