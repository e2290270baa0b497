"""Windows and doors."""

from dataclasses import dataclass

import numpy as np

from delf_keras.datasets.synthetic.materials import linear
from delf_keras.datasets.synthetic.relief import fill, tint
from delf_keras.datasets.synthetic.shapes import (
    ARCHES,
    Box,
    arch,
    disc,
    rectangle,
    sector,
    stroke,
    trapezium,
    triangle,
)


@dataclass(frozen=True)
class WindowStyle:
    """How the windows of one storey look.

    Attributes:
        shape: key of `ARCHES`.
        width, height: float, fractions of the bay.
        columns, rows: int, panes.
        surround: float, units, the width of the stone frame; 0 for none.
        hood: "none", "slab", "pediment" or "voussoirs", what is above it.
        sill: bool.
        shutters: bool.
        balcony: "none", "iron", "stone" or "flowers".
        tracery: bool, whether it is divided as church windows are.
    """

    shape: str
    width: float
    height: float
    columns: int
    rows: int
    surround: float
    hood: str
    sill: bool
    shutters: bool
    balcony: str
    tracery: bool


def random_window_style(rng, kit):
    """Draws a style of window that suits a building."""
    shape = str(rng.choice(["flat", "segmental", kit.arch, kit.arch]))
    pointed = shape not in ("flat", "segmental")
    shutters = not pointed and rng.random() < 0.25
    return WindowStyle(
        shape=shape,
        width=rng.uniform(0.32, 0.42) if shutters else rng.uniform(0.4, 0.62),
        height=rng.uniform(0.58, 0.74),
        columns=int(rng.integers(1, 4)),
        rows=int(rng.integers(2, 6)),
        surround=rng.choice([0, 3, 5, 7]),
        hood=str(
            rng.choice(["none", "voussoirs"])
            if pointed
            else rng.choice(["none", "slab", "pediment", "voussoirs"])
        ),
        sill=rng.random() < 0.8,
        shutters=shutters,
        balcony=str(
            rng.choice(
                ["none", "iron", "stone", "flowers"], p=[0.6, 0.15, 0.1, 0.15]
            )
        ),
        tracery=pointed and rng.random() < 0.5,
    )


def draw_window(canvas, bay, style, kit, rng):
    """Draws a window in the middle of the box of its bay."""
    side = (1 - style.width) / 2
    foot = 0.86
    box = bay.part(side, foot - style.height, 1 - side, foot)
    unit = canvas.unit
    outline = arch(box, style.shape)
    if style.hood == "voussoirs":
        _draw_voussoirs(canvas, box, style, kit)
    if style.surround:
        around = arch(box.inset(-style.surround * unit), style.shape)
        fill(canvas, around, kit.trim, 2.5, 1.5)
    fill(canvas, outline, kit.frame, -4)
    draw_glazing(canvas, box.inset(2 * unit), style, kit, rng)
    if style.hood in ("slab", "pediment"):
        _draw_hood(canvas, box, style, kit)
    if style.sill:
        reach = 4 + style.surround
        sill = Box(
            box.left - reach * unit,
            box.bottom,
            box.right + reach * unit,
            box.bottom + 5 * unit,
        )
        fill(canvas, rectangle(sill), kit.trim, 5, 1.5)
        _draw_stain(canvas, sill, rng)
    if style.shutters:
        _draw_shutters(canvas, box, style, kit, rng)
    if style.balcony != "none":
        _draw_balcony(canvas, box, style, kit, rng)


def draw_glazing(canvas, box, style, kit, rng):
    """Draws panes, and what can be seen behind them."""
    inside = arch(box, style.shape)
    gap = max(1.6 * canvas.unit, 0.8)
    glass = linear(rng.uniform(0.13, 0.32) * np.array([0.9, 1.0, 1.15]))
    stained = style.tracery and rng.random() < 0.7
    for pane in _panes(box, style, gap):
        tone = glass * rng.uniform(0.5, 1.6)
        if stained:
            tone = kit.accent(rng) * rng.uniform(0.3, 0.9)
        fill(canvas, pane, tone, -7, clip=inside)
    if stained:
        return
    # The sky in the upper panes, a blind or a curtain in some.
    slope = box.part(0, 0, 1, rng.uniform(0.3, 0.6))
    tint(canvas, rectangle(slope), rng.uniform(1.2, 2.2), clip=inside)
    if rng.random() < 0.35:
        cloth = linear(rng.uniform(0.55, 0.9) * np.array([1.0, 0.97, 0.9]))
        blind = box.part(0, 0, 1, rng.uniform(0.2, 0.7))
        if rng.random() < 0.5:
            blind = box.part(*rng.choice([(0, 0, 0.3, 1), (0.7, 0, 1, 1)]))
        for pane in _panes(box, style, gap):
            fill(canvas, pane, cloth, -7, clip=_overlap(blind, box, style))


