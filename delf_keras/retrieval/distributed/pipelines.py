"""Running what is missing of a stage as a Beam pipeline."""

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions


class PipelineError(OSError):
    """Raised where a pipeline fails."""


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

    Raises:
        PipelineError: if the runner fails.
        Exception: what `do_fn` raises, where the runner passes it on.
    """
    present = work.names(stage)
    missing = [
        shard
        for shard in tasks
        if shard_file("", shard, suffix)[1:] not in present
    ]
    if missing:
        wanted = [tasks[shard] for shard in missing]
        _run(stage.rsplit("-", 1)[0], wanted, do_fn, beam_options)
    return missing


def _run(label, tasks, do_fn, beam_options):
    try:
        with beam.Pipeline(options=PipelineOptions(beam_options)) as pipeline:
            (
                pipeline
                | "shards" >> beam.Create(tasks)
                # Without it a runner may give all of them to one worker.
                | "spread" >> beam.Reshuffle()
                | label >> beam.ParDo(do_fn)
            )
    except (ValueError, OSError, ImportError):
        raise
    # Each runner has its own.
    except Exception as error:
        if str(error).startswith("KeyboardInterrupt"):
            raise KeyboardInterrupt from error
        raise PipelineError(
            "The pipeline failed; the same call goes on with what is missing. "
            f"Received: {error} in {label}"
        ) from error
