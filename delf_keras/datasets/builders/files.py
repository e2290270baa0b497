"""The files that a data set is made of: at hand, or downloaded."""

import os
import urllib.error
import urllib.request
from pathlib import Path

import tensorflow_datasets as tfds

_DOWNLOADS_AT_ONCE = 8
_SECONDS_TO_ANSWER = 20


def manual_folder(dl_manager):
    """Returns the `Path` of the manual directory, None if it has no files."""
    try:
        return Path(dl_manager.manual_dir)
    # TFDS' word for a directory that is not there, or empty.
    except AssertionError:
        return None


def find_files(dl_manager, published, builder):
    """Finds published files in the manual directory, or downloads them.

    Args:
        dl_manager: `tfds.download.DownloadManager`.
        published: `Published`.
        builder: `LandmarkBuilder` that asks for them.

    Returns:
        list of `Path`, in the order of the names.

    Raises:
        ConnectionError: if files are missing and cannot be downloaded; it
            says which files to put where.
    """
    manual = manual_folder(dl_manager)
    places = [manual, manual / published.folder] if manual else []
    paths = {
        name: next(
            filter(Path.is_file, (place / name for place in places)), None
        )
        for name in published.names
    }
    missing = [name for name in published.names if paths[name] is None]
    if missing:
        urls = [f"{published.url}/{name}" for name in missing]
        paths |= zip(missing, _download(dl_manager, urls, builder), strict=True)
    return list(paths.values())


def find_contents(dl_manager, published, builder):
    """Finds what published archives hold.

    Args:
        dl_manager: See `find_files`.
        published: See `find_files`.
        builder: See `find_files`.

    Returns:
        list of `Path` of folders: the one that stands for the archives in the
        manual directory, or one for each archive.

    Raises:
        ConnectionError: see `find_files`.
    """
    manual = manual_folder(dl_manager)
    if manual and (manual / published.folder).is_dir():
        return [manual / published.folder]
    archives = find_files(dl_manager, published, builder)
    return [Path(os.fspath(dl_manager.extract(path))) for path in archives]


def _download(dl_manager, urls, builder):
    try:
        _check_network(dl_manager, urls[0])
        downloaded = _download_groups(dl_manager, urls)
        return list(builder.progress(downloaded, len(urls), "download"))
    except (OSError, tfds.download.DownloadError) as error:
        raise ConnectionError(
            f"{builder.name} cannot be downloaded: {error}. "
            f"{builder.MANUAL_DOWNLOAD_INSTRUCTIONS} Received: {urls[0]}"
        ) from error


def _download_groups(dl_manager, urls):
    for start in range(0, len(urls), _DOWNLOADS_AT_ONCE):
        group = urls[start : start + _DOWNLOADS_AT_ONCE]
        for path in dl_manager.download(group):
            yield Path(os.fspath(path))


def _check_network(dl_manager, url):
    """Raises an error at once where TFDS would try again for minutes."""
    known = tfds.download.resource.get_dl_fname(url)
    if any(Path(dl_manager.download_dir).rglob(f"{known}.INFO")):
        return
    request = urllib.request.Request(url, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=_SECONDS_TO_ANSWER).close()
    except urllib.error.HTTPError:
        # There is a server, if one that does not like such questions.
        pass
