"""Changing an index folder: one writer at a time, all or nothing."""

import contextlib
import json
import os
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path

import filelock
import numpy as np

from delf_keras.retrieval.background import choose_background_queries
from delf_keras.retrieval.index_files import open_files, remove_unused
from delf_keras.retrieval.manifest import (
    LEARNED_FOLDER,
    SEGMENTS_FOLDER,
    check_sizes,
    describe_files,
    read_manifest,
)
from delf_keras.retrieval.roots import describe_root
from delf_keras.retrieval.segment import (
    Segment,
    merge_segments,
    save_background,
)

_LOCK_FILE = "lock"
_HOLDER_FILE = "writer.json"
# Segments that are merged before there are more: each is a hundred arrays and
# files that are mapped, of which a process may have so many.
_MOST_SEGMENTS = 128
# Of all photographs, those removed that are copied away.
_REMOVED_SHARE = 0.25


class IndexLocked(OSError):
    """Raised where another process changes the index."""


@contextlib.contextmanager
def locked(folder):
    """Holds the lock of an index folder.

    The lock ends with the process, however that ends. Where the file system
    has no locks, `IndexWriter.publish` refuses what would undo another's
    change.

    Args:
        folder: `Path`.

    Raises:
        IndexLocked: if another process holds it.
    """
    lock = filelock.FileLock(folder / _LOCK_FILE, timeout=0)
    holder = folder / _HOLDER_FILE
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock)
        except filelock.Timeout as error:
            raise IndexLocked(
                f"The index is being changed by {_read_holder(holder)}: wait "
                f"until it is done. Received: {folder}"
            ) from error
        except NotImplementedError:
            # What filelock raises where the file system has no locks.
            pass
        content = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "command": " ".join(sys.argv),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        holder.write_text(json.dumps(content))
        yield


