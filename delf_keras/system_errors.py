"""Errors of the system, which say nothing about what is in a file."""

import errno

_OF_TENSORFLOW = ("PermissionDeniedError", "ResourceExhaustedError")

_OF_ONE_FILE = frozenset(
    {
        errno.EACCES,
        errno.EINVAL,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EPERM,
    }
)


def is_of_system(error):
    """Whether the system failed, as by a limit or a right that is missing.

    Args:
        error: Exception of a function that reads a file. Libraries raise
            OSError for what is damaged too, without a number, or with that of
            a position that no file has.

    Returns:
        bool.
    """
    # As TensorFlow tells of limits and rights, which may not be imported.
    if type(error).__name__ in _OF_TENSORFLOW:
        return True
    if isinstance(error, OSError):
        return error.errno not in (None, errno.EINVAL)
    return isinstance(error, MemoryError)


def is_of_one_file(error):
    """Whether an error says that one file cannot be read, and others may be.

    Args:
        error: OSError of opening or reading a file.

    Returns:
        bool. It is False for a limit of the process, and for a disk or a
        network that fails: whoever passes over the file then passes over all.
    """
    return error.errno in _OF_ONE_FILE
