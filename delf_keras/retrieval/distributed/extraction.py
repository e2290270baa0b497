"""Extracting shards of photographs on workers."""

from dataclasses import dataclass

import apache_beam as beam
from apache_beam.utils.shared import Shared

from delf_keras.features.decoding import ImageError
from delf_keras.features.feature_cache import extract_encoded
from delf_keras.features.files import open_h5, read_h5, write_h5
from delf_keras.retrieval.distributed.pipelines import shard_file
from delf_keras.retrieval.distributed.stored_photographs import (
    read_photographs,
)
from delf_keras.retrieval.extraction_work import projected


@dataclass(frozen=True)
class ExtractTask:
    """Photographs of a shard to extract.

    Attributes:
        shard: int.
        positions: Which photographs of the shard; None for all.
        known: Photographs whose features without PCA were extracted before.
    """

    shard: int
    positions: tuple | None = None
    known: tuple = ()


@dataclass(frozen=True)
class Extracted:
    """What became of the photographs of a shard.

    Attributes:
        digests: dict of position to the SHA-256 of the file, in hexadecimal,
            of those that have features; rising.
        skipped: dict of position to the reason why it has none.
    """

    digests: dict
    skipped: dict


class ExtractShard(beam.DoFn):
    """Writes the features of the photographs of a shard.

    Args:
        listing: `Listing`.
        stage: str. The folder to write to.
        source: `Source`.
        batch_size: See `build_index`.
        known_stage: str. The folder of what is known before, without PCA.
    """

    def __init__(self, listing, stage, source, batch_size, known_stage=None):
        self._listing = listing
        self._work = listing.work
        self._stage = stage
        self._source = source
        self._batch_size = batch_size
        self._known_stage = known_stage
        self._shared = Shared()

    def setup(self):
        """Opens the extractor, one for all threads of a worker."""
        self._extractor = self._shared.acquire(self._source.open)

    def process(self, task):
        """Takes an `ExtractTask`."""
        photographs = self._listing.read(task.shard)
        positions = task.positions
        if positions is None:
            positions = sorted({*range(len(photographs))} - {*task.known})
        digests, skipped = {}, {}
        name = shard_file(self._stage, task.shard, ".h5")
        with self._work.new_file(name) as path, open_h5(path, "w") as file:
            if task.known:
                known = self._project(task.shard, file)
                digests |= known.digests
                skipped |= known.skipped
            wanted = [photographs[i] for i in positions]
            results = extract_encoded(
                self._extractor, read_photographs(wanted), self._batch_size
            )
            for position, (digest, result) in zip(
                positions, results, strict=True
            ):
                if isinstance(result, ImageError):
                    skipped[position] = str(result)
                else:
                    digests[position] = digest
                    write_h5(file, h5_name(position), result)
        # It says that the features are there, and comes after them.
        self._work.write_json(
            shard_file(self._stage, task.shard, ".json"),
            [sorted(digests.items()), sorted(skipped.items())],
        )

    def _project(self, shard, target):
        """Writes the features that were extracted before, with the PCA."""
        name = shard_file(self._known_stage, shard, ".h5")
        known = read_extracted(self._work, self._known_stage, shard)
        with self._work.file(name) as path, open_h5(path) as source:
            for position in known.digests:
                features = read_h5(source, h5_name(position))
                features = projected(features, self._extractor)
                write_h5(target, h5_name(position), features)
        return known


def read_extracted(work, stage, shard):
    """Reads what became of the photographs of a shard, an `Extracted`."""
    digests, skipped = work.read_json(shard_file(stage, shard, ".json"))
    return Extracted(dict(digests), dict(skipped))


def h5_name(position):
    """Names a photograph of a shard; names of files need not be text."""
    return f"{position:06d}"