class IndexWriter:
    """The process that changes an index folder.

    Nothing of a change is seen before `publish`, and all of it afterwards.
    Files that a version does not need any more are removed when the next one
    is there; who has them open keeps them.

    Args:
        folder: `Path`.
        manifest: `Manifest` of a folder that has not been published yet; the
            published one if not given. The lock is for the caller to hold.
    """

    def __init__(self, folder, manifest=None):
        self._folder = folder
        self._manifest = manifest or read_manifest(folder)
        if (folder / SEGMENTS_FOLDER).is_symlink():
            raise ValueError(
                "An index is changed in a folder of its own, not in one that "
                f"is linked. Received: {folder / SEGMENTS_FOLDER}"
            )
        self.learned, segments = open_files(folder, self._manifest)
        remove_unused(folder, self._manifest)
        self._opened = dict(zip(self._manifest.segments, segments, strict=True))
        self._number = max(map(int, self._manifest.segments), default=0)
        self._removed = set(self._manifest.removed)

    @property
    def manifest(self):
        """`Manifest` of the last published version."""
        return self._manifest

    @property
    def stores(self):
        """list of `ImageStore`, of all segments."""
        return [segment.store for segment in self._segments]

    @property
    def _segments(self):
        return [*self._opened.values()]

    @property
    def removed(self):
        """set of the numbers of photographs that are removed."""
        return self._removed

    def add(self, named_features, digests=None):
        """Adds photographs as a new segment.

        Args:
            named_features: list of (name, `LocalFeatures`), not empty.
            digests: list of 32 bytes, the SHA-256 of each file, if known.
        """
        segment = Segment.build(
            self.learned,
            named_features,
            self._manifest.next_number,
            digests,
        )
        self.take(segment.save)

    def take(self, write):
        """Takes in a segment that was coded elsewhere.

        Args:
            write: Writes the segment, coded by `learned` and numbered from
                the manifest's next number on, into an empty folder.

        Raises:
            ValueError: if it is damaged, or numbered otherwise.
        """
        name = self._new_segment(write)
        self._set([*self._manifest.segments, name])
        numbers = self._opened[name].store.numbers
        first = self._manifest.next_number
        if not np.array_equal(numbers, np.arange(first, first + len(numbers))):
            raise ValueError(
                f"The photographs of the next segment are numbered from {first}"
                f" on. Received: {numbers[:1]} to {numbers[-1:]}"
            )
        self._manifest = replace(
            self._manifest, next_number=first + len(numbers)
        )

    def remove(self, numbers):
        """Removes photographs.

        Args:
            numbers: Iterable of int.
        """
        self._removed |= set(map(int, numbers))

    def merge(self, count):
        """Merges the last segments to one, without what is removed.

        Args:
            count: int. How many.
        """
        segments = self._segments[-count:]
        if not segments:
            return
        numbers = [each.store.numbers for each in segments]
        gone = np.intersect1d(np.concatenate(numbers), [*self._removed])
        if count == 1 and not len(gone):
            return
        if len(gone) == sum(map(len, numbers)):
            names = self._manifest.segments[:-count]
        else:
            name = self._new_segment(
                lambda folder: merge_segments(
                    segments, gone, self.learned, folder
                )
            )
            names = [*self._manifest.segments[:-count], name]
        self._removed -= set(gone.tolist())
        self._set(names)

    def merge_alike(self):
        """Merges the last segments while one is less than twice the next.

        So there are few segments however many photographs are added one by
        one, and each photograph is copied few times. All are merged where more
        than a fourth of the photographs is removed.
        """
        while len(self._segments) > 1:
            before, last = map(len, self._segments[-2:])
            if before >= 2 * last:
                break
            self.merge(2)
        count = sum(map(len, self._segments))
        if count > len(self._removed) > _REMOVED_SHARE * count:
            self.merge_all()

    def merge_many(self):
        """Merges the last segments where they have become many.

        A build that adds a segment after the other does not run out of what
        the system gives a process, and copies each photograph few times.
        """
        if len(self._segments) == _MOST_SEGMENTS:
            self.merge(_MOST_SEGMENTS)

    def merge_all(self):
        """Merges all segments to one, without what is removed."""
        self.merge(len(self._segments))

    def choose_background(self, seed, progress):
        """Chooses background queries of an index of one segment."""
        (segment,) = self._segments
        queries, background = choose_background_queries(
            segment.descriptor_index, segment.store, seed, progress
        )
        queries.save(self._folder / LEARNED_FOLDER / "background")
        (name,) = self._opened
        save_background(self._folder / SEGMENTS_FOLDER / name, background)
        self.learned = replace(self.learned, background=queries)
        self._opened = {name: self._load(name)}
        parts = [LEARNED_FOLDER, f"{SEGMENTS_FOLDER}/{name}"]
        files = describe_files(self._folder, parts)
        self._manifest = replace(
            self._manifest, files=self._manifest.files | files
        )

    def set_root(self, root):
        """Takes the folder of the photographs, if it is there, as found.

        Args:
            root: `Path`.
        """
        if root.is_dir():
            roots = describe_root(root, self._folder)
            self._manifest = replace(self._manifest, roots=roots)

    def publish(self):
        """Makes the changes the present version of the index.

        Raises:
            ValueError: if no photograph would be left.
            IndexLocked: if another process has changed the index meanwhile,
                as it can where the file system has no locks. Its version
                stays.
        """
        count = sum(map(len, self._segments))
        if count == len(self._removed):
            left = count - len(self._manifest.removed)
            raise ValueError(
                "An index keeps at least one photograph. "
                f"Received: {left} photographs, all to be removed"
            )
        self._check_version()
        self._manifest = replace(
            self._manifest,
            version=self._manifest.version + 1,
            removed=sorted(self._removed),
        )
        self._manifest.write(self._folder)
        remove_unused(self._folder, self._manifest)

    def _check_version(self):
        """Loses a change rather than that of another process."""
        if not self._manifest.version:
            return
        version = read_manifest(self._folder).version
        try:
            check_sizes(self._folder, self._manifest.files)
        except ValueError:
            version = "whose files were removed"
        if version != self._manifest.version:
            raise IndexLocked(
                "Another process has changed the index meanwhile: give the "
                f"command again. Received: version {version} in place of "
                f"{self._manifest.version} in {self._folder}"
            )

    def _new_segment(self, write):
        self._number += 1
        name = f"{self._number:06d}"
        folder = self._folder / SEGMENTS_FOLDER / name
        folder.mkdir()
        write(folder)
        return name

    def _load(self, name):
        return Segment.load(self._folder / SEGMENTS_FOLDER / name, self.learned)

    def _set(self, names):
        """Takes segments for those of the next version."""
        kept = {
            path: described
            for path, described in self._manifest.files.items()
            if not path.startswith(f"{SEGMENTS_FOLDER}/")
            or path.split("/")[1] in names
        }
        new = [name for name in names if name not in self._opened]
        parts = [f"{SEGMENTS_FOLDER}/{name}" for name in new]
        self._manifest = replace(
            self._manifest,
            segments=names,
            files=kept | describe_files(self._folder, parts),
        )
        opened = self._opened | {name: self._load(name) for name in new}
        self._opened = {name: opened[name] for name in names}


def _read_holder(path):
    try:
        holder = json.loads(path.read_text())
        return (
            f"process {holder['pid']} on {holder['host']} since "
            f"{holder['since']} ({holder['command']})"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


@contextlib.contextmanager
def change_index(folder):
    """Opens an index folder to change it.

    Args:
        folder: str or `Path`.

    Yields:
        `IndexWriter`. What is not published is dropped.

    Raises:
        IndexLocked: if another process changes it.
        FileNotFoundError: if there is no index.
        ValueError: if it is damaged, or of another format.
    """
    folder = Path(folder)
    # A folder that is no index gets no lock.
    read_manifest(folder)
    with locked(folder):
        yield IndexWriter(folder)
