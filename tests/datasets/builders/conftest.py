"""Fixtures of data sets that are built."""

import contextlib
import functools
import http.server
import tarfile
import threading

import pytest
import tensorflow_datasets as tfds
from PIL import Image


@pytest.fixture(scope="session", autouse=True)
def _no_bars():
    tfds.disable_progress_bar()


@pytest.fixture
def build(tmp_path):
    """A function that builds a data set."""

    def build(builder_class, manual_dir=None, **options):
        builder = builder_class(data_dir=tmp_path / "data", **options)
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(manual_dir=manual_dir)
        )
        return builder

    return build


@pytest.fixture(scope="session")
def examples():
    """A function that lists a split; photographs remain encoded."""

    def examples(builder, split):
        encoded = {"image": tfds.decode.SkipDecoding()}
        return list(tfds.as_numpy(builder.as_dataset(split, decoders=encoded)))

    return examples


@pytest.fixture(scope="session")
def write_photograph(make_photograph):
    """A function that writes a JPEG file and returns its bytes."""

    def write_photograph(path, seed=0, height=30, width=40):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(make_photograph(height, width, seed)).save(path)
        return path.read_bytes()

    return write_photograph


@pytest.fixture(scope="session")
def pack():
    """A function that packs a folder's contents, .tgz or .tar."""

    def pack(folder, archive):
        mode = "w:gz" if archive.suffix == ".tgz" else "w"
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive, mode) as file:
            for path in sorted(folder.iterdir()):
                file.add(path, path.name)

    return pack


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def serve():
    """A context manager that serves a folder, and yields its address."""

    @contextlib.contextmanager
    def serve(folder):
        handler = functools.partial(_Quiet, directory=folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    return serve
