"""Arrays of an object as files of a folder, opened without reading them."""

import numpy as np


def save_arrays(folder, holder, names):
    """Writes attributes of an object into a new folder, a file for each.

    Args:
        folder: `Path`.
        holder: Any object.
        names: Names of attributes of it that are arrays.
    """
    folder.mkdir()
    for name in names:
        np.save(folder / f"{name}.npy", getattr(holder, name))


def load_arrays(folder, names):
    """Maps the arrays that `save_arrays` wrote into memory.

    Args:
        folder: `Path`.
        names: Names of the arrays.

    Returns:
        dict of name to array. Nothing is unpickled.
    """
    return {
        name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        for name in names
    }
