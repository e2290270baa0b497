"""The blocks a building is put together from."""

from collections.abc import Callable
from dataclasses import dataclass

from delf_keras.datasets.synthetic.shapes import Box


@dataclass(frozen=True)
class Part:
    """One block of a building.

    Attributes:
        box: the wall, a `Box`.
        room: the `Box` of the roof, above the wall.
        roof: function of `roofs` or `spires`.
        floors: sequence of (function of `storeys`, weight of its height),
            from the top down.
        bays: int, parts the width is divided into.
        level: float, units by which it stands before the others.
        kit: int, which of the building's kits it is made of.
        grounded: bool, whether the lowest storey is made of `Kit.base`.
        quoins: bool, whether its corners are set off.
        cylindrical: bool, whether it is a round tower.
    """

    box: Box
    room: Box
    roof: Callable
    floors: list[tuple[Callable, float]]
    bays: int
    level: float = 0.0
    kit: int = 0
    grounded: bool = True
    quoins: bool = False
    cylindrical: bool = False


@dataclass(frozen=True)
class Plan:
    """A kind of building: its parts, its walls and its arches.

    Attributes:
        lay_out: function of (page, rng) that returns a list of `Part`, from
            the back to the front; `page` is the `Box` of the picture.
        walls: functions of `materials` it may be built of.
        arches: keys of `ARCHES` it may have.
    """

    lay_out: Callable
    walls: tuple[Callable, ...]
    arches: tuple[str, ...]


def block(page, span, tops, roof, floors, bays, **others):
    """A `Part` that stands on the ground.

    `span` is (left, right) and `tops` (of the roof, of the wall), all as
    fractions of the page.
    """
    (left, right), (peak, eaves) = span, tops
    box = page.part(left, eaves, right, 1.0)
    room = page.part(left, peak, right, eaves)
    return Part(box, room, roof, floors, bays, **others)


def sides(left, right):
    """A span and its reflection in the axis of the page."""
    return (left, right), (1 - right, 1 - left)


def choose(rng, *options):
    """One of the options."""
    return options[rng.integers(len(options))]
