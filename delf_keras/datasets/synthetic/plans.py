"""Kinds of building, as blocks with storeys and a roof."""

from delf_keras.datasets.synthetic import materials, roofs, spires, storeys
from delf_keras.datasets.synthetic.parts import Plan, block, choose, sides
from delf_keras.datasets.synthetic.shapes import Box


def _behind(page, half, tops, roof):
    """A dome or tower that rises behind the middle."""
    span = (0.5 - half, 0.5 + half)
    floors = [(storeys.windows, 1.0)]
    return block(page, span, tops, roof, floors, 3, grounded=False)


def cathedral(page, rng):
    """Two towers, a nave with a portal and a rose window between them."""
    edge, width = rng.uniform(0.04, 0.08), rng.uniform(0.22, 0.27)
    inner = edge + width - 0.02
    top = rng.uniform(0.42, 0.5)
    gallery = choose(rng, storeys.niches, storeys.arcade, storeys.windows)
    nave = [
        (storeys.frieze, 0.5),
        (storeys.rose, 2.2),
        (gallery, 0.9),
        (storeys.portal, 2.6),
    ]
    span, tops = (inner, 1 - inner), (top - 0.24, top)
    parts = [block(page, span, tops, roofs.gable, nave, 3)]
    roof = choose(
        rng,
        spires.spire,
        spires.spire,
        spires.belfry,
        spires.onion,
        spires.cone,
    )
    for span in sides(edge, edge + width):
        third = (storeys.windows, storeys.clock, storeys.niches, storeys.arms)
        floors = [
            (storeys.windows, 1.6),
            (storeys.frieze, 0.35),
            (choose(rng, *third), 1.2),
            (storeys.windows, 1.2),
            (choose(rng, storeys.portal, storeys.windows), 1.7),
        ]
        tops, bays = (0.03, rng.uniform(0.3, 0.38)), int(rng.integers(1, 3))
        parts.append(block(page, span, tops, roof, floors, bays, level=14))
    return parts


def palace(page, rng):
    """Wings, a centre that stands forward and a cupola."""
    half, top = rng.uniform(0.13, 0.19), rng.uniform(0.42, 0.48)
    cupola = choose(rng, spires.dome, spires.onion, spires.belfry)
    parts = [_behind(page, 0.9 * half, (0.02, 0.4), cupola)]
    ground = choose(rng, storeys.arcade, storeys.windows, storeys.shops)
    wing = [
        (storeys.frieze, 0.4),
        (storeys.windows, 0.9),
        (storeys.windows, 1.3),
        (ground, 1.3),
    ]
    roof = choose(rng, roofs.mansard, roofs.parapet, roofs.hipped)
    tops, bays = (top - 0.13, top), int(rng.integers(3, 5))
    for span in sides(0.03, 0.5 - half):
        parts.append(block(page, span, tops, roof, wing, bays, quoins=True))
    show = (storeys.arms, storeys.clock, storeys.mosaics, storeys.windows)
    centre = [
        (storeys.frieze, 0.45),
        (choose(rng, *show), 1.0),
        (storeys.windows, 1.4),
        (storeys.portal, 1.8),
    ]
    roof = choose(rng, roofs.pediment, roofs.bell_gable, roofs.stepped_gable)
    span, tops = (0.5 - half, 0.5 + half), (top - 0.18, top - 0.04)
    return [*parts, block(page, span, tops, roof, centre, 3, level=12)]


def temple(page, rng):
    """A portico of columns before a wide block, a dome behind it."""
    half, top = rng.uniform(0.24, 0.32), rng.uniform(0.5, 0.56)
    parts = []
    if rng.random() < 0.75:
        roof = choose(rng, spires.dome, spires.dome, spires.onion)
        parts.append(_behind(page, 0.2, (0.06, top - 0.1), roof))
    show = (storeys.niches, storeys.mosaics, storeys.windows)
    flank = [
        (storeys.frieze, 0.5),
        (choose(rng, *show), 1.0),
        (choose(rng, storeys.windows, storeys.arcade), 1.4),
    ]
    tops = (top - 0.07, top)
    parts.append(block(page, (0.03, 0.97), tops, roofs.parapet, flank, 9))
    front = [
        (storeys.sign, 0.4),
        (storeys.frieze, 0.5),
        (storeys.colonnade, 3.2),
    ]
    span, tops = (0.5 - half, 0.5 + half), (top - 0.24, top - 0.04)
    bays = int(rng.choice([3, 5, 5]))
    parts.append(block(page, span, tops, roofs.pediment, front, bays, level=18))
    return parts


