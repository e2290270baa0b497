"""Finding photographs in folders."""

from pathlib import Path

from delf_keras.photograph_files import SUFFIXES, list_photographs


def find_photographs(folder):
    """Lists the photographs of a folder and its subfolders.

    Args:
        folder: str or `Path`.

    Returns:
        Names relative to the folder, with forward slashes, sorted. Hidden
        files and folders are left out.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it holds no photograph.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(
            f"There is no folder of photographs. Received: {folder}"
        )
    names = list_photographs(folder)
    if not names:
        raise ValueError(
            f"A folder with files of {', '.join(sorted(SUFFIXES))} is "
            f"expected. Received: {folder}, which has none"
        )
    return names
