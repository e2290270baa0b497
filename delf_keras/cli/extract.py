"""Extracts the local features of a folder of photographs into files.

    delf-keras extract --photos=photographs --preset=delf_resnet50_imagenet \\
        --format=delf --output=features

The formats are delf (one file a photograph, as tensorflow/models writes it),
npz (one file a photograph) and h5 (one file for all, in hloc's layout).
Photographs whose features are there already are left alone, so that an
interrupted run goes on where it was; --overwrite extracts them again. What
bytes and options features were made of is kept with them, in a hidden file of
the folder, or in the h5 file, which is written at the end, whole. A photograph
that is no longer of use loses the features that it had.
--server=host:port in place of --preset extracts through a server that
`delf-keras serve` or TensorFlow Serving runs, --tfhub=URL with Google's DELF
of TF-Hub.
"""

import contextlib
import errno
import json
import logging
import os
import shutil
from pathlib import Path, PurePosixPath

from absl import flags as absl_flags

from delf_keras.cli.extraction_flags import (
    define_batch_flag,
    define_extraction_flags,
    define_folder_flags,
    make_extractor,
)
from delf_keras.cli.progress import show_progress

logger = logging.getLogger(__name__)

FORMATS = ("delf", "npz", "h5")

# What the files of a folder were made of, a line for each that is written.
_RECORD = ".made_of.jsonl"


def define_flags(flags):
    """Defines the flags of this verb."""
    define_extraction_flags(flags, server=True)
    define_batch_flag(flags)
    define_folder_flags(flags, "Folder to write, or file for h5.")
    absl_flags.DEFINE_enum(
        "format", "npz", FORMATS, "Format of the files.", flag_values=flags
    )
    absl_flags.DEFINE_bool(
        "pca", True, "Whether to use the preset's PCA.", flag_values=flags
    )
    absl_flags.DEFINE_bool(
        "overwrite", False, "Whether to extract again.", flag_values=flags
    )


def run(flags, args):
    """Extracts and writes the features."""
    from delf_keras.features.decoding import ImageError
    from delf_keras.features.feature_cache import extract_files
    from delf_keras.features.photographs import find_photographs

    if args:
        raise ValueError(f"extract takes no arguments. Received: {args}")
    names = find_photographs(flags.photos)
    extractor = make_extractor(flags, pca=flags.pca)
    opened = _h5_output if flags.format == "h5" else _folder_output
    paths = {name: Path(flags.photos) / name for name in names}
    with opened(flags, paths, extractor) as (is_kept, write, remove):
        missing = [n for n in names if flags.overwrite or not is_kept(n)]
        results = extract_files(
            extractor, [paths[name] for name in missing], flags.batch_size
        )
        written = 0
        named = zip(missing, results, strict=True)
        for name, (digest, result) in show_progress(
            named, len(missing), "extract"
        ):
            if isinstance(result, ImageError):
                logger.warning("Skipped: %s", result)
                remove(name)
            else:
                written += _has_written(write, name, digest, result)
    kept = len(names) - len(missing)
    print(
        f"{flags.output}: {written} photographs extracted, {kept} kept, "
        f"{len(missing) - written} skipped."
    )
    return 0 if written or kept else 1


def _has_written(write, name, digest, features):
    """Writes features, and returns whether their file can have its name."""
    try:
        write(name, digest, features)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        logger.warning(
            "Skipped: The name of a file of features is too long. Received: %s",
            name,
        )
        return False
    return True


