"""What extraction has cost, over all runs that had a part in it."""

import collections
import json
import time

from delf_keras.atomic import atomic_path

_STAGES = ("learn", "extract")


class ExtractionCosts:
    """Measures extraction, and adds to what a file says of earlier runs.

    It stands in for the progress of a build.

    Args:
        path: `Path` of the file.
        progress: Wraps an iterable, its length and a label.
        stage_of: dict of the label of a part of the build to its stage,
            "learn" or "extract". Other parts are not measured.

    Attributes:
        kept: set of the stages of which a part was done by an earlier run.
    """

    def __init__(self, path, progress, stage_of):
        self._path = path
        self._progress = progress
        self._stage_of = stage_of
        self._earlier = _read(path)
        self._seconds = collections.Counter()
        self._items = collections.Counter()
        self.kept = {stage for stage in _STAGES if self._earlier[stage]}

    def __call__(self, iterable, total, label):
        stage = self._stage_of.get(label)
        start = time.perf_counter()
        for item in self._progress(iterable, total, label):
            now = time.perf_counter()
            self._seconds[stage] += now - start
            self._items[stage] += 1
            start = now
            yield item

    def write(self, seconds=None):
        """Writes what it has been in all.

        Args:
            seconds: dict of stage to the seconds of a whole build, of which
                only those of stages that extracted anything count; what was
                measured so far if not given.

        Returns:
            dict of "learn" and "extract" to seconds, and of "extracted" to
            the number of photographs.
        """
        seconds = seconds or self._seconds
        total = dict(self._earlier)
        for stage in _STAGES:
            if self._items[stage]:
                total[stage] += seconds[stage]
        total["extracted"] += self._items["extract"]
        with atomic_path(self._path) as temporary:
            temporary.write_text(json.dumps(total))
        return total


def _read(path):
    costs = {"learn": 0.0, "extract": 0.0, "extracted": 0}
    try:
        read = json.loads(path.read_text())
        return {name: type(zero)(read[name]) for name, zero in costs.items()}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return costs
