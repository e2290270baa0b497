"""Features that survive the death of the process that extracts them."""

import contextlib
import hashlib
import sqlite3
from collections import deque
from pathlib import Path

from delf_keras.features.decoding import (
    EncodedPhotograph,
    ImageError,
    read_photograph_file,
)
from delf_keras.features.files import features_from_bytes, features_to_bytes

_TABLE = (
    "CREATE TABLE IF NOT EXISTS features "
    "(name BLOB PRIMARY KEY, made_of TEXT NOT NULL, features BLOB NOT NULL)"
)


class FeatureCache:
    """Features of photographs in one file, until they are put to use.

    Each photograph is a transaction of a SQLite database: whatever ends the
    process, the file holds all photographs before. Features are kept with
    what they were made of, so that those of a photograph that was edited
    since are not taken for its own.
    """

    def __init__(self, connection):
        self._connection = connection

    def made_of(self):
        """Returns a dict of name to what its features were made of."""
        rows = self._connection.execute("SELECT name, made_of FROM features")
        return {_decoded(name): made_of for name, made_of in rows}

    def write(self, name, made_of, features):
        """Keeps the features of a photograph, in place of any of its name.

        Args:
            name: str. It need not be text: names of files are not.
            made_of: str. What they were made of, such as the SHA-256 of the
                file.
            features: `LocalFeatures`.
        """
        with self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO features VALUES (?, ?, ?)",
                (_encoded(name), made_of, features_to_bytes(features)),
            )

    def remove(self, name):
        """Removes the features of a photograph, if they are there."""
        with self._connection:
            self._connection.execute(
                "DELETE FROM features WHERE name = ?", (_encoded(name),)
            )

    def read(self, name):
        """Returns the `LocalFeatures` of a photograph that is there."""
        (contents,) = self._connection.execute(
            "SELECT features FROM features WHERE name = ?", (_encoded(name),)
        ).fetchone()
        return features_from_bytes(contents)


@contextlib.contextmanager
def open_cache(path):
    """Opens a file of features, or makes one.

    Args:
        path: str or `Path`. Parent folders are made.

    Yields:
        `FeatureCache`.

    Raises:
        OSError: if another process has it open, or the system fails.
        ValueError: if the file is something else.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = sqlite3.connect(path, timeout=0)
        with contextlib.closing(connection):
            # Nobody shares the file: its log needs no shared memory, which
            # file systems of a network do not have.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            with connection:
                connection.execute(_TABLE)
            yield FeatureCache(connection)
    except sqlite3.OperationalError as error:
        raise OSError(
            f"The features that are kept meanwhile cannot be read or written: "
            f"{error}. Received: {path}"
        ) from error
    except sqlite3.DatabaseError as error:
        raise ValueError(
            "A file of features that were extracted so far is expected; "
            f"remove it to extract them anew. Received: {path} ({error})"
        ) from error


def remove_cache(path):
    """Removes a file of features that nobody has open."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def extract_files(extractor, paths, batch_size=1):
    """Extracts photographs, and tells what bytes their features were made of.

    Args:
        extractor: `FeatureSource`.
        paths: Iterable of paths.
        batch_size: int. See `FeatureSource.extract_each`.

    Yields:
        Pairs of the SHA-256 of the bytes that were decoded, in hexadecimal,
        and `LocalFeatures`; or of None and the `ImageError` that says why
        there are none.
    """

    def read(path):
        try:
            return EncodedPhotograph(str(path), read_photograph_file(path))
        except ImageError as error:
            return error

    yield from extract_encoded(extractor, map(read, paths), batch_size)


def extract_encoded(extractor, photographs, batch_size=1):
    """Extracts photographs that were read; see `extract_files`.

    Args:
        extractor: `FeatureSource`.
        photographs: Iterable of `EncodedPhotograph`, or the `ImageError` of
            what could not be read.
        batch_size: int.

    Yields:
        See `extract_files`.
    """
    read = deque()

    def readable():
        for photograph in photographs:
            if isinstance(photograph, ImageError):
                read.append((None, photograph))
                continue
            digest = hashlib.sha256(photograph.contents).hexdigest()
            read.append((digest, None))
            yield photograph

    for _, result in extractor.extract_each(readable(), batch_size):
        while read[0][1] is not None:
            yield read.popleft()
        digest, _ = read.popleft()
        yield (None if isinstance(result, ImageError) else digest), result
    yield from read


def _encoded(name):
    return name.encode("utf-8", "surrogateescape")


def _decoded(name):
    return name.decode("utf-8", "surrogateescape")
