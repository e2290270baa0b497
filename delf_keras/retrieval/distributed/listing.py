"""Which photographs are built an index of, in shards in the work folder."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems

from delf_keras.datasets.tfrecords import scan_named_records
from delf_keras.retrieval.distributed.pipelines import run_pipeline, shard_file
from delf_keras.retrieval.distributed.stored_photographs import (
    StoredPhotograph,
    stamped_paths,
)
from delf_keras.retrieval.distributed.work_folder import (
    WorkFolder,
    local_file,
    stage_name,
)

# Photographs of a shard: what is lost of the work of a worker that fails.
SHARD = 250


class ListRecords(beam.DoFn):
    """Writes where the photographs of a file of TFRecords are, and no more.

    Args:
        work: `WorkFolder`.
        stage: str. The folder to write to.
        keys: `RecordKeys`.
    """

    def __init__(self, work, stage, keys):
        self._work = work
        self._stage = stage
        self._keys = keys

    def process(self, task):
        """Takes the pair of a number and the path of a file."""
        number, path = task
        with local_file(path) as file:
            located = scan_named_records(file, self._keys)
        self._work.write_json(shard_file(self._stage, number, ".json"), located)


def list_records(pattern, work, keys, beam_options):
    """Lists the photographs of TFRecords, in the order of files and records.

    Args:
        pattern: str. Files of a file system that Beam knows.
        work: `WorkFolder`.
        keys: `RecordKeys`.
        beam_options: list of str.

    Returns:
        list of `StoredPhotograph`.

    Raises:
        FileNotFoundError: if no file matches.
        ValueError: if they hold no photograph, or two of one name.
    """
    (result,) = FileSystems.match([pattern])
    files = stamped_paths(result)
    if not files:
        raise FileNotFoundError(
            "A pattern must match files of TFRecords. Received: "
            f"pattern={pattern}, which matches none"
        )
    stage = stage_name("records", keys, *files)
    tasks = {number: (number, path) for number, (path, _) in enumerate(files)}
    run_pipeline(
        work,
        stage,
        ".json",
        tasks,
        ListRecords(work, stage, keys),
        beam_options,
    )
    photographs = [
        StoredPhotograph(name, path, offset, length, stamp)
        for number, (path, stamp) in enumerate(files)
        for name, offset, length in work.read_json(
            shard_file(stage, number, ".json")
        )
    ]
    _check_names(photographs, pattern)
    return photographs


def _check_names(photographs, pattern):
    if not photographs:
        raise ValueError(
            "TFRecords must hold a photograph. "
            f"Received: pattern={pattern}, with no records"
        )
    seen = set()
    for photograph in photographs:
        if photograph.name in seen:
            raise ValueError(
                "Each record has a name of its own. Received: "
                f"{photograph.name!r} twice, the second in {photograph.path}"
            )
        seen.add(photograph.name)


@dataclasses.dataclass(frozen=True)
class Listing:
    """The shards of photographs that were written to the work folder.

    Attributes:
        work: `WorkFolder`.
        stage: str. Their folder.
        num_shards: int.
    """

    work: WorkFolder
    stage: str
    num_shards: int

    def read(self, shard):
        """Returns the list of `StoredPhotograph` of a shard."""
        content = self.work.read_json(shard_file(self.stage, shard, ".json"))
        return [StoredPhotograph(*each) for each in content]


def write_listing(photographs, work):
    """Writes photographs to the work folder, where workers read which.

    Args:
        photographs: list of `StoredPhotograph`.
        work: `WorkFolder`.

    Returns:
        `Listing`.
    """
    rows = [dataclasses.astuple(each) for each in photographs]
    listing = Listing(
        work, stage_name("photographs", SHARD, rows), -(-len(rows) // SHARD)
    )
    present = work.names(listing.stage)

    def write(shard):
        name = shard_file(listing.stage, shard, ".json")
        if name.rsplit("/", 1)[1] not in present:
            work.write_json(name, rows[shard * SHARD : (shard + 1) * SHARD])

    with ThreadPoolExecutor() as pool:
        [*pool.map(write, range(listing.num_shards))]
    return listing
