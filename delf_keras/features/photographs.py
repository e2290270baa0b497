"""Finding photographs in folders."""

from pathlib import Path

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"))


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
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no folder of photographs. Received: {folder}"
        )
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not _is_hidden(path.relative_to(folder))
        and not path.is_dir()
    )
    if not names:
        raise ValueError(
            f"A folder with files of {', '.join(sorted(SUFFIXES))} is "
            f"expected. Received: {folder}, which has none"
        )
    return names


def _is_hidden(path):
    return any(part.startswith(".") for part in path.parts)
