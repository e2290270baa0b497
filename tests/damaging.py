"""Files and JSON, damaged at random."""

import json
from pathlib import Path

_ODD_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**32 - 1)
_ODD_VALUES = (
    *(None, True, -1, 0, 2**31, 2**63, 10**400, 1e308, float("nan"), ""),
    *("..", "/etc", "../../x", "\0", "\ud800", [], {}, [[]], [None]),
)


def damaged(contents, others, rng):
    """Returns bytes that are changed in one to four ways."""
    data = bytearray(contents)
    for _ in range(rng.choice((1, 1, 2, 4))):
        start = rng.randrange(len(data) + 1)
        end = min(start + rng.randrange(1, 32), len(data))
        size = rng.choice((1, 2, 4))
        number = rng.choice(_ODD_NUMBERS) % 256**size
        other = rng.choice(others)
        cut = rng.randrange(len(other))
        change = rng.randrange(8)
        if change < 3 and start < len(data):
            data[start] ^= 1 << rng.randrange(8)
        elif change == 3:
            order = rng.choice(("little", "big"))
            data[start : start + size] = number.to_bytes(size, order)
        elif change == 4:
            del data[start:]
        elif change == 5:
            del data[start:end]
        elif change == 6:
            data[start:start] = data[start:end] * rng.randrange(1, 9)
        else:
            data[start:end] = other[cut : cut + rng.randrange(1, 64)]
    return bytes(data)


def damaged_json(content, rng):
    """Returns an object of JSON of which one value is another."""
    content = json.loads(json.dumps(content))
    place = content
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = rng.choice(keys)
        inner = place[key]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.8:
            place = inner
            continue
        change = rng.randrange(8)
        if change == 0:
            del place[key]
        elif change == 1 and isinstance(place, dict):
            place[str(rng.choice(_ODD_VALUES))] = place.pop(key)
        else:
            place[key] = rng.choice(_ODD_VALUES)
        return content


class Samples:
    """Files to damage, all those of a folder; one is read at a time."""

    def __init__(self, samples, work):
        self.contents = {
            path.name: path.read_bytes() for path in sorted(samples.iterdir())
        }
        self.work = work

    def write(self, rng):
        """Writes a damaged file, and returns its path."""
        name = rng.choice(list(self.contents))
        others = list(self.contents.values())
        path = self.work / f"read{Path(name).suffix}"
        path.write_bytes(damaged(self.contents[name], others, rng))
        return path
