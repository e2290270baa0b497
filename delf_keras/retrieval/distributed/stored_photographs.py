"""Photographs where workers reach them: files, or parts of TFRecords."""

import itertools
from dataclasses import dataclass
from pathlib import Path

from apache_beam.io.filesystems import FileSystems

from delf_keras.features.decoding import (
    EncodedPhotograph,
    ImageError,
    read_photograph_file,
)
from delf_keras.features.photographs import find_photographs
from delf_keras.photograph_files import SUFFIXES, is_hidden, is_photograph
from delf_keras.retrieval.distributed.work_folder import is_local, open_file

_WHOLE = -1


@dataclass(frozen=True)
class StoredPhotograph:
    """Where the file of a photograph is.

    Attributes:
        name: str. What the index calls it.
        path: str. The path or URL of the file that it is, or is in.
        offset: int. The byte of that file at which it starts.
        length: int. Its bytes, or -1 for the whole file.
        stamp: str. Size and time of the file, by which features of a file
            that has changed since are not taken for its own.
    """

    name: str
    path: str
    offset: int = 0
    length: int = _WHOLE
    stamp: str = ""

    def __str__(self):
        if self.length == _WHOLE:
            return self.path
        return f"{self.name} in {self.path}"


def list_folder(folder):
    """Lists the photographs of a folder and its subfolders, sorted.

    Args:
        folder: str. A local path, or one of a file system that Beam knows.

    Returns:
        list of `StoredPhotograph`. Hidden files and folders are left out.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it holds no photograph.
    """
    if is_local(folder):
        root = Path(folder).absolute()
        return [
            StoredPhotograph(
                name, str(root / name), stamp=_local_stamp(root / name)
            )
            for name in find_photographs(folder)
        ]
    prefix = f"{folder.rstrip('/')}/"
    (result,) = FileSystems.match([f"{prefix}**"])
    photographs = [
        StoredPhotograph(path.removeprefix(prefix), path, stamp=stamp)
        for path, stamp in stamped_paths(result)
        if _is_listed(path.removeprefix(prefix))
    ]
    if not photographs:
        raise ValueError(
            f"A folder with files of {', '.join(sorted(SUFFIXES))} is "
            f"expected. Received: {folder}, which has none"
        )
    return photographs


def stamped_paths(matched):
    """Returns the files that Beam has found, sorted.

    Args:
        matched: `MatchResult`.

    Returns:
        list of pairs of the path or URL of a file and its stamp; see
        `StoredPhotograph`.
    """
    return sorted(
        (file.path, f"{file.size_in_bytes} {file.last_updated_in_seconds}")
        for file in matched.metadata_list
    )


def read_photographs(photographs):
    """Reads the files of photographs, one after the other.

    Args:
        photographs: list of `StoredPhotograph`.

    Yields:
        `EncodedPhotograph`, or the `ImageError` that says why there is none,
        in the order received.

    Raises:
        OSError: if a file system that is not local fails.
    """
    for path, group in itertools.groupby(photographs, lambda each: each.path):
        group = [*group]
        if is_local(path) and group[0].length == _WHOLE:
            yield from map(_read_local_file, group)
        else:
            yield from _read_parts(path, group)


def _local_stamp(path):
    try:
        status = path.stat()
    except OSError:
        # It is told when it is read.
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def _read_local_file(photograph):
    """One that cannot be read is skipped, as in a build on one machine."""
    try:
        contents = read_photograph_file(photograph.path)
    except ImageError as error:
        return error
    return EncodedPhotograph(str(photograph), contents)


def _read_parts(path, photographs):
    with open_file(path) as file:
        for photograph in photographs:
            file.seek(photograph.offset)
            contents = file.read(photograph.length)
            try:
                yield EncodedPhotograph(str(photograph), contents)
            except ImageError as error:
                yield error


def _is_listed(name):
    hidden = any(map(is_hidden, name.split("/")))
    return is_photograph(name) and not hidden
