"""The folder that all workers of a build reach, wherever it is."""

import contextlib
import hashlib
import json
import os
import tarfile
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

_BLOCK = 1 << 22


@dataclass(frozen=True)
class WorkFolder:
    """Files that the driver and the workers of a build exchange.

    A file appears whole or not at all. It is named by all that its content
    depends on, so that none is taken for another's.

    Attributes:
        url: str. A local path, or one of a file system that Beam knows, such
            as gs://bucket/folder.
    """

    url: str

    def names(self, folder):
        """Returns the set of the names of the files of a folder in it."""
        path = self.path(folder)
        if is_local(path):
            return {*os.listdir(path)} if os.path.isdir(path) else set()
        # HDFS would fail; a bucket does not know folders.
        system = FileSystems.get_filesystem(path)
        if system.has_dirs() and not system.exists(path):
            return set()
        (result,) = system.match([system.join(path, "*")])
        return {file.path.rsplit("/", 1)[1] for file in result.metadata_list}

    def has(self, name):
        """Whether a file is there."""
        return FileSystems.exists(self.path(name))

    def path(self, name):
        """Returns the path or URL of a file in it."""
        return FileSystems.join(self.url, *name.split("/"))

    @contextlib.contextmanager
    def new_file(self, name):
        """Yields the local `Path` to write a file to, which is then put."""
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / Path(name).name
            yield path
            self._put(path, name)

    @contextlib.contextmanager
    def file(self, name):
        """Yields a local `Path` to read a file from."""
        with local_file(self.path(name)) as path:
            yield path

    def write_json(self, name, content):
        """Writes what JSON can express."""
        with self.new_file(name) as path:
            path.write_text(json.dumps(content))

    def read_json(self, name):
        """Reads what `write_json` wrote."""
        with self.file(name) as path:
            return json.loads(path.read_text())

    @contextlib.contextmanager
    def new_folder(self, name):
        """Yields a local `Path` to make a folder at, put as one .tar file."""
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "folder"
            yield folder
            with self.new_file(name) as path, tarfile.open(path, "w") as tar:
                tar.add(folder, ".")

    def fetch_folder(self, name, folder):
        """Writes the content of a folder that was put as a .tar file."""
        with self.file(name) as path, tarfile.open(path) as tar:
            tar.extractall(folder, filter="data")

    def _put(self, path, name):
        target = self.path(name)
        temporary = f"{target}.writing-{uuid.uuid4().hex}"
        with open(path, "rb") as source, _create(temporary) as file:
            _copy(source, file)
        FileSystems.rename([temporary], [target])


@contextlib.contextmanager
def local_file(path):
    """Yields a local `Path` of the content of a file, wherever that is.

    Args:
        path: str. A local path, or one of a file system that Beam knows.
    """
    if is_local(path):
        yield Path(path)
        return
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / path.rsplit("/", 1)[1]
        with open_file(path) as source, open(copy, "wb") as file:
            _copy(source, file)
        yield copy


def is_local(path):
    """Whether a path is one of this machine, or mounted there."""
    return FileSystems.get_scheme(path) is None


def open_file(path):
    """Opens a file for reading, as it is."""
    return FileSystems.open(
        path, compression_type=CompressionTypes.UNCOMPRESSED
    )


def stage_name(label, *key):
    """Names the folder of what depends on a key."""
    digest = hashlib.sha256(" ".join(map(str, key)).encode("utf-8", "replace"))
    return f"{label}-{digest.hexdigest()[:16]}"


def _create(path):
    return FileSystems.create(
        path, compression_type=CompressionTypes.UNCOMPRESSED
    )


def _copy(source, target):
    while block := source.read(_BLOCK):
        target.write(block)
