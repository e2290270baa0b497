"""Coding photographs as segments of an index on workers."""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import apache_beam as beam
from apache_beam.utils.shared import Shared

from delf_keras.retrieval.asmk import AsmkOptions
from delf_keras.retrieval.distributed.extraction import read_extracted
from delf_keras.retrieval.distributed.gathering import read_features
from delf_keras.retrieval.distributed.pipelines import shard_file
from delf_keras.retrieval.learned import Learned
from delf_keras.retrieval.segment import Segment


@dataclass(frozen=True)
class CodeTask:
    """Photographs that become a segment.

    Attributes:
        segment: int. Its number.
        first_number: int. What the index calls its first photograph.
        parts: dict of shard to (start, stop), which of its photographs that
            have features.
    """

    segment: int
    first_number: int
    parts: dict


class CodeSegment(beam.DoFn):
    """Writes the segment of photographs whose features are extracted.

    Args:
        listing: `Listing`.
        features: str. The folder of the features.
        stage: str. The folder to write to.
        learned: str. What `put_learned` wrote.
    """

    def __init__(self, listing, features, stage, learned):
        self._listing = listing
        self._work = listing.work
        self._features = features
        self._stage = stage
        self._name = learned
        self._shared = Shared()

    def setup(self):
        """Opens what was learned, once for all threads of a worker."""
        self._learned = self._shared.acquire(
            lambda: get_learned(self._work, self._name)
        )

    def process(self, task):
        """Takes a `CodeTask`."""
        names, digests, positions = [], [], {}
        for shard, (start, stop) in task.parts.items():
            photographs = self._listing.read(shard)
            extracted = read_extracted(self._work, self._features, shard)
            positions[shard] = [*extracted.digests][start:stop]
            for position in positions[shard]:
                names.append(photographs[position].name)
                digests.append(bytes.fromhex(extracted.digests[position]))
        features = read_features(self._work, self._features, positions)
        segment = Segment.build(
            self._learned,
            [*zip(names, features, strict=True)],
            task.first_number,
            digests,
        )
        name = shard_file(self._stage, task.segment, ".tar")
        with self._work.new_folder(name) as folder:
            folder.mkdir()
            segment.save(folder)


def put_learned(work, name, learned):
    """Writes `Learned` to the work folder, with what it takes to load it."""
    with work.new_folder(f"{name}.tar") as folder:
        folder.mkdir()
        learned.save(folder)
    # It says that the quantizers are there, and comes after them.
    work.write_json(
        f"{name}.json",
        [learned.descriptor_index.factory, asdict(learned.asmk_options)],
    )


def get_learned(work, name):
    """Reads what `put_learned` wrote."""
    factory, asmk = work.read_json(f"{name}.json")
    with tempfile.TemporaryDirectory() as folder:
        work.fetch_folder(f"{name}.tar", folder)
        return Learned.load(Path(folder), factory, AsmkOptions(**asmk))
