"""The files of a folder to evaluate retrieval on.

It holds photographs in `jpg/`, possibly in subfolders, and beside them a
ground truth: `gnd_*.pkl`, or text files in the layout of Oxford5k.
"""

import os
from pathlib import Path

from delf_keras.photograph_files import is_hidden, list_photographs

_TEXT = "*_query.txt"
_SUFFIX = ".jpg"


def find_ground_truth(folder):
    """Returns the `Path` of the ground truth `gnd_*.pkl` of a folder.

    Args:
        folder: str or `Path`.

    Raises:
        FileNotFoundError: if there is none.
    """
    found = sorted(Path(folder).glob("gnd_*.pkl"))
    if not found:
        raise FileNotFoundError(
            "A folder to evaluate on holds jpg/ and gnd_*.pkl. "
            f"Received: folder={folder}"
        )
    return found[0]


def find_text_ground_truth(folder):
    """Returns the `Path` of a folder of text files in the layout of Oxford5k.

    Args:
        folder: str or `Path`. It holds them, at any depth.

    Returns:
        `Path`, None if there are none.
    """
    for parent, folders, _ in os.walk(folder):
        folders[:] = sorted(each for each in folders if not is_hidden(each))
        if any(Path(parent).glob(_TEXT)):
            return Path(parent)
    return None


def list_names(folder):
    """Lists the photographs of a folder and its subfolders.

    Args:
        folder: str or `Path`.

    Returns:
        dict of the name of each photograph, relative to the folder, without
        its suffix, to its `Path`; sorted. Of those that differ in the suffix
        alone it is the first.
    """
    paths = {}
    for name in list_photographs(folder):
        paths.setdefault(os.path.splitext(name)[0], Path(folder, name))
    return paths


def photograph_paths(folder, names):
    """Returns the paths of photographs, all of which must be there.

    Args:
        folder: str or `Path`. It holds `jpg/`, and that the photographs,
            possibly in subfolders.
        names: Sequence of str. Names of the photographs without suffixes.

    Returns:
        list of `Path`.

    Raises:
        FileNotFoundError: if photographs are missing.
    """
    jpg = Path(folder, "jpg")
    paths = [jpg / f"{name}{_SUFFIX}" for name in names]
    if all(path.is_file() for path in paths):
        return paths
    listed = list_names(jpg)
    nested = {os.path.basename(name): path for name, path in listed.items()}
    paths = [
        listed.get(name) or nested.get(os.path.basename(name), path)
        for name, path in zip(names, paths, strict=True)
    ]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            "Every photograph of the ground truth must be in jpg/. "
            f"Received: {missing[0]}, which is missing, as the first of "
            f"{len(missing)}"
        )
    return paths
