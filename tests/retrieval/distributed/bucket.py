"""A file system of Beam with URLs and without folders, as buckets are."""

import os

from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem

_SCHEME = "bucket://"


class Bucket(LocalFileSystem):
    """Keeps the file of bucket://path at /path on this machine."""

    @classmethod
    def scheme(cls):
        return "bucket"

    def has_dirs(self):
        return False

    def join(self, basepath, *paths):
        return "/".join((basepath.rstrip("/"), *paths))

    def create(self, path, *args, **kwargs):
        return super().create(_local(path), *args, **kwargs)

    def open(self, path, *args, **kwargs):
        return super().open(_local(path), *args, **kwargs)

    def exists(self, path):
        return os.path.isfile(_local(path))

    def rename(self, source_file_names, destination_file_names):
        super().rename(
            [*map(_local, source_file_names)],
            [*map(_local, destination_file_names)],
        )

    def _list(self, dir_or_prefix):
        prefix = _local(dir_or_prefix)
        for parent, _, names in os.walk(os.path.dirname(prefix)):
            for name in names:
                path = os.path.join(parent, name)
                if path.startswith(prefix):
                    status = os.stat(path)
                    yield FileMetadata(
                        _SCHEME + path[1:], status.st_size, status.st_mtime
                    )


def _local(url):
    assert url.startswith(_SCHEME)
    return "/" + url.removeprefix(_SCHEME)
