"""Which files of a folder are photographs, and what else it holds."""

import errno
import logging
import os
import re
import stat

_ESCAPE = re.compile(r"\\u(dc[89a-f][0-9a-f])")
logger = logging.getLogger(__name__)

SUFFIXES = frozenset(
    ".avif .bmp .gif .heic .heif .hif .j2k .jfif .jp2 .jpe .jpeg .jpg .png "
    ".tif .tiff .webp".split()
)
# Those of photographs that nothing here reads.
_OTHER_SUFFIXES = frozenset(
    ".arw .cr2 .cr3 .dng .jxl .nef .orf .psd .raf .raw .rw2".split()
)


def list_photographs(folder):
    """Lists the photographs of a folder and its subfolders.

    Links are followed, and no folder is listed twice. One warning says what
    was left out, and why. Hidden files and folders are left out without it.

    Args:
        folder: str or `Path`.

    Returns:
        Names relative to the folder, with forward slashes, sorted; none if
        there are none.
    """
    scan = _Scan(os.fspath(folder))
    scan.run()
    if scan.left_out:
        reasons = (
            f"{reason} ({_some(sorted(names))})"
            for reason, names in scan.left_out.items()
        )
        logger.warning("Left out of %s: %s.", folder, "; ".join(reasons))
    return sorted(scan.names)


class _Scan:
    """A walk through a folder.

    Attributes:
        names: list of str. Photographs.
        left_out: dict of reason to a list of names.
    """

    def __init__(self, root):
        self.names = []
        self.left_out = {}
        self._root = root
        self._listed = set()
        self._folders = [""]
        # A folder is listed under its own name before that of a link to it.
        self._links = []

    def run(self):
        while self._folders or self._links:
            name = (self._folders or self._links).pop()
            try:
                self._list(name)
            except FileNotFoundError:
                pass  # It has just been removed.
            except PermissionError:
                self._leave_out("folders that may not be read", name or ".")

    def _list(self, name):
        folder = os.path.join(self._root, name)
        status = os.stat(folder)
        identity = status.st_dev, status.st_ino
        if identity in self._listed:
            self._leave_out("links to folders that are listed", name)
            return
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
        self._listed.add(identity)
        for entry in entries:
            if not is_hidden(entry.name):
                path = f"{name}/{entry.name}" if name else entry.name
                self._sort_in(entry, path)

    def _sort_in(self, entry, name):
        kind = _kind(entry)
        if kind == stat.S_IFDIR:
            (self._links if entry.is_symlink() else self._folders).append(name)
        elif suffix_of(name) in _OTHER_SUFFIXES:
            self._leave_out("formats that are not read", name)
        elif not is_photograph(entry.name):
            return
        elif kind in (stat.S_IFREG, None):
            self.names.append(name)
        else:
            self._leave_out("what is no regular file", name)

    def _leave_out(self, reason, name):
        self.left_out.setdefault(reason, []).append(name)


def _kind(entry):
    """Returns the type of what an entry leads to, None where that is unknown.

    That a link leads nowhere is said when it is read.
    """
    try:
        return stat.S_IFMT(entry.stat().st_mode)
    except OSError:
        is_folder = entry.is_dir(follow_symlinks=False)
        return stat.S_IFDIR if is_folder else None


def _some(names):
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def is_hidden(name):
    """Whether a file or folder is hidden, by its name alone."""
    return name.startswith(".")


def is_photograph(name):
    """Whether a file is a photograph, by its name alone."""
    return suffix_of(name) in SUFFIXES and not is_hidden(name)


def suffix_of(name):
    """Returns the suffix of a name in lower case, with its dot."""
    return os.path.splitext(name)[1].lower()


def text_of_name(name):
    """Returns the name of a file as text that any format takes.

    Bytes that are no UTF-8, as cameras and old disks have them, become
    escapes such as \\udce9.

    Args:
        name: str.

    Returns:
        str, from which `name_of_text` makes the name again.
    """
    return name.encode("utf-8", "backslashreplace").decode()


def name_of_text(text):
    """Returns the name of a file that `text_of_name` made text of."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)


def check_regular(path):
    """Refuses what is no regular file.

    A pipe would be waited for, and a device has no end.

    Args:
        path: str or `Path`.

    Raises:
        OSError: if it is none, or is not there.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
