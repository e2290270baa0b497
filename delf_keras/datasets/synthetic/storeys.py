"""What fills a storey: windows, arcades, shops, portals, ornaments.

A storey is a function of (canvas, box, bays, kit, rng) that draws into a box;
`bays` is how many parts wide the building is there.
"""

import numpy as np

from delf_keras.datasets.synthetic.emblems import (
    draw_banner,
    draw_clock,
    draw_mosaic,
    draw_rose,
    draw_shield,
    draw_sign,
)
from delf_keras.datasets.synthetic.materials import linear
from delf_keras.datasets.synthetic.openings import (
    draw_portal,
    draw_window,
    random_window_style,
)
from delf_keras.datasets.synthetic.ornaments import (
    draw_carving,
    draw_column,
    draw_cornice,
    draw_frieze,
    draw_niche,
)
from delf_keras.datasets.synthetic.relief import fill, tint
from delf_keras.datasets.synthetic.shapes import (
    Box,
    arch,
    disc,
    mirrored,
    rectangle,
    stroke,
    trapezium,
)


def _bays(box, bays, rng):
    """Bays of a symmetrical rhythm."""
    half = rng.choice([1.0, 1.0, 1.35], (bays + 1) // 2)
    return box.columns(np.concatenate([half, half[: bays // 2][::-1]]))


def windows(canvas, box, bays, kit, rng):
    """A row of windows, some of them replaced by ornaments."""
    style = random_window_style(rng, kit)
    cells = _bays(box, bays, rng)
    between = rng.choice(["none", "pilasters", "carving", "strip"])
    for cell in cells[:-1]:
        half = rng.uniform(0.09, 0.11) * cell.width
        pier = Box(cell.right - half, box.top, cell.right + half, box.bottom)
        if between == "pilasters":
            draw_column(canvas.raised(-3), pier, kit, rng)
        elif between == "strip":
            fill(canvas, rectangle(pier), kit.base, 3, 1)
        elif between == "carving":
            spot = pier.inset(-0.6 * half, 0).part(0, 0.3, 1, 0.6)
            draw_carving(canvas, spot, kit.trim, rng, 4, 5)
    for cell in cells:
        if rng.random() < 0.06:
            draw_niche(canvas, cell.part(0.2, 0.15, 0.8, 0.86), kit, rng)
        else:
            draw_window(canvas, cell, style, kit, rng)
    course = Box(box.left, box.bottom - 7 * canvas.unit, box.right, box.bottom)
    fill(canvas, rectangle(course), kit.trim, 5, 1.5)


def slits(canvas, box, bays, kit, rng):
    """A bare wall with a few narrow openings where they were needed."""
    for _ in range(int(rng.integers(1, bays + 2))):
        x, y = rng.uniform(0.12, 0.88), rng.uniform(0.2, 0.7)
        half = rng.choice([4, 6, 9]) * canvas.unit
        high = rng.uniform(22, 42) * canvas.unit
        middle, top = box.left + x * box.width, box.top + y * box.height
        slit = Box(middle - half, top, middle + half, top + high)
        fill(canvas, arch(slit.inset(-half), kit.arch), kit.trim, 2, 1.5)
        fill(canvas, arch(slit, kit.arch), linear((0.1, 0.1, 0.11)), -8)


def arcade(canvas, box, bays, kit, rng):
    """Deep arches on columns, with something different in each spandrel."""
    fill(canvas, rectangle(box), kit.base, 2)
    cells = box.columns(np.ones(bays))
    carved = rng.random() < 0.5
    for cell in cells:
        opening = cell.part(0.13, 0.16, 0.87, 1)
        ring = opening.inset(-0.06 * cell.width)
        fill(canvas, arch(ring, kit.arch), kit.trim, 5, 2)
        fill(canvas, arch(opening, kit.arch), kit.wall, -16)
        tint(canvas, arch(opening, kit.arch), rng.uniform(0.3, 0.6))
        inside = opening.part(0.2, 0.35, 0.8, 1)
        fill(canvas, arch(inside, kit.arch), kit.door, -15)
        tint(canvas, rectangle(inside.part(0, 0, 1, 0.35)), 0.4)
    for cell in cells[:-1]:
        half = 0.075 * cell.width
        pier = Box(cell.right - half, cell.top, cell.right + half, cell.bottom)
        draw_column(canvas, pier.part(0, 0.42, 1, 1), kit, rng)
        spot = (cell.right, box.top + 0.2 * box.height)
        if carved:
            around = pier.inset(-half, 0).part(0, 0.06, 1, 0.32)
            draw_carving(canvas.raised(3), around, kit.trim, rng, 4, 4)
        else:
            fill(canvas, disc(spot, 1.1 * half), kit.accent(rng), 4, 2)


def colonnade(canvas, box, bays, kit, rng):
    """Giant columns before a wall in the shade."""
    unit = canvas.unit
    fill(canvas, rectangle(box), kit.wall, -22)
    tint(canvas, rectangle(box), 0.7)
    style = random_window_style(rng, kit)
    cells = box.columns(np.ones(bays))
    for index, cell in enumerate(cells):
        inner = cell.part(0.16, 0.08, 0.84, 1)
        if index == bays // 2:
            door = inner.part(-0.05, 0.3, 1.05, 1)
            draw_portal(canvas.raised(-22), door, kit, rng, 2)
            continue
        for row in inner.rows([1, 1.5]):
            draw_window(canvas.raised(-22), row, style, kit, rng)
    half = min(0.17 * cells[0].width, 0.085 * box.height)
    order = rng.integers(3)
    for x in [
        box.left + half,
        *(c.right for c in cells[:-1]),
        box.right - half,
    ]:
        column = Box(x - half, box.top, x + half, box.bottom - 8 * unit)
        draw_column(canvas, column, kit, rng, order)
    for step in range(3):
        stair = box._replace(top=box.bottom - (9 - 3 * step) * unit)
        stair = stair.inset(-(8 + 8 * step) * unit, 0)
        fill(canvas, rectangle(stair), kit.base, 8 + 5 * step)


def shops(canvas, box, bays, kit, rng):
    """Shop windows with goods, awnings and signs."""
    for cell in box.columns(rng.uniform(0.7, 1.4, max(bays - 1, 1))):
        shop = cell.inset(5 * canvas.unit, 0)
        fill(canvas, rectangle(shop), kit.accent(rng) * 0.5, 3, 2)
        window = shop.part(0.06, 0.3, 0.94, 0.86)
        fill(canvas, rectangle(window), linear((0.16, 0.18, 0.2)), -6)
        for _ in range(int(rng.integers(5, 14))):
            spot = (rng.uniform(*window[::2]), rng.uniform(*window[1::2]))
            goods = disc(spot, rng.uniform(3, 9) * canvas.unit)
            fill(canvas, goods, kit.accent(rng), -5, clip=rectangle(window))
        if rng.random() < 0.6:
            door = window.part(0.36, 0, 0.64, 1.25)
            fill(canvas, rectangle(door), kit.door, -2, 1)
            fill(canvas, rectangle(door.part(0.2, 0.1, 0.8, 0.6)), 0.1, -5)
        draw_sign(canvas, shop.part(0.02, 0.04, 0.98, 0.24), kit, rng)
        if rng.random() < 0.6:
            _draw_awning(canvas, shop.part(0, 0.24, 1, 0.48), kit, rng)


def _draw_awning(canvas, box, kit, rng):
    colour = kit.accent(rng)
    stripes = max(int(box.width / (11 * canvas.unit)), 2)
    outline = trapezium(box, 0.12 * box.height)
    for index, stripe in enumerate(box.columns(np.ones(stripes))):
        paint = colour if index % 2 else linear((0.9, 0.88, 0.82))
        fill(canvas, rectangle(stripe), paint, 12, clip=outline)
        lip = stripe.part(0, 0.9, 1, 1.12)
        fill(canvas, arch(lip, "flat"), paint * 0.8, 12)


def frieze(canvas, box, bays, kit, rng):
    """A carved band below a cornice."""
    upper, lower = box.rows([2, 3])
    draw_frieze(canvas, lower, kit, rng)
    draw_cornice(canvas, upper, kit, rng, 9)


def portal(canvas, box, bays, kit, rng):
    """A great doorway between niches, or between columns."""
    half = min(0.42 * box.height, 0.3 * box.width)
    door = Box(box.middle - half, box.top, box.middle + half, box.bottom)
    door = door.part(0, 0.06, 1, 1)
    draw_portal(canvas, door, kit, rng, int(rng.integers(3, 6)))
    for side in (box._replace(right=door.left), box._replace(left=door.right)):
        if side.width > 0.35 * half:
            cells = side.columns(np.ones(max(int(side.width / half), 1)))
            for cell in cells:
                niche = cell.part(0.18, 0.25, 0.82, 0.9)
                draw_niche(canvas, niche, kit, rng)
    for step in range(3):
        stair = Box(door.left, box.bottom, door.right, box.bottom)
        stair = stair.inset(-(10 + 9 * step) * canvas.unit, 0)
        stair = stair._replace(top=box.bottom - (9 - 3 * step) * canvas.unit)
        fill(canvas, rectangle(stair), kit.base, 8 + 5 * step)


def rose(canvas, box, bays, kit, rng):
    """A rose window."""
    radius = 0.44 * min(box.width, box.height)
    draw_rose(canvas, box.centre, radius, kit, rng)
    if box.width > 2.6 * radius:
        for side in (0.09, 0.91):
            niche = box.part(side - 0.07, 0.3, side + 0.07, 0.9)
            draw_niche(canvas, niche, kit, rng)


def clock(canvas, box, bays, kit, rng):
    """A clock among carvings."""
    radius = 0.36 * min(box.width, box.height)
    around = 1.5 * radius
    spot = Box(
        box.middle - around,
        box.centre[1] - 1.3 * radius,
        box.middle + around,
        box.centre[1] + 1.3 * radius,
    )
    draw_carving(canvas, spot, kit.trim, rng, 4, 12)
    draw_clock(canvas, box.centre, radius, kit, rng)


def sign(canvas, box, bays, kit, rng):
    """Large letters."""
    draw_sign(canvas, box.part(0.06, 0.12, 0.94, 0.88), kit, rng)


def arms(canvas, box, bays, kit, rng):
    """A coat of arms, with banners beside it where there is room."""
    half = 0.5 * min(box.height, box.width)
    spot = Box(box.middle - half, box.top, box.middle + half, box.bottom)
    draw_shield(canvas, spot.part(0.05, 0.05, 0.95, 0.95), kit, rng)
    if box.width > 4 * half:
        for x in (0.14, 0.86):
            middle = box.left + x * box.width
            cloth = Box(
                middle - half / 3, box.top, middle + half / 3, box.bottom
            )
            draw_banner(canvas, cloth, kit, rng)


def mosaics(canvas, box, bays, kit, rng):
    """Framed pictures."""
    for cell in _bays(box, max(bays // 2, 1), rng):
        draw_mosaic(canvas, cell.part(0.1, 0.12, 0.9, 0.88), kit, rng)


def niches(canvas, box, bays, kit, rng):
    """A row of statues."""
    count = max(bays, int(box.width / (0.62 * box.height)))
    for cell in box.columns(np.ones(count)):
        draw_niche(canvas, cell.part(0.08, 0.04, 0.92, 0.94), kit, rng)


def iwan(canvas, box, bays, kit, rng):
    """A giant pointed arch in a frame of tiles, a door at its back."""
    unit = canvas.unit
    fill(canvas, rectangle(box), kit.trim, 12, 2)
    band = box.part(0.03, 0.02, 0.97, 1)
    fill(canvas, rectangle(band), kit.roof, 10)
    for cell in band.part(0, 0, 1, 0.12).columns(rng.uniform(0.6, 1.4, 9)):
        draw_carving(canvas.raised(10), cell.inset(2 * unit), kit.metal, rng, 3)
    inner = box.part(0.14, 0.13, 0.86, 1)
    fill(canvas, rectangle(inner), kit.wall, 10)
    opening = box.part(0.19, 0.17, 0.81, 1)
    fill(canvas, arch(opening.inset(-5 * unit), kit.arch), kit.metal, 13, 2)
    fill(canvas, arch(opening, kit.arch), kit.roof, -14)
    tint(canvas, arch(opening, kit.arch), 0.75)
    for ring in range(1, 5):
        scale = 0.09 * ring
        shell = opening.part(scale, 0.7 * scale, 1 - scale, 0.62)
        paint = kit.accent(rng) if ring % 2 else kit.trim
        fill(canvas, arch(shell, kit.arch), paint, -15 - 3 * ring)
    draw_portal(
        canvas.raised(-20), opening.part(0.26, 0.48, 0.74, 1), kit, rng, 3
    )


def timber(canvas, box, bays, kit, rng):
    """A timber frame filled with plaster, windows between the beams."""
    beam, width = kit.door * 0.6, 7 * canvas.unit
    style = random_window_style(rng, kit)
    cells = box.columns(rng.uniform(0.8, 1.2, bays))
    for index, cell in enumerate(cells):
        if index % 2 == bays % 2 or rng.random() < 0.3:
            draw_window(canvas, cell.part(0.1, 0, 0.9, 1), style, kit, rng)
            continue
        brace = stroke((cell.left, cell.bottom), (cell.right, cell.top), width)
        kind = rng.integers(3)
        if kind < 2:
            fill(canvas, brace, beam, 3, 1)
        if kind > 0:
            fill(canvas, mirrored(brace, cell.middle), beam, 3, 1)
    for x in [box.left, *(cell.right for cell in cells)]:
        post = stroke((x, box.top), (x, box.bottom), width)
        fill(canvas, post, beam, 4, 1)
    for y in (box.top, box.top + 0.9 * box.height, box.bottom):
        fill(canvas, stroke((box.left, y), (box.right, y), width), beam, 5, 1)
