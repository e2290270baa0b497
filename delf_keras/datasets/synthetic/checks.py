"""Checks of what the public functions receive."""

import operator

MINIMUM_SIZE = 96


def checked_size(size):
    """`size` as (height, width) ints, or a ValueError."""
    try:
        height, width = (operator.index(side) for side in size)
    except (TypeError, ValueError):
        height = width = 0
    if min(height, width) < MINIMUM_SIZE:
        raise ValueError(
            "`size` must be (height, width) in pixels, each an int of at "
            f"least {MINIMUM_SIZE}. Received: size={size}"
        )
    return height, width


def checked_count(name, value):
    """`value` as an int, or a ValueError if it is none or negative."""
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if number < 0:
        raise ValueError(
            f"`{name}` must be an int of at least 0. Received: {name}={value}"
        )
    return number