def row_houses(page, rng):
    """Neighbours that agreed on nothing."""
    gables = (roofs.stepped_gable, roofs.bell_gable, roofs.gable, roofs.mansard)
    upper = (storeys.windows, storeys.timber, storeys.arms)
    middle = (storeys.windows, storeys.timber, storeys.mosaics)
    ground = (storeys.shops, storeys.portal, storeys.arcade, storeys.windows)
    parts = []
    widths = rng.uniform(0.8, 1.3, rng.integers(2, 5))
    for index, house in enumerate(Box(0.03, 0, 0.97, 1).columns(widths)):
        roof = choose(rng, *gables, roofs.parapet)
        floors = [
            (choose(rng, *upper), 0.9),
            (choose(rng, *middle), 1.0),
            (storeys.windows, 1.1),
            (choose(rng, *ground), 1.2),
        ]
        wall = rng.uniform(0.28, 0.42)
        high = 0.08 if roof is roofs.parapet else rng.uniform(0.18, 0.26)
        others = {
            "level": rng.uniform(0, 6),
            "kit": index,
            "quoins": rng.random() < 0.3,
        }
        span, tops = (house.left, house.right), (wall - high, wall)
        bays = int(rng.integers(2, 4))
        parts.append(block(page, span, tops, roof, floors, bays, **others))
    return parts


def clock_tower(page, rng):
    """One tower between low wings."""
    half, axis = rng.uniform(0.1, 0.15), rng.uniform(0.36, 0.64)
    top = rng.uniform(0.58, 0.68)
    wing = [
        (storeys.frieze, 0.35),
        (storeys.windows, 1.0),
        (storeys.arcade, 1.3),
    ]
    roof = choose(
        rng, roofs.mansard, roofs.hipped, roofs.parapet, roofs.battlements
    )
    tops = (top - 0.11, top)
    parts = [
        block(page, span, tops, roof, wing, 4)
        for span in ((0.03, axis), (axis, 0.97))
    ]
    tower = [
        (storeys.clock, 1.5),
        (storeys.frieze, 0.4),
        (choose(rng, storeys.windows, storeys.niches, storeys.arms), 1.2),
        (storeys.slits, 1.0),
        (storeys.windows, 1.2),
        (storeys.portal, 1.6),
    ]
    tips = (spires.spire, spires.belfry, spires.onion, spires.dome)
    roof = choose(rng, *tips, roofs.battlements)
    span, tops = (axis - half, axis + half), (0.02, 0.24)
    quoins = bool(rng.random() < 0.6)
    parts.append(
        block(page, span, tops, roof, tower, 2, level=16, quoins=quoins)
    )
    return parts


def castle(page, rng):
    """A keep, curtain walls, round towers and a gatehouse."""
    top = rng.uniform(0.5, 0.58)
    keep = [(storeys.windows, 1.0), (storeys.slits, 2.5)]
    curtain = [(storeys.slits, 1.2), (storeys.windows, 0.7), (storeys.slits, 1)]
    tower = [(storeys.windows, 0.6), (storeys.slits, 1.5), (storeys.slits, 1)]
    gate = [(storeys.arms, 1.0), (storeys.windows, 0.8), (storeys.portal, 1.7)]
    span = (rng.uniform(0.2, 0.3), rng.uniform(0.62, 0.8))
    roof = choose(rng, roofs.battlements, roofs.hipped, roofs.stepped_gable)
    parts = [block(page, span, (0.16, 0.32), roof, keep, 4, level=-8)]
    span, tops = (0.05, 0.95), (top - 0.06, top)
    parts.append(block(page, span, tops, roofs.battlements, curtain, 6))
    roof = choose(rng, spires.cone, spires.cone, roofs.battlements)
    for span in sides(0.02, rng.uniform(0.17, 0.23)):
        wall = rng.uniform(0.32, 0.42)
        tops = (wall - 0.26, wall)
        parts.append(
            block(page, span, tops, roof, tower, 2, level=14, cylindrical=True)
        )
    half = rng.uniform(0.11, 0.16)
    span, tops = (0.5 - half, 0.5 + half), (top - 0.13, top - 0.06)
    roof = roofs.battlements
    parts.append(block(page, span, tops, roof, gate, 2, level=18, quoins=True))
    return parts


