"""Files of a work folder: named by what they depend on, and whole."""

import hashlib
import os

from delf_keras.features.feature_cache import open_cache
from delf_keras.features.files import names_h5, open_h5
from delf_keras.features.pca import load_pca


def key_of(*parts):
    """Returns a name for what depends on the parts, 16 hexadecimal digits."""
    text = "\n".join(map(str, parts))
    return hashlib.sha256(_encoded(text)).hexdigest()[:16]


def stamp_of(paths):
    """Identifies files by their places, sizes and times.

    Args:
        paths: Iterable of `Path` of files that exist.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for path in paths:
        status = os.stat(path)
        place = os.path.abspath(path)
        digest.update(
            _encoded(f"{place} {status.st_size} {status.st_mtime_ns}\n")
        )
    return digest.hexdigest()


def _encoded(text):
    # Names of files may hold bytes that are no text.
    return text.encode("utf-8", "surrogateescape")


def is_whole(path):
    """Whether a file of features or of a PCA can be read.

    Args:
        path: `Path` of an existing .db, .h5 or .npz file.

    Returns:
        bool.

    Raises:
        OSError: if the file cannot be opened, as while another run has it;
            that says nothing about what is in it.
    """
    try:
        if path.suffix == ".db":
            with open_cache(path) as cache:
                cache.made_of()
        elif path.suffix == ".h5":
            with open_h5(path) as file:
                names_h5(file)
        else:
            load_pca(path)
    # h5py has KeyError and RuntimeError for what is broken inside.
    except (ValueError, KeyError, RuntimeError):
        return False
    return True
