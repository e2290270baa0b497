"""Builds an index of a folder of photographs.

    delf-keras index --photos=photographs --preset=delf_resnet50_imagenet \\
        --output=my_index

The index is a folder that needs nothing beside it but the photographs. Where
the preset has no PCA, one is fitted on the photographs. An interrupted build
goes on where it was when the same command is given again. The paper's index
is --factory=paper, exact search --factory=exact; any faiss factory string
will do. --server=host:port in place of --preset extracts through a server that
`delf-keras serve` or TensorFlow Serving runs, --tfhub=URL with Google's DELF
of TF-Hub.
"""

import shutil
from pathlib import Path

from delf_keras.cli.extraction_flags import (
    define_batch_flag,
    define_extraction_flags,
    define_folder_flags,
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
    define_extraction_flags(flags, server=True)
    define_batch_flag(flags)
    define_folder_flags(flags, "Index folder to write.")
    define_index_flags(flags)


def run(flags, args):
    """Builds and writes the index."""
    from delf_keras.retrieval import build_index

    if args:
        raise ValueError(f"index takes no arguments. Received: {args}")
    output = Path(flags.output)
    work_folder = work_folder_of(output)
    report = build_index(
        flags.photos,
        make_extractor(flags),
        output=output,
        work_folder=work_folder,
        batch_size=flags.batch_size,
        progress=show_progress,
        **build_options(flags),
    )
    shutil.rmtree(work_folder)
    print_build_report(output, report)
    return 0