def _overlap(part, box, style):
    """The part of a window's outline inside a box that starts at an edge."""
    outline = arch(box, style.shape)
    low, high = (part.left, part.top), (part.right, part.bottom)
    return np.clip(outline, low, high)


def _panes(box, style, gap):
    """Outlines of the panes of a window."""
    if not style.tracery:
        return [
            rectangle(pane.inset(gap / 2))
            for row in box.rows(np.ones(style.rows))
            for pane in row.columns(np.ones(style.columns))
        ]
    crown = min(ARCHES[style.shape][0] * box.width, 0.6 * box.height)
    lights = max(style.columns, 2)
    lower = Box(box.left, box.top + 0.75 * crown, box.right, box.bottom)
    panes = [
        arch(light.inset(gap), style.shape)
        for light in lower.columns(np.ones(lights))
    ]
    radius = 0.26 * box.width
    centre = (box.middle, box.top + 0.62 * crown)
    petals = np.linspace(0, 2 * np.pi, 7)
    panes += [
        sector(centre, 0.3 * radius, radius - gap, first + 0.1, last - 0.1)
        for first, last in zip(petals[:-1], petals[1:], strict=True)
    ]
    return [*panes, disc(centre, 0.22 * radius)]


def _draw_voussoirs(canvas, box, style, kit):
    """Wedges of stone around the arch, the keystone the largest."""
    rise = max(ARCHES[style.shape][0], 0.25) * box.width
    centre = (box.middle, box.top + max(rise, box.width / 2))
    inner, outer = 0.4 * box.width, max(rise, box.width / 2)
    edges = np.linspace(-np.pi + 0.35, -0.35, 10)
    for index, first in enumerate(edges[:-1]):
        reach = (
            outer + (13 if index == 4 else 8 + 2 * (index % 2)) * canvas.unit
        )
        wedge = sector(centre, inner, reach, first, edges[index + 1])
        fill(canvas, wedge, kit.trim, 3 if index % 2 == 0 else 1.5, 0.8)


def _draw_hood(canvas, box, style, kit):
    """A slab, or a small gable, on the head of a window."""
    unit = canvas.unit
    reach = (7 + style.surround) * unit
    top = box.top - (style.surround + 2) * unit
    slab = Box(box.left - reach, top - 5 * unit, box.right + reach, top)
    fill(canvas, rectangle(slab), kit.trim, 7, 1.5)
    if style.hood == "pediment":
        gable = Box(
            slab.left, slab.top - 0.28 * slab.width, slab.right, slab.top
        )
        fill(canvas, triangle(gable), kit.trim, 7, 1)
        inner = gable.part(0.17, 0.3, 0.83, 0.95)
        fill(canvas, triangle(inner), kit.wall, 2)


def _draw_stain(canvas, sill, rng):
    """What the rain washed down from the ends of a sill."""
    for x in (sill.left, sill.right):
        length = rng.uniform(8, 45) * canvas.unit
        width = rng.uniform(2, 6) * canvas.unit
        streak = Box(x - width, sill.bottom, x + width, sill.bottom + length)
        tint(canvas, trapezium(streak, 0)[[0, 1, 2]], rng.uniform(0.75, 0.95))


