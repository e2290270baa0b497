"""Builds an index on many machines, with Apache Beam.

    delf-keras beam-index --photos=gs://bucket/photographs \\
        --preset=delf_resnet50_imagenet --output=my_index \\
        --work_dir=gs://bucket/work -- --runner=DataflowRunner \\
        --project=my_project --region=europe-west1 \\
        --temp_location=gs://bucket/temp \\
        --sdk_container_image=europe-docker.pkg.dev/my_project/delf/worker

Needs `pip install "delf-keras[beam]"`. What follows -- is for Beam, as it is;
without it the pipelines run on this machine. The index is that of
`delf-keras index` and is written here; everything else passes through the
work folder, which all workers reach, and by which the same command goes on
after an interruption. --tfrecords reads TFRecords in place of a folder,
--saved_model extracts with an exported model. See docs/beam.md.
"""

import logging
import shutil
from pathlib import Path

from absl import flags as absl_flags

from delf_keras.cli.extraction_flags import (
    define_batch_flag,
    define_extraction_flags,
    make_extractor,
)
from delf_keras.cli.index_flags import (
    build_options,
    define_index_flags,
    print_build_report,
    work_folder_of,
)
from delf_keras.cli.progress import show_progress


def define_flags(flags):
    """Defines the flags of this verb."""
    define_extraction_flags(flags, server=True, saved_model=True)
    define_batch_flag(flags)
    define_index_flags(flags)
    texts = {
        "photos": (None, "Folder of photographs, which workers reach."),
        "tfrecords": (
            None,
            "TFRecords of tf.train.Example in place of --photos: a pattern, "
            "such as gs://bucket/train-*.",
        ),
        "image_key": (
            "image/encoded",
            "Feature of an example that holds the file of a photograph.",
        ),
        "name_key": (
            "image/filename",
            "Feature of an example that holds the name of a photograph.",
        ),
        "root": (
            None,
            "Folder that names of photographs are relative to when the index "
            "is searched; that of the photographs if not given.",
        ),
        "work_dir": (
            None,
            "Folder that workers reach too, which is kept; the output with "
            ".partial, removed at the end, if not given.",
        ),
        "output": (None, "Index folder to write, on this machine."),
    }
    for name, (default, text) in texts.items():
        absl_flags.DEFINE_string(name, default, text, flag_values=flags)
    absl_flags.mark_flag_as_required("output", flag_values=flags)
    absl_flags.register_multi_flags_validator(
        ["photos", "tfrecords"],
        lambda given: [*given.values()].count(None) == 1,
        "one of --photos and --tfrecords is expected",
        flag_values=flags,
    )


def run(flags, args):
    """Builds and writes the index."""
    if args and not args[0].startswith("-"):
        raise ValueError(
            "beam-index takes no arguments but options of Beam, after --. "
            f"Received: {args}"
        )
    build_index_with_beam, photographs = _import(flags)
    output = Path(flags.output)
    partial = work_folder_of(output)
    report = build_index_with_beam(
        photographs,
        make_extractor(flags),
        output=output,
        work_folder=flags.work_dir or partial,
        root=flags.root,
        beam_options=args,
        batch_size=flags.batch_size,
        progress=show_progress,
        **build_options(flags),
    )
    if not flags.work_dir:
        shutil.rmtree(partial)
    print_build_report(output, report)
    return 0


def _import(flags):
    """Returns what builds, and the photographs that the flags describe."""
    try:
        from delf_keras.retrieval.distributed import (
            TfRecords,
            build_index_with_beam,
        )
    except ModuleNotFoundError as error:
        raise ImportError(
            'Apache Beam is needed: pip install "delf-keras[beam]". '
            f"Received: {error}"
        ) from error
    # The runner passes an error on, to be said in one line.
    logging.getLogger("apache_beam.runners.common").setLevel(logging.CRITICAL)
    if flags.photos is not None:
        return build_index_with_beam, flags.photos
    from delf_keras.datasets.tfrecords import RecordKeys

    keys = RecordKeys(image=flags.image_key, name=flags.name_key)
    return build_index_with_beam, TfRecords(flags.tfrecords, keys)