@contextlib.contextmanager
def _h5_output(flags, paths, extractor):
    """Yields what tells whether features are kept, writes and removes them.

    A writer that dies leaves an HDF5 file that nobody can open: features are
    kept elsewhere until all are there.
    """
    from delf_keras.features.feature_cache import open_cache, remove_cache

    output = Path(flags.output)
    partial = output.with_name(f"{output.name}.partial")
    present = _made_of(output, extractor)
    useless = set()
    key = extractor.cache_key
    with open_cache(partial) as cache:
        known = present | cache.made_of()

        def is_kept(name):
            return _is_made_of(known.get(name), paths[name], key)

        def write(name, digest, features):
            cache.write(name, f"{digest} {key}", features)

        def remove(name):
            cache.remove(name)
            useless.update({name} & present.keys())

        yield is_kept, write, remove
        # Other options may have been interrupted before.
        extracted = {
            name: made_of
            for name, made_of in cache.made_of().items()
            if made_of.endswith(f" {key}")
        }
        if extracted or useless:
            _update_h5(output, cache, extracted, useless)
    remove_cache(partial)


def _update_h5(output, cache, extracted, useless):
    """Writes an HDF5 file anew, with what was extracted since."""
    from delf_keras.atomic import durable_path
    from delf_keras.features.files import open_h5, remove_h5, write_h5

    # What it was made of is removed next.
    with durable_path(output) as temporary:
        if output.exists():
            shutil.copyfile(output, temporary)
        with open_h5(temporary, "a") as file:
            for name, made_of in extracted.items():
                write_h5(file, name, cache.read(name), made_of)
            for name in useless:
                remove_h5(file, name)


def _is_made_of(known, photograph, key):
    """Whether features are those of a photograph as it is now."""
    from delf_keras.retrieval.manifest import digest_of

    try:
        return known is not None and known == f"{digest_of(photograph)} {key}"
    except OSError:
        # It is told when it is extracted.
        return False


def _made_of(output, extractor):
    """Returns what the features of an HDF5 file were made of."""
    from delf_keras.features.files import (
        common_of_h5,
        made_of_h5,
        open_h5,
    )

    if not output.exists():
        return {}
    with open_h5(output) as file:
        received = {
            "fingerprint": extractor.fingerprint,
            "upright": extractor.options.upright,
        }
        if len(file) and common_of_h5(file) != received:
            raise ValueError(
                f"Features in {output} must be like those there, of "
                f"{common_of_h5(file)}: give others another --output. "
                f"Received: {received}"
            )
        return made_of_h5(file)


@contextlib.contextmanager
def _folder_output(flags, paths, extractor):
    """Yields what tells whether files are kept, writes and removes them."""
    from delf_keras.features.files import save_features

    output = Path(flags.output)
    files = _files_of(paths, f".{flags.format}")
    output.mkdir(parents=True, exist_ok=True)
    key = extractor.cache_key
    with open(output / _RECORD, "a+", errors="replace") as record:
        known = _read_record(record)

        def note(file, made_of):
            # What may have been torn off before ends here.
            record.write("\n" + json.dumps([file, made_of]))
            record.flush()

        def is_kept(name):
            made_of = known.get(files[name])
            # Unlike that of `Path`, it is False for a name that is too long.
            present = os.path.isfile(output / files[name])
            return present and _is_made_of(made_of, paths[name], key)

        def write(name, digest, features):
            # Whatever ends the process, nothing is taken for what it is not.
            note(files[name], None)
            save_features(output / files[name], features)
            note(files[name], f"{digest} {key}")

        def remove(name):
            if os.path.isfile(output / files[name]):
                (output / files[name]).unlink()
                note(files[name], None)

        yield is_kept, write, remove


def _files_of(names, suffix):
    """Returns a dict of each photograph to its file of features."""
    files = {
        name: str(PurePosixPath(name).with_suffix(suffix)) for name in names
    }
    owners = {}
    for name, file in files.items():
        if owners.setdefault(file, name) != name:
            raise ValueError(
                "Photographs that differ only in their suffix would have the "
                f"same file of features. Received: {owners[file]} and {name}"
            )
    return files


def _read_record(record):
    """Returns a dict of each file of features to what it was made of."""
    record.seek(0)
    known = {}
    for line in record:
        # A process that was killed may have left a part of one; one is empty.
        with contextlib.suppress(ValueError, TypeError):
            file, made_of = json.loads(line)
            known[file] = made_of
    return known
