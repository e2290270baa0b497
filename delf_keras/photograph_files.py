"""Which files of a folder are photographs."""

import os
from pathlib import Path

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"))


def list_photographs(folder):
    """Lists the photographs of a folder and its subfolders.

    Args:
        folder: str or `Path`.

    Returns:
        Names relative to the folder, with forward slashes, sorted; none if
        there are none. Hidden files and folders are left out.
    """
    names = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_hidden(name)]
        relative = Path(parent).relative_to(folder).as_posix()
        prefix = "" if relative == "." else f"{relative}/"
        names += [prefix + name for name in files if is_photograph(name)]
    return sorted(names)


def is_hidden(name):
    """Whether a file or folder is hidden, by its name alone."""
    return name.startswith(".")


def is_photograph(name):
    """Whether a file is a photograph, by its name alone."""
    suffix = os.path.splitext(name)[1].lower()
    return suffix in SUFFIXES and not is_hidden(name)