def mosque(page, rng):
    """A domed hall, a great arch and slender minarets."""
    top = rng.uniform(0.5, 0.57)
    parts = [_behind(page, 0.23, (0.08, top - 0.04), spires.onion)]
    hall = [
        (storeys.frieze, 0.4),
        (choose(rng, storeys.arcade, storeys.windows), 1.1),
        (storeys.arcade, 1.4),
    ]
    roof = choose(rng, roofs.parapet, roofs.battlements)
    tops, bays = (top - 0.06, top), int(rng.choice([6, 8, 10]))
    parts.append(block(page, (0.06, 0.94), tops, roof, hall, bays))
    half = rng.uniform(0.16, 0.2)
    span, tops = (0.5 - half, 0.5 + half), (top - 0.11, top - 0.07)
    gate = [(storeys.iwan, 1.0)]
    parts.append(block(page, span, tops, roofs.battlements, gate, 1, level=14))
    shaft = [
        (storeys.windows, 0.5),
        (storeys.frieze, 0.25),
        (storeys.mosaics, 0.4),
        (storeys.frieze, 0.25),
        (storeys.slits, 2.5),
    ]
    roof = choose(rng, spires.cone, spires.onion)
    edge = rng.uniform(0.01, 0.04)
    tops = (0.06, rng.uniform(0.2, 0.28))
    for span in sides(edge, edge + rng.uniform(0.055, 0.075)):
        parts.append(
            block(page, span, tops, roof, shaft, 1, level=10, cylindrical=True)
        )
    return parts


def exchange(page, rng):
    """A stepped block of the machine age under a sign."""
    floors = [
        [
            (storeys.mosaics, 0.8),
            (storeys.windows, 1),
            (storeys.windows, 1),
            (storeys.shops, 1.2),
        ],
        [(storeys.frieze, 0.5), *[(storeys.windows, 1)] * 4],
        [
            (choose(rng, storeys.frieze, storeys.sign), 0.4),
            (choose(rng, storeys.clock, storeys.windows), 1.2),
            (storeys.windows, 1),
            (choose(rng, storeys.mosaics, storeys.windows), 1),
            (storeys.windows, 1),
            (storeys.portal, 1.7),
        ],
    ]
    top = choose(rng, roofs.hipped, spires.dome, roofs.parapet)
    blocks = zip(
        ((0.04, 0.96), (0.16, 0.84), (0.3, 0.7)),
        (rng.uniform(0.42, 0.5), rng.uniform(0.28, 0.34), 0.18),
        (0.05, 0.05, 0.14),
        (roofs.parapet, roofs.parapet, top),
        floors,
        (int(rng.choice([7, 9])), 6, 3),
        strict=True,
    )
    return [
        block(page, span, (wall - high, wall), roof, rows, bays, level=9 * step)
        for step, (span, wall, high, roof, rows, bays) in enumerate(blocks)
    ]


_STONE = (materials.ashlar, materials.stone)
_TILES = (materials.tiles, materials.banded)
_BRICK = (materials.brick, materials.banded)

PLANS = (
    Plan(cathedral, (*_STONE, *_BRICK), ("gothic", "round", "ogee")),
    Plan(
        palace,
        (*_STONE, materials.plaster, materials.brick),
        ("round", "segmental"),
    ),
    Plan(
        row_houses,
        (materials.brick, materials.plaster, materials.tiles, *_STONE),
        ("round", "flat"),
    ),
    Plan(temple, (*_STONE, materials.panels), ("round", "flat")),
    Plan(mosque, (*_TILES, materials.brick), ("ogee", "gothic", "lobed")),
    Plan(clock_tower, (*_BRICK, materials.rubble), ("round", "gothic")),
    Plan(castle, (materials.rubble, materials.ashlar), ("round", "gothic")),
    Plan(
        exchange,
        (materials.panels, materials.tiles, *_BRICK),
        ("flat", "segmental"),
    ),
)
