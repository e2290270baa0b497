"""TF-Hub handles, and the folders they stand for."""

import hashlib
import os
from pathlib import Path

_CACHE = "TFHUB_CACHE_DIR"


def find_module(handle):
    """Finds the folder of a TF-Hub module, and downloads it if need be.

    Args:
        handle: str. A local path, or the URL of a module.

    Returns:
        str. The path itself, or that of the module's local copy.

    Raises:
        FileNotFoundError: if a module is neither here nor can be downloaded.
        ImportError: if tensorflow_hub is needed and missing.
    """
    if not handle.startswith(("http://", "https://")):
        return handle
    copy = Path(os.environ.get(_CACHE, "")) / _folder_name(handle)
    if os.environ.get(_CACHE) and copy.is_dir():
        return str(copy)
    hub = import_hub()
    try:
        return hub.resolve(handle)
    # What fails in a download depends on the resolver.
    except Exception as error:
        raise FileNotFoundError(
            "The module could not be downloaded: give a local folder of it, or "
            f"put one at ${_CACHE}/{_folder_name(handle)}. "
            f"Received: {handle} ({_first_line(error)})"
        ) from error


def import_hub():
    """Imports tensorflow_hub, which is an extra.

    Raises:
        ImportError: if it, or what it needs, is missing.
    """
    try:
        import tensorflow_hub
    except ModuleNotFoundError as error:
        remedy = (
            'it needs an older setuptools: pip install "setuptools<81"'
            if error.name == "pkg_resources"
            else 'pip install "delf-keras[hub]"'
        )
        raise ImportError(
            f"tensorflow_hub cannot be imported: {remedy}. Received: {error}"
        ) from error
    return tensorflow_hub


def _folder_name(handle):
    return hashlib.sha1(handle.encode()).hexdigest()


def _first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0]
