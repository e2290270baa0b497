"""Files and folders that appear whole or not at all."""

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
import weakref
from pathlib import Path

from delf_keras.folder_locks import claim

_PREFIX = ".writing-"


@contextlib.contextmanager
def atomic_path(path):
    """Yields a temporary sibling of `path` that replaces it on success.

    The caller writes a file to, or makes a folder at, the yielded path. When
    the block ends it takes the place of `path` in one rename; when the block
    raises, what was written is removed and `path` is left as it was. An
    existing folder is never replaced.

    Args:
        path: str or `Path`. Where the file or folder shall appear. Parent
            folders are made.

    Yields:
        `Path` of the temporary file, which does not exist yet and has the
        same suffix.

    Raises:
        FileExistsError: if `path` is a folder.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder, lock = _temporary_folder(path)
    try:
        temporary = folder / path.name
        yield temporary
        # A rename would replace an empty folder.
        if path.is_dir():
            raise FileExistsError(
                f"A folder is never replaced. Received: path={path}"
            )
        os.replace(temporary, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            lock.release()


@contextlib.contextmanager
def durable_path(path):
    """Is `atomic_path` of what is large, on disk when the block has ended.

    What killed writers of the same file or folder have left is removed first.
    """
    path = Path(path)
    with contextlib.suppress(FileNotFoundError):
        remove_leftovers(path.parent, _prefix_of(path))
    with atomic_path(path) as temporary:
        yield temporary
        sync_tree(temporary)
    sync(path.parent)


def remove_leftovers(folder, prefix=_PREFIX):
    """Removes what writers of a folder that were killed have left in it.

    Args:
        folder: `Path`.
        prefix: str. Of the names to remove.
    """
    for entry in os.scandir(folder):
        if entry.name.startswith(prefix):
            remove_unclaimed(Path(entry.path), only_if_sure=True)


def remove_unclaimed(folder, only_if_sure=False):
    """Removes a folder that nobody uses, as far as locks can tell.

    Args:
        folder: `Path`. A link is left alone.
        only_if_sure: bool. Whether it is kept where there are no locks.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    with contextlib.suppress(BlockingIOError, FileNotFoundError):
        lock = claim(folder)
        if lock is None and only_if_sure:
            return
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            lock.release()


def sync(path):
    """Waits until a file, or the names in a folder, are on disk."""
    is_folder = os.path.isdir(path)
    if os.name == "nt" and is_folder:
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems of a network can do so with files alone.
        if not is_folder or error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def sync_tree(path):
    """Waits until a folder and all that is in it, or a file, are on disk."""
    if os.path.isfile(path):
        sync(path)
    for parent, _, files in os.walk(path):
        for name in files:
            sync(os.path.join(parent, name))
        sync(parent)


def _temporary_folder(path):
    """Returns a new folder beside a path, and the `FolderLock` on it."""
    while True:
        folder = tempfile.mkdtemp(prefix=_prefix_of(path), dir=path.parent)
        try:
            lock = claim(folder)
        except (BlockingIOError, FileNotFoundError):
            # Who removes leftovers came first.
            continue
        except OSError:
            os.rmdir(folder)
            raise
        if os.path.isdir(folder):
            return Path(folder), lock


def _prefix_of(path):
    """Tells leftovers of different targets apart, whatever their names."""
    name = os.fsencode(path.name)
    return f"{_PREFIX}{hashlib.sha256(name).hexdigest()[:8]}-"


class TemporaryFolder:
    """A folder that is removed with the last reference to this object.

    Attributes:
        path: `Path` of the folder.
    """

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="delf-keras-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
