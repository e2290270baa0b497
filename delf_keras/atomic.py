"""Files and folders that appear whole or not at all."""

import contextlib
import os
import shutil
import tempfile
import weakref
from pathlib import Path


@contextlib.contextmanager
def atomic_path(path):
    """Yields a temporary sibling of `path` that replaces it on success.

    The caller writes a file to, or makes a folder at, the yielded path. When
    the block ends it takes the place of `path` in one rename; when the block
    raises, what was written is removed and `path` is left as it was. An
    existing folder is never replaced.

    Args:
        path: str or `Path`. Where the file or folder shall appear. Parent
            folders are made.

    Yields:
        `Path` of the temporary file, which does not exist yet and has the
        same suffix.

    Raises:
        FileExistsError: if `path` is a folder.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
    try:
        temporary = folder / path.name
        yield temporary
        # A rename would replace an empty folder.
        if path.is_dir():
            raise FileExistsError(
                f"A folder is never replaced. Received: path={path}"
            )
        os.replace(temporary, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class TemporaryFolder:
    """A folder that is removed with the last reference to this object.

    Attributes:
        path: `Path` of the folder.
    """

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="delf-keras-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
