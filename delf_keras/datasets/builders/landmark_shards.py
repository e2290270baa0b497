"""The photographs of Google Landmarks, in archives or extracted."""

import hashlib
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from delf_keras.datasets.labelled_images import WHOLE_FILE, read_part
from delf_keras.parallel import ordered_map


@dataclass(frozen=True)
class Member:
    """A photograph in an archive or a folder.

    Attributes:
        name: Of its file.
        path: Of the archive, or of the file itself.
        offset: int. Where it starts there, bytes.
        length: int, bytes; `WHOLE_FILE` for all of a file.
    """

    name: str
    path: str
    offset: int = 0
    length: int = WHOLE_FILE

    def read(self):
        """Returns the encoded photograph, bytes."""
        return read_part(self.path, self.offset, self.length)


def list_members(shard):
    """Lists the photographs of an archive, or of a folder of folders.

    Args:
        shard: `Path` of a .tar file, or of a folder a/b with folders a/b/c.

    Returns:
        list of `Member`; of a folder, sorted by name.

    Raises:
        ValueError: if the archive is damaged.
    """
    if shard.is_dir():
        return [Member(path.name, str(path)) for path in _files(shard)]
    try:
        # Only headers are read.
        with tarfile.open(shard, "r:") as archive:
            return [
                Member(each.name, str(shard), each.offset_data, each.size)
                for each in archive
                if each.isfile() and each.name.endswith(".jpg")
            ]
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(
            f"An archive must be a .tar file that is whole. Received: {shard} "
            f"({error})"
        ) from error


def check_archives(archives, workers, progress):
    """Compares archives with their checksums.

    Args:
        archives: list of (`Path` of an archive, `Path` of a text file whose
            first word is the archive's MD5 checksum).
        workers: int. How many are read at once.
        progress: See `LandmarkBuilder`.

    Raises:
        ValueError: if some differ, with their names.
    """
    with ThreadPoolExecutor(workers) as pool:
        same = ordered_map(pool, _is_whole, archives, 2 * workers)
        same = list(progress(same, len(archives), "check"))
    damaged = [
        os.fspath(archive)
        for (archive, _), whole in zip(archives, same, strict=True)
        if not whole
    ]
    if damaged:
        raise ValueError(
            "Archives must have the MD5 checksums of their authors; remove "
            f"those that differ. Received: {', '.join(damaged)}"
        )


def _is_whole(pair):
    archive, checksum = pair
    words = checksum.read_text(encoding="utf-8").split()
    with open(archive, "rb") as file:
        return [hashlib.file_digest(file, "md5").hexdigest()] == words[:1]


def _files(folder):
    return sorted(folder.glob("*/*.jpg"))
