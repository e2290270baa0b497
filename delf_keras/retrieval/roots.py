"""Where the photographs of an index are, also after it has moved."""

import logging
import os
from pathlib import Path

logger = logging.getLogger(__name__)


def describe_root(root, folder):
    """Describes the folder of the photographs of an index for its manifest.

    Args:
        root: str or `Path`, or the URL of a folder elsewhere.
        folder: str or `Path` of the index, as it is when it is finished.

    Returns:
        list of str, the places to look for it: relative to the index, as when
        both are moved together, and where it is now.
    """
    if is_url(root):
        return [str(root)]
    root = os.path.abspath(root)
    parent, name = os.path.split(root)
    if not name:
        # The root of the file system is the same from everywhere.
        return [root]
    try:
        # Only the last part may be a link that is moved as well.
        place = os.path.join(os.path.realpath(parent), name)
        return [os.path.relpath(place, os.path.realpath(folder)), root]
    except ValueError:
        # On another drive of Windows.
        return [root]


def find_root(folder, roots):
    """Finds the folder of the photographs of an index, warns if it is gone.

    Args:
        folder: str or `Path` of the index.
        roots: What `describe_root` returned.

    Returns:
        `Path` of the first that is there, or of where it was at last; a str
        if it is a URL.
    """
    if is_url(roots[-1]):
        return roots[-1]
    folder = os.path.realpath(folder)
    places = [os.path.normpath(os.path.join(folder, each)) for each in roots]
    found = [*filter(os.path.isdir, places)]
    if not found:
        logger.warning(
            "The photographs of %s were in %s, which is gone: say where they "
            "are with --root, or root in Python.",
            folder,
            places[-1],
        )
    return Path([*found, places[-1]][0])


def is_url(root):
    """Whether a root is of a file system that only Beam knows."""
    return "://" in str(root)


def path_in(root, name):
    """Returns the `Path` of a photograph, or its URL.

    Args:
        root: What `find_root` returned.
        name: str. What the index calls the photograph.
    """
    if is_url(root):
        return f"{root.rstrip('/')}/{name}"
    return Path(os.path.normpath(root / name))


def name_in(root, path):
    """Returns what an index calls a photograph.

    Args:
        root: `Path` that names are relative to.
        path: str or `Path` of the photograph, or of a folder of some.

    Returns:
        str, the path relative to the root, with forward slashes.
    """
    name = os.path.relpath(os.path.abspath(path), root)
    if name.split(os.sep)[0] == os.pardir:
        # Two ways to one place may differ by links.
        real = os.path.relpath(os.path.realpath(path), os.path.realpath(root))
        if real.split(os.sep)[0] != os.pardir:
            name = real
    return Path(name).as_posix()
