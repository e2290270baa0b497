"""Downloads from a server that may break off, and archives."""

import errno
import gzip
import hashlib
import http.server
import io
import tarfile
import threading
from dataclasses import dataclass, field

import numpy as np
import pytest

from delf_keras.datasets import downloading
from delf_keras.datasets.downloading import download, extract

# More than two blocks of a MiB.
CONTENT = np.random.default_rng(0).bytes((5 << 19) + 7)
MD5 = hashlib.md5(CONTENT).hexdigest()


@dataclass
class Site:
    """What the server does.

    Attributes:
        content: Of the one file.
        ranges: Whether it sends parts of the file.
        breaks_after: Bytes of a response after which it breaks off.
        headers: Further headers of a response.
        shift: Added to the start of the parts that it sends.
        asked: Range headers of the requests; None where there was none.
        url: Its address.
    """

    content: bytes = CONTENT
    ranges: bool = True
    breaks_after: int | None = None
    headers: dict = field(default_factory=lambda: {"ETag": '"1"'})
    shift: int = 0
    asked: list = field(default_factory=list)
    url: str = ""


@pytest.fixture
def site():
    """The `Site` of a server that runs."""
    site = Site()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers["Range"]
            site.asked.append(wanted)
            start, length = 0, len(site.content)
            if self.path != "/file.tgz":
                return self.send_error(404)
            if wanted and site.ranges:
                start = int(wanted.removeprefix("bytes=")[:-1]) + site.shift
                if start >= length:
                    return self.send_error(416)
                self.send_response(206)
                self.send_header(
                    "Content-Range", f"bytes {start}-{length - 1}/{length}"
                )
            else:
                self.send_response(200)
            for name, value in site.headers.items():
                self.send_header(name, value)
            if "Transfer-Encoding" not in site.headers:
                self.send_header("Content-Length", str(length - start))
            self.end_headers()
            self.wfile.write(site.content[start:][: site.breaks_after])

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}/file.tgz"
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "file.tgz"


def files(path):
    """The names in the folder of a path."""
    return sorted(each.name for each in path.parent.iterdir())


def break_off(site, path, after=1500000):
    """Downloads a part."""
    site.breaks_after = after
    with pytest.raises(ConnectionError, match="broke off.*goes on"):
        download(site.url, path)
    site.breaks_after = None
    assert not path.exists()
    partial = path.with_name("file.tgz.partial")
    assert partial.read_bytes() == site.content[:after]


def test_download(site, path):
    assert download(site.url, path, MD5) == path
    assert path.read_bytes() == CONTENT
    assert files(path) == ["file.tgz"]


def test_what_is_there_is_not_downloaded(site, path):
    download(site.url, path, MD5)
    download(site.url, path, MD5)
    assert len(site.asked) == 1


def test_progress_counts_mebibytes(site, path):
    calls = []

    def progress(iterable, total, label):
        items = list(iterable)
        calls.append((len(items), total, label))
        return items

    download(site.url, path, progress=progress)
    assert calls == [(3, 3, "download file.tgz, MiB")]
    assert path.read_bytes() == CONTENT


def test_it_goes_on_where_it_broke_off(site, path):
    break_off(site, path)
    download(site.url, path, MD5)
    assert site.asked == [None, "bytes=1500000-"]
    assert path.read_bytes() == CONTENT
    assert files(path) == ["file.tgz"]


def test_it_breaks_off_more_than_once(site, path):
    break_off(site, path, 1000)
    site.breaks_after = 2000
    with pytest.raises(ConnectionError):
        download(site.url, path)
    site.breaks_after = None
    download(site.url, path, MD5)
    assert site.asked == [None, "bytes=1000-", "bytes=3000-"]
    assert path.read_bytes() == CONTENT


def test_a_server_that_sends_no_parts(site, path):
    break_off(site, path)
    site.ranges = False
    download(site.url, path, MD5)
    assert site.asked == [None, "bytes=1500000-"]
    assert path.read_bytes() == CONTENT


def test_a_server_that_sends_another_part_than_it_was_asked_for(site, path):
    break_off(site, path)
    site.shift = 5
    download(site.url, path, MD5)
    assert site.asked == [None, "bytes=1500000-", None]
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "change",
    [
        {"headers": {"ETag": '"2"'}},
        {"headers": {"Last-Modified": "Tue, 15 Nov 1994 12:45:26 GMT"}},
        {"content": CONTENT[::-1] + b"more"},
        # It ends before what has arrived does.
        {"content": CONTENT[::-1][:1000]},
    ],
)
def test_a_file_that_changed_meanwhile(site, path, change):
    break_off(site, path)
    for name, value in change.items():
        setattr(site, name, value)
    download(site.url, path)
    assert path.read_bytes() == site.content
    assert site.asked == [None, "bytes=1500000-", None]


def test_a_server_that_does_not_tell_the_length(site, path):
    site.headers = {"Transfer-Encoding": "chunked"}
    size = f"{len(CONTENT):x}\r\n".encode()
    site.content = size + CONTENT + b"\r\n0\r\n\r\n"
    # Without a length it cannot be told whether a part fits.
    site.breaks_after = 1500000
    with pytest.raises(ConnectionError, match="broke off"):
        download(site.url, path)
    site.breaks_after = None
    download(site.url, path, MD5)
    assert site.asked == [None, None]
    assert path.read_bytes() == CONTENT


