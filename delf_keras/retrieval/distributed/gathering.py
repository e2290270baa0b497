"""Gathering the features of a sample of photographs for the driver."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import apache_beam as beam

from delf_keras.features.files import open_h5, read_h5, write_h5
from delf_keras.retrieval.distributed.extraction import h5_name
from delf_keras.retrieval.distributed.pipelines import run_pipeline, shard_file
from delf_keras.retrieval.distributed.work_folder import stage_name


class GatherShard(beam.DoFn):
    """Copies the features of some photographs of a shard.

    The driver would otherwise fetch the features of all photographs.

    Args:
        work: `WorkFolder`.
        source: str. The folder of the features.
        target: str. The folder to write to.
    """

    def __init__(self, work, source, target):
        self._work = work
        self._source = source
        self._target = target

    def process(self, task):
        """Takes the pair of a shard and the positions in it."""
        shard, positions = task
        with (
            self._work.file(shard_file(self._source, shard, ".h5")) as source,
            self._work.new_file(
                shard_file(self._target, shard, ".h5")
            ) as target,
            open_h5(source) as features,
            open_h5(target, "w") as gathered,
        ):
            for position in positions:
                name = h5_name(position)
                write_h5(gathered, name, read_h5(features, name))


def gather_features(work, stage, sample, beam_options):
    """Returns the features of a sample of photographs.

    Args:
        work: `WorkFolder`.
        stage: str. The folder of the features.
        sample: list of (shard, position), rising.
        beam_options: list of str.

    Returns:
        list of `LocalFeatures`.
    """
    target = stage_name("sample", stage, *sample)
    positions = positions_by_shard(sample)
    run_pipeline(
        work,
        target,
        ".h5",
        {shard: (shard, chosen) for shard, chosen in positions.items()},
        GatherShard(work, stage, target),
        beam_options,
    )
    return read_features(work, target, positions)


def positions_by_shard(photographs):
    """Returns the dict of shard to positions of (shard, position) pairs."""
    positions = {}
    for shard, position in photographs:
        positions.setdefault(shard, []).append(position)
    return positions


def read_features(work, stage, positions):
    """Reads features that workers wrote.

    Args:
        work: `WorkFolder`.
        stage: str. Their folder.
        positions: dict of shard to the positions of photographs in it.

    Returns:
        list of `LocalFeatures`.
    """

    def read(shard):
        with (
            work.file(shard_file(stage, shard, ".h5")) as path,
            open_h5(path) as file,
        ):
            return [read_h5(file, h5_name(each)) for each in positions[shard]]

    with ThreadPoolExecutor() as pool:
        return [*itertools.chain.from_iterable(pool.map(read, positions))]
