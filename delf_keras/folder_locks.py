"""Locks on folders, which end with the process that holds them.

They are held through a file descriptor and cost nothing on disk. Where the
file system has none, as on some networks, or the system, as Windows, nobody
is kept from anything by them.
"""

import os
import weakref

try:
    import fcntl
except ImportError:
    fcntl = None


class FolderLock:
    """A lock on a folder, held until `release` or the end of this object."""

    def __init__(self, descriptor):
        self.release = weakref.finalize(self, os.close, descriptor)
        # The system closes it, after all that still uses the folder.
        self.release.atexit = False


def share(folder):
    """Keeps a folder from being claimed; many may do so at once.

    Args:
        folder: `Path`.

    Returns:
        `FolderLock`, or None where there are no such locks.

    Raises:
        BlockingIOError: if somebody has claimed it.
        FileNotFoundError: if there is no such folder.
    """
    return fcntl and _locked(folder, fcntl.LOCK_SH)


def claim(folder):
    """Claims a folder for this process alone; see `share`."""
    return fcntl and _locked(folder, fcntl.LOCK_EX)


def _locked(folder, kind):
    lock = FolderLock(
        descriptor := os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    )
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.release()
        raise
    except OSError:
        lock.release()
        return None
    return lock