def test_all_had_arrived_before_the_end(site, path, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(downloading, "_check_md5", interrupt)
        with pytest.raises(KeyboardInterrupt):
            download(site.url, path)
    download(site.url, path, MD5)
    assert len(site.asked) == 1
    assert path.read_bytes() == CONTENT


def test_a_wrong_checksum(site, path):
    wrong = "0" * 32
    message = f"file.tgz must have .*{wrong}.*removed. Received: md5={MD5}"
    with pytest.raises(ValueError, match=message):
        download(site.url, path, wrong)
    assert files(path) == []


def test_the_first_checksum_is_kept_and_compared_with(site, path):
    download(site.url, path)
    record = path.with_name("file.tgz.md5")
    assert record.read_text() == f"{MD5}  file.tgz\n"
    path.unlink()
    download(site.url, path)
    path.unlink()
    site.content = CONTENT + b"more"
    with pytest.raises(ValueError, match=f"{MD5}.*remove {record} if"):
        download(site.url, path)
    assert files(path) == ["file.tgz.md5"]


def test_a_refused_connection_is_an_error_of_one_line(path):
    # Nobody listens there.
    with pytest.raises(ConnectionError) as caught:
        download("http://127.0.0.1:9/file.tgz", path)
    message = str(caught.value)
    assert "\n" not in message
    assert f"put it into {path.parent}. " in message
    assert message.endswith("Received: url=http://127.0.0.1:9/file.tgz")


def test_a_server_that_does_not_answer(path, monkeypatch):
    monkeypatch.setattr(downloading, "_SECONDS_TO_ANSWER", 0.2)
    with http.server.HTTPServer(("127.0.0.1", 0), None) as silent:
        url = f"http://127.0.0.1:{silent.server_port}/file.tgz"
        with pytest.raises(ConnectionError, match="timed out"):
            download(url, path)


def test_a_file_that_is_not_published(site, path):
    url = site.url.replace("file", "other")
    with pytest.raises(ConnectionError, match="404.*put it into"):
        download(url, path)
    assert files(path) == []


@pytest.fixture
def small_disk(monkeypatch):
    """A function that sets how many bytes the disk has room for."""
    room = []

    class File(io.FileIO):
        def write(self, data):
            fits = data[: room[0]]
            room[0] -= len(fits)
            super().write(fits)
            if len(fits) < len(data):
                raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(downloading, "open", File, raising=False)
    return lambda size: room.__setitem__(slice(None), [size])


def test_a_full_disk(site, path, small_disk):
    small_disk(1 << 19)
    message = "No space left on device; the next .*goes on.*Received: .*partial"
    with pytest.raises(OSError, match=message) as caught:
        download(site.url, path)
    assert caught.value.errno == errno.ENOSPC
    assert files(path) == ["file.tgz.partial", "file.tgz.partial.json"]
    small_disk(0)
    with pytest.raises(OSError, match=message):
        download(site.url, path)
    small_disk(1 << 30)
    download(site.url, path, MD5)
    assert site.asked[1:] == [f"bytes={1 << 19}-"] * 2
    assert path.read_bytes() == CONTENT


@pytest.fixture
def archive(tmp_path):
    """An archive of b/c, with content that does not compress."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_bytes(CONTENT)
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as file:
        file.add(tmp_path / "b", "b")
    return tmp_path / "a.tgz"


def test_extract(archive, tmp_path):
    assert extract(archive, tmp_path / "out" / "a") == tmp_path / "out" / "a"
    assert (tmp_path / "out" / "a" / "b" / "c").read_bytes() == CONTENT


def test_extract_a_tar_that_is_not_compressed(archive, tmp_path):
    tar = tmp_path / "a.tar"
    tar.write_bytes(gzip.decompress(archive.read_bytes()))
    extract(tar, tmp_path / "out")
    assert (tmp_path / "out" / "b" / "c").read_bytes() == CONTENT


def test_a_folder_that_exists_is_left_alone(archive, tmp_path):
    with pytest.raises(FileExistsError):
        extract(archive, tmp_path / "b")
    assert (tmp_path / "b" / "c").read_bytes() == CONTENT


def _flipped(data, position):
    data = bytearray(data)
    data[position] ^= 255
    return bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"<html>302 Found",
        lambda data: data[:-9],
        lambda data: data[: len(data) // 2],
        lambda data: _flipped(data, 2),
        lambda data: _flipped(data, len(data) // 2),
        # Of the checksum itself.
        lambda data: _flipped(data, -6),
    ],
)
def test_a_damaged_archive(archive, tmp_path, damage):
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(ValueError, match=f"whole.*Received: {archive}"):
        extract(archive, tmp_path / "out")
    assert {each.name for each in tmp_path.iterdir()} == {"a.tgz", "b"}


def test_nothing_is_written_outside_of_the_folder(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        file.addfile(tarfile.TarInfo("../outside"))
    with pytest.raises(ValueError, match="harmless"):
        extract(tmp_path / "a.tar", tmp_path / "out")
    assert {each.name for each in tmp_path.iterdir()} == {"a.tar"}


def test_an_archive_that_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        extract(tmp_path / "a.tgz", tmp_path / "out")
