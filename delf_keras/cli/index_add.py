"""Adds photographs to an index, or replaces those that have changed.

    delf-keras index-add --index=my_index --photos=new_photographs

Photographs whose bytes are in the index are not added again. One that has
another content than the photograph of its name in the index is skipped, or
replaces it with --replace. --photos is a folder, or a photograph. Searches go
on meanwhile, on the version of the index that they have opened. An
interrupted run goes on where it was when the same command is given again.
"""

from pathlib import Path

from absl import flags as absl_flags

from delf_keras.cli.extraction_flags import (
    define_batch_flag,
    define_other_sources,
)
from delf_keras.cli.progress import show_progress


def define_flags(flags):
    """Defines the flags of this verb."""
    texts = {
        "index": "Index folder to change.",
        "photos": "Folder of photographs to add, or one photograph.",
    }
    required = [*texts]
    texts["root"] = (
        "Folder that names in the index are relative to, if it has moved; the "
        "index keeps it."
    )
    for name, text in texts.items():
        absl_flags.DEFINE_string(name, None, text, flag_values=flags)
    absl_flags.mark_flags_as_required(required, flag_values=flags)
    absl_flags.DEFINE_bool(
        "replace",
        False,
        "Whether photographs of other content replace those of their name.",
        flag_values=flags,
    )
    define_other_sources(flags)
    define_batch_flag(flags)


def run(flags, args):
    """Extracts and adds photographs."""
    from delf_keras.retrieval import add_photographs

    if args:
        raise ValueError(f"index-add takes no arguments. Received: {args}")
    report = add_photographs(
        flags.index,
        flags.photos,
        _other_source(flags),
        root=flags.root,
        replace=flags.replace,
        batch_size=flags.batch_size,
        progress=show_progress,
    )
    for name, reason in report.skipped.items():
        print(f"Skipped: {name}: {reason}")
    print(
        f"{flags.index}: {len(report.added)} photographs added, "
        f"{len(report.removed)} of them in place of others; "
        f"{len(report.known)} are there already, {len(report.skipped)} "
        f"skipped; version {report.version}."
    )
    return 0


def _other_source(flags):
    """Returns the client of a server, a TF-Hub module, or None for neither."""
    if flags.server is not None:
        from delf_keras.serving.client import Client

        return Client(flags.server)
    if flags.tfhub is None:
        return None
    from delf_keras.features.extractor import Extractor
    from delf_keras.retrieval.manifest import read_manifest

    extraction = read_manifest(Path(flags.index)).extraction
    return Extractor.from_tfhub(flags.tfhub, **extraction)
