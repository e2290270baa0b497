"""Running what is missing of a stage as a Beam pipeline."""

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions


def shard_file(stage, shard, suffix):
    """Names the file of a shard in the folder of a stage."""
    return f"{stage}/{shard:06d}{suffix}"


def run_pipeline(work, stage, suffix, tasks, do_fn, beam_options):
    """Does the tasks of a stage whose files are not there yet.

    Args:
        work: `WorkFolder`.
        stage: str. The folder of the stage.
        suffix: str. Of the file that says that a task is done.
        tasks: dict of the number of a shard to what `do_fn` takes.
        do_fn: `beam.DoFn`.
        beam_options: list of str, as `PipelineOptions` takes them.

    Returns:
        list of the numbers of the shards that were done.
    """
    present = work.names(stage)
    missing = [
        shard
        for shard in tasks
        if shard_file("", shard, suffix)[1:] not in present
    ]
    if missing:
        options = PipelineOptions(list(beam_options))
        with beam.Pipeline(options=options) as pipeline:
            (
                pipeline
                | "Shards" >> beam.Create([tasks[shard] for shard in missing])
                # Without it a runner may give all of them to one worker.
                | "Spread" >> beam.Reshuffle()
                | stage.rsplit("-", 1)[0] >> beam.ParDo(do_fn)
            )
    return missing
