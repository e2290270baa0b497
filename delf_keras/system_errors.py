"""Errors of the system, which say nothing about what is in a file."""

import errno


def is_of_system(error):
    """Whether the system failed, as by a limit or a right that is missing.

    Args:
        error: Exception of a function that reads a file. Libraries raise
            OSError for what is damaged too, without a number, or with that of
            a position that no file has.

    Returns:
        bool.
    """
    if isinstance(error, OSError):
        return error.errno not in (None, errno.EINVAL)
    return isinstance(error, MemoryError)
