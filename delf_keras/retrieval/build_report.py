"""What a build of an index tells of itself."""

import time
from dataclasses import dataclass, field

from delf_keras.retrieval.image_index import ImageIndex


@dataclass(frozen=True, eq=False)
class BuildReport:
    """What became of the photographs of a build.

    Attributes:
        index: `ImageIndex`.
        skipped: dict of name to the reason why it is not in the index.
        copies: dict of name to the name of a photograph of the same bytes.
            Both are in the index.
        extracted: Photographs that were extracted by this build, and not
            taken from its work folder.
        seconds: dict of stage to the seconds that it took: "extract", "learn"
            and "index".
    """

    index: ImageIndex
    skipped: dict[str, str] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    extracted: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


class Copies:
    """Finds photographs of the same bytes.

    Attributes:
        names: dict of name to the name of the first of the same bytes.
    """

    def __init__(self):
        self.names = {}
        self._first = {}

    def add(self, name, digest):
        """Takes the next photograph, and 32 bytes, the SHA-256 of its file."""
        first = self._first.setdefault(digest, name)
        if first != name:
            self.names[name] = first


class Stopwatch:
    """Measures one stage after the other, in `seconds`."""

    def __init__(self):
        self.seconds = dict.fromkeys(("learn", "extract", "index"), 0.0)
        self._start = time.perf_counter()

    def stop(self, stage):
        """Counts the time since the last call for a stage."""
        now = time.perf_counter()
        self.seconds[stage] += now - self._start
        self._start = now
