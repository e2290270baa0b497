"""Downloads that go on where they were interrupted, and archives."""

import gzip
import hashlib
import http.client
import json
import math
import os
import re
import tarfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path

from delf_keras.atomic import durable_path

_BLOCK = 1 << 20

# A host may have two addresses, each of which is waited for.
_SECONDS_TO_ANSWER = 9


def download(
    url, path, md5=None, progress=lambda iterable, total, label: iterable
):
    """Downloads a file, or the rest of it.

    What has arrived is kept in `PATH.partial` until all of it has. Where no
    checksum is known, that of the first download is kept in `PATH.md5` and
    later downloads are compared with it.

    Args:
        url: str.
        path: str or `Path` of the file. One that exists is left as it is.
        md5: str. Hexadecimal checksum of the file, None if it is not known.
        progress: Wraps an iterable, its length and a label, for a progress
            bar. It counts MiB, and is told None where the server does not
            tell the length.

    Returns:
        `Path` of the file.

    Raises:
        ConnectionError: if the server cannot be reached, has no such file or
            breaks off. The next call goes on with what has arrived.
        OSError: if the file cannot be written. The same holds.
        ValueError: if the file has another checksum; it is removed.
    """
    path = Path(path)
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    if not _is_complete(partial):
        _download_rest(url, path, partial, progress)
    _check_md5(path, partial, md5)
    os.replace(partial, path)
    _version_path(partial).unlink()
    return path


def md5_path(path):
    """Returns the `Path` at which `download` keeps the checksum of a file."""
    return path.with_name(f"{path.name}.md5")


def extract(archive, folder):
    """Extracts an archive into a folder, which appears when all is there.

    Args:
        archive: str or `Path` of a tar file, compressed or not. It may come
            from anybody: nothing is written outside of the folder.
        folder: str or `Path`. It must not exist.

    Returns:
        `Path` of the folder.

    Raises:
        FileExistsError: if the folder exists.
        FileNotFoundError: if there is no such archive.
        ValueError: if it is no archive, or a damaged one.
    """
    with durable_path(folder) as temporary:
        temporary.mkdir()
        try:
            with tarfile.open(archive) as file:
                file.extractall(temporary, filter="data")
                # The checksum comes after all that tar reads.
                while file.fileobj.read(_BLOCK):
                    pass
        except (
            tarfile.TarError,
            gzip.BadGzipFile,
            zlib.error,
            EOFError,
        ) as error:
            raise ValueError(
                "A tar archive is expected, whole and harmless. "
                f"Received: {archive} ({error})"
            ) from error
    return Path(folder)


def _download_rest(url, path, partial, progress):
    response, offset, version = _open_rest(url, path, partial)
    rest = None if version["length"] is None else version["length"] - offset
    total = None if rest is None else math.ceil(rest / _BLOCK)
    blocks = _blocks(response, rest, path, url)
    try:
        with response, open(partial, "ab" if offset else "wb") as file:
            if not offset:
                _version_path(partial).write_text(json.dumps(version))
            for block in progress(blocks, total, f"download {path.name}, MiB"):
                file.write(block)
    except ConnectionError:
        raise
    except OSError as error:
        raise OSError(
            error.errno,
            f"{error.strerror}; the next download of {path.name} goes on from "
            f"what has arrived. Received: {partial}",
        ) from error


def _open_rest(url, path, partial):
    """Asks for what is missing, or for all if it does not fit what is there.

    Returns:
        Response, offset of its first byte, and version of the file.
    """
    offset, kept = _kept(partial)
    if offset:
        response = _open(url, path, offset)
        if response is not None and response.status == 206:
            version = _version(response, offset)
            if version == kept:
                return response, offset, version
            response.close()
        elif response is not None:
            return response, 0, _version(response)
    response = _open(url, path)
    return response, 0, _version(response)


def _open(url, path, offset=0):
    """Returns the response, None if the file ends before the offset."""
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    request = urllib.request.Request(url, headers=headers)
    try:
        return urllib.request.urlopen(request, timeout=_SECONDS_TO_ANSWER)
    except (OSError, http.client.HTTPException) as error:
        if offset and getattr(error, "code", None) == 416:
            error.close()
            return None
        reason = error
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        elif isinstance(error, urllib.error.URLError):
            reason = error.reason
        raise ConnectionError(
            f"{path.name} cannot be downloaded: {reason}. Download it by other "
            f"means and put it into {path.parent}. Received: url={url}"
        ) from error


def _blocks(response, rest, path, url):
    arrived = 0
    reason = "the server ended it early"
    try:
        while block := response.read(_BLOCK):
            arrived += len(block)
            yield block
    except (OSError, http.client.HTTPException) as error:
        reason, rest = error, arrived + 1
    if rest is not None and arrived < rest:
        raise ConnectionError(
            f"The download of {path.name} broke off: {reason}. The next one "
            f"goes on from what has arrived. Received: url={url}"
        )


def _version(response, offset=0):
    """What tells one version of a file from another.

    Returns:
        dict, or None if the response does not start at the offset.
    """
    length = response.headers["Content-Length"]
    if response.status == 206:
        found = re.fullmatch(
            r"bytes (\d+)-\d+/(\d+)", response.headers["Content-Range"] or ""
        )
        if not found or int(found[1]) != offset:
            return None
        length = found[2]
    return {
        "etag": response.headers["ETag"],
        "last_modified": response.headers["Last-Modified"],
        "length": None if length is None else int(length),
    }


def _version_path(partial):
    return partial.with_name(f"{partial.name}.json")


def _kept(partial):
    """Returns how many bytes have arrived, and of which version."""
    try:
        version = json.loads(_version_path(partial).read_text())
        size = partial.stat().st_size
    except (FileNotFoundError, ValueError):
        return 0, None
    return (size, version) if version["length"] is not None else (0, None)


def _is_complete(partial):
    size, version = _kept(partial)
    return version is not None and size == version["length"]


def _check_md5(path, partial, md5):
    record = md5_path(path)
    if md5 is None and record.is_file():
        md5 = record.read_text().partition(" ")[0]
    with partial.open("rb") as file:
        found = hashlib.file_digest(
            file, lambda: hashlib.md5(usedforsecurity=False)
        ).hexdigest()
    if md5 is None:
        # As md5sum writes it, and checks it.
        record.write_text(f"{found}  {path.name}\n")
    elif found != md5:
        partial.unlink()
        _version_path(partial).unlink()
        anew = f"; remove {record} if it is new" if record.is_file() else ""
        raise ValueError(
            f"{path.name} must have the MD5 checksum {md5}. What was "
            f"downloaded is removed{anew}. Received: md5={found}"
        )
