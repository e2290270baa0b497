"""The choices that run through one building: materials, colours, arches."""

from dataclasses import dataclass

import numpy as np

from delf_keras.datasets.synthetic import materials
from delf_keras.datasets.synthetic.materials import linear
from delf_keras.datasets.synthetic.relief import Surface

# In an order in which neighbours differ.
WALLS = (
    (0.80, 0.68, 0.50),
    (0.86, 0.66, 0.34),
    (0.62, 0.30, 0.22),
    (0.90, 0.85, 0.74),
    (0.55, 0.66, 0.76),
    (0.68, 0.36, 0.26),
    (0.66, 0.66, 0.64),
    (0.80, 0.56, 0.50),
    (0.60, 0.70, 0.60),
    (0.76, 0.44, 0.30),
    (0.42, 0.41, 0.42),
    (0.72, 0.60, 0.58),
    (0.48, 0.28, 0.20),
)
TRIMS = (
    (0.92, 0.90, 0.85),
    (0.86, 0.80, 0.68),
    (0.70, 0.68, 0.64),
    (0.66, 0.40, 0.32),
    (0.38, 0.37, 0.38),
)
ROOFS = (
    (materials.slates, (0.30, 0.32, 0.37)),
    (materials.slates, (0.52, 0.26, 0.20)),
    (materials.pantiles, (0.74, 0.40, 0.25)),
    (materials.sheet_metal, (0.40, 0.64, 0.55)),
    (materials.sheet_metal, (0.45, 0.47, 0.50)),
    (materials.tiles, (0.20, 0.45, 0.55)),
)
METALS = (
    (0.85, 0.66, 0.22),
    (0.36, 0.62, 0.54),
    (0.20, 0.21, 0.23),
    (0.62, 0.64, 0.66),
)
DOORS = (
    (0.36, 0.22, 0.13),
    (0.24, 0.16, 0.11),
    (0.16, 0.27, 0.22),
    (0.42, 0.13, 0.12),
    (0.16, 0.20, 0.30),
    (0.50, 0.38, 0.24),
)
ACCENTS = (
    (0.66, 0.16, 0.14),
    (0.15, 0.24, 0.48),
    (0.83, 0.62, 0.18),
    (0.16, 0.38, 0.24),
    (0.22, 0.52, 0.54),
    (0.90, 0.86, 0.74),
    (0.46, 0.20, 0.34),
    (0.78, 0.42, 0.18),
    (0.52, 0.66, 0.80),
    (0.34, 0.24, 0.16),
    (0.56, 0.62, 0.30),
)


@dataclass(frozen=True)
class Kit:
    """What one building is made of; colours are linear float32 [3].

    Attributes:
        wall, base, trim, roof: `Surface` of the wall, of the ground floor, of
            cornices and frames, of the roof.
        metal: colour of finials and railings.
        frame: colour of window frames.
        door: colour of door leaves.
        accents: float32 [6, 3], colours of glass, shutters, cloth and signs.
        arch: key of `ARCHES`, the form of the larger openings.
    """

    wall: Surface
    base: Surface
    trim: Surface
    roof: Surface
    metal: np.ndarray
    frame: np.ndarray
    door: np.ndarray
    accents: np.ndarray
    arch: str

    def accent(self, rng):
        """One of the accents, a little lighter or darker."""
        choice = self.accents[rng.integers(len(self.accents))]
        return choice * np.float32(rng.uniform(0.7, 1.3))


def _pick(rng, colours):
    colour = np.array(colours[rng.integers(len(colours))])
    colour += rng.uniform(0, 0.35) * (colour.mean() - colour)
    return linear(colour + rng.normal(0, 0.025, 3) + rng.normal(0, 0.03))


def random_kit(rng, shape, unit, plan, shade):
    """Draws the choices of one building.

    Args:
        rng: `np.random.Generator`.
        shape: (height, width) of the canvas, pixels.
        unit: float, pixels of one unit.
        plan: `Plan`, what it may be made of.
        shade: int, which of the colours of walls it has.

    Returns:
        A `Kit`.
    """
    make = plan.walls[rng.integers(len(plan.walls))]
    base = (materials.ashlar, materials.rubble)[rng.integers(2)]
    roof, roof_colour = ROOFS[rng.integers(len(ROOFS))]
    wall_colour = _pick(rng, [WALLS[shade % len(WALLS)]])
    trim_colour = _pick(rng, TRIMS)
    if rng.random() < 0.5:
        base, base_colour = make, wall_colour
    else:
        base_colour = 0.8 * (wall_colour + trim_colour) / 2
    accents = rng.permutation(ACCENTS)[:6] + rng.normal(0, 0.04, (6, 3))
    return Kit(
        wall=make(rng, shape, wall_colour, unit),
        base=base(rng, shape, base_colour, unit),
        trim=materials.stone(rng, shape, trim_colour, unit),
        roof=roof(rng, shape, _pick(rng, [roof_colour]), unit),
        metal=_pick(rng, METALS),
        frame=linear(rng.choice([0.93, 0.85, 0.25, 0.15]) * np.ones(3)),
        door=_pick(rng, DOORS),
        accents=linear(accents),
        arch=str(rng.choice(plan.arches)),
    )