def _draw_shutters(canvas, box, style, kit, rng):
    colour = kit.accents[0]
    width = 0.48 * box.width
    for side in (-1, 1):
        if rng.random() < 0.08:
            continue
        hinge = box.left if side < 0 else box.right
        hinge += side * (style.surround + 1) * canvas.unit
        left, right = sorted((hinge, hinge + side * width))
        leaf = Box(left, box.top, right, box.bottom)
        fill(canvas, rectangle(leaf), colour, 3.5)
        inner = leaf.part(0.15, 0.05, 0.85, 0.95)
        slats = inner.rows(np.ones(max(int(box.height / 5 / canvas.unit), 2)))
        for slat in slats[::2]:
            tint(canvas, rectangle(slat), 0.55)


def _draw_balcony(canvas, box, style, kit, rng):
    unit = canvas.unit
    left, right = box.left - 0.22 * box.width, box.right + 0.22 * box.width
    foot = box.bottom + 3 * unit
    rail = Box(left, foot - 0.34 * box.height, right, foot)
    if style.balcony == "flowers":
        trough = Box(box.left, foot - 9 * unit, box.right, foot)
        fill(canvas, rectangle(trough), kit.door, 8)
        for _ in range(int(rng.integers(8, 18))):
            spot = (rng.uniform(*trough[::2]), trough.top + rng.normal() * unit)
            leaf = linear((0.2, rng.uniform(0.3, 0.5), 0.15))
            paint = kit.accents[1] if rng.random() < 0.5 else leaf
            fill(canvas, disc(spot, rng.uniform(2, 4) * unit), paint, 10, 2)
        return
    paint, bar = (kit.metal, 1.5) if style.balcony == "iron" else (kit.trim, 4)
    slab = Box(left, foot, right, foot + 6 * unit)
    fill(canvas, rectangle(slab), kit.trim, 14, 1.5)
    posts = np.linspace(left, right, max(int((right - left) / unit / 8), 2))
    lean = rng.uniform(-4, 4) * unit if style.balcony == "iron" else 0
    for x in posts:
        post = stroke((x, foot), (x, rail.top), bar * unit)
        fill(canvas, post, paint, 12, 1)
        cross = stroke((x - lean, foot), (x + lean, rail.top), bar * unit)
        fill(canvas, cross, paint, 12, 1)
    handrail = Box(left, rail.top - 3 * unit, right, rail.top)
    fill(canvas, rectangle(handrail), paint, 13, 1)


def draw_portal(canvas, box, kit, rng, orders=4):
    """Draws a doorway of nested arches that fills a box."""
    step = 0.32 * box.width / orders
    paints = [kit.trim, kit.base]
    for order in range(orders):
        ring = box.inset(0.5 * order * step, order * step)
        ring = Box(ring.left, ring.top, ring.right, box.bottom)
        roundness = 0.3 * step / canvas.unit
        outline = arch(ring, kit.arch)
        fill(canvas, outline, paints[order % 2], 5 - 3 * order, roundness)
    inner = 0.5 * orders * step
    door = Box(
        box.left + inner, box.top + orders * step, box.right - inner, box.bottom
    )
    fill(canvas, arch(door, kit.arch), kit.frame * 0.4, -3 * orders)
    _draw_leaves(canvas.raised(-3 * orders), door, kit, rng)


def _draw_leaves(canvas, door, kit, rng):
    """Two panelled leaves, under a fanlight."""
    clip = arch(door.inset(1.5 * canvas.unit), kit.arch)
    rise = min(ARCHES[kit.arch][0] * door.width, 0.6 * door.height)
    centre = (door.middle, door.top + max(rise, 0.15 * door.height))
    rays = np.linspace(-np.pi, 0, int(rng.integers(5, 9)))
    for first, last in zip(rays[:-1], rays[1:], strict=True):
        pane = sector(centre, 4 * canvas.unit, door.width, first, last - 0.08)
        fill(canvas, pane, kit.accent(rng) * 0.6, -2, clip=clip)
    leaves = Box(door.left, centre[1], door.right, door.bottom)
    rows = np.ones(int(rng.integers(2, 5)))
    for leaf in leaves.columns([1, 1]):
        fill(canvas, rectangle(leaf.inset(canvas.unit)), kit.door, 0, clip=clip)
        for panel in leaf.rows(rows):
            inner = rectangle(panel.part(0.15, 0.1, 0.85, 0.9))
            fill(canvas, inner, kit.door * 1.3, 1.5, 2, clip=clip)
