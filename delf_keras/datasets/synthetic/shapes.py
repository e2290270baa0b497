"""Outlines of what is built: boxes, arches and curves.

An outline is a float array [N, 2] of (x, y) points, the order OpenCV draws in.
"""

from typing import NamedTuple

import numpy as np


class Box(NamedTuple):
    """An upright rectangle in pixels; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self):
        return self.right - self.left

    @property
    def height(self):
        return self.bottom - self.top

    @property
    def middle(self):
        """The x of the axis of symmetry."""
        return (self.left + self.right) / 2

    @property
    def centre(self):
        return np.array([self.middle, (self.top + self.bottom) / 2])

    def part(self, left, top, right, bottom):
        """The box between these fractions of the width and the height."""
        return Box(
            self.left + left * self.width,
            self.top + top * self.height,
            self.left + right * self.width,
            self.top + bottom * self.height,
        )

    def inset(self, x, y=None):
        """The box moved inwards by `x` and `y` pixels; `y` is `x` if left."""
        y = x if y is None else y
        return Box(self.left + x, self.top + y, self.right - x, self.bottom - y)

    def columns(self, weights):
        """Splits the width, left to right, in proportion to `weights`."""
        edges = np.concatenate([[0], np.cumsum(weights) / np.sum(weights)])
        return [
            self.part(a, 0, b, 1)
            for a, b in zip(edges[:-1], edges[1:], strict=True)
        ]

    def rows(self, weights):
        """Splits the height, top to bottom, in proportion to `weights`."""
        edges = np.concatenate([[0], np.cumsum(weights) / np.sum(weights)])
        return [
            self.part(0, a, 1, b)
            for a, b in zip(edges[:-1], edges[1:], strict=True)
        ]


# Of each arch: how high it rises over its span, and the height of its curve
# (0 to 1) at a distance (-1 to 1) from the axis.
ARCHES = {
    "flat": (0.0, lambda t: 0 * t),
    "segmental": (0.14, lambda t: 1 - t**2),
    "round": (0.5, lambda t: np.sqrt(np.maximum(1 - t**2, 0))),
    "gothic": (
        0.87,
        lambda t: np.sqrt(1 - (1 + np.abs(t)) ** 2 / 4) / np.sqrt(0.75),
    ),
    "ogee": (
        0.8,
        lambda t: (
            0.7 * np.sqrt(np.maximum(1 - t**2, 0)) + 0.3 * (1 - np.abs(t)) ** 3
        ),
    ),
    "lobed": (
        0.55,
        lambda t: (
            np.sqrt(np.maximum(1 - t**2, 0))
            * (0.86 + 0.14 * np.abs(np.cos(np.pi * 2.5 * t)))
        ),
    ),
}


def rectangle(box):
    """The four corners of a box."""
    return np.array(
        [
            (box.left, box.top),
            (box.right, box.top),
            (box.right, box.bottom),
            (box.left, box.bottom),
        ],
        float,
    )


def trapezium(box, inset):
    """A box whose upper side is `inset` pixels shorter at either end."""
    return rectangle(box) + np.array([(inset, 0), (-inset, 0), (0, 0), (0, 0)])


def triangle(box):
    """The isosceles triangle that stands in a box."""
    return np.array(
        [(box.middle, box.top), (box.right, box.bottom), (box.left, box.bottom)]
    )


def ellipse(box, points=40):
    """The ellipse that fills a box."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    radius = np.array([box.width, box.height]) / 2
    return box.centre + radius * np.stack([np.cos(angle), np.sin(angle)], -1)


def disc(centre, radius):
    """A circle."""
    x, y = centre
    return ellipse(Box(x - radius, y - radius, x + radius, y + radius))


def arch(box, kind):
    """An opening as high and wide as a box, closed by an arch of `ARCHES`."""
    rise, curve = ARCHES[kind]
    rise = min(rise * box.width, 0.9 * box.height)
    t = np.linspace(-1, 1, 25)
    x = box.middle + t * box.width / 2
    y = box.top + rise * (1 - curve(t))
    feet = [(box.right, box.bottom), (box.left, box.bottom)]
    return np.concatenate([np.stack([x, y], -1), feet])


def stroke(start, end, width):
    """A straight bar between two points."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    along = end - start
    across = np.array([-along[1], along[0]])
    across *= width / 2 / max(np.hypot(*along), 1e-6)
    return np.stack(
        [start + across, end + across, end - across, start - across]
    )


def sector(centre, inner, outer, first, last):
    """The part of a ring between two angles, in radians."""
    angle = np.linspace(first, last, 9)
    rays = np.stack([np.cos(angle), np.sin(angle)], -1)
    return np.asarray(centre) + np.concatenate(
        [inner * rays, outer * rays[::-1]]
    )


def polar(centre, radii):
    """A closed curve through `radii` at equal angles, the first upwards."""
    angle = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    rays = np.stack([np.sin(angle), -np.cos(angle)], -1)
    return np.asarray(centre) + np.asarray(radii)[:, None] * rays


def turned(box, profile):
    """A body of revolution seen from the side.

    Args:
        box: the `Box` it fills.
        profile: sequence of (height, half-width), both 0 to 1, from the foot
            (height 0) upwards.

    Returns:
        float array [2 * len(profile), 2], an outline.
    """
    profile = np.asarray(profile, float)
    y = box.bottom - profile[:, 0] * box.height
    reach = profile[:, 1] * box.width / 2
    right = np.stack([box.middle + reach, y], -1)
    left = np.stack([box.middle - reach, y], -1)
    return np.concatenate([right, left[::-1]])


def mirrored(outline, axis):
    """An outline on the other side of the vertical line x = `axis`."""
    return outline * (-1, 1) + (2 * axis, 0)
