"""Versions of a model: which are served, and how one follows another."""

import contextlib
import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from delf_keras.serving import warmup
from delf_keras.serving.contract import version_number
from delf_keras.serving.embedded.errors import RequestError
from delf_keras.serving.servable import GRAPH_FILE, Servable

logger = logging.getLogger(__name__)

# States of TensorFlow Serving's `ModelVersionStatus`.
LOADING = "LOADING"
AVAILABLE = "AVAILABLE"
UNLOADING = "UNLOADING"
END = "END"


@dataclass
class VersionState:
    """How far a version is.

    Attributes:
        state: One of the states above.
        error: Why it could not be loaded, or empty.
    """

    state: str
    error: str = ""


@dataclass
class _Loaded:
    """A version in memory, and how many requests use it."""

    servable: Servable
    uses: int = 0


@dataclass(frozen=True)
class VersionPolicy:
    """Which versions are served.

    Attributes:
        versions: tuple of int. Served if they are there; empty for the newest
            alone.
        labels: dict of a label to the version that it names.
    """

    versions: tuple[int, ...] = ()
    labels: dict[str, int] = field(default_factory=dict)

    def __post_init__(self):
        served = set(self.versions)
        for label, version in self.labels.items():
            if version not in served:
                raise ValueError(
                    "A label names one of the versions that are given to be "
                    f"served, {sorted(served)}. Received: {label}:{version}"
                )

    def wanted(self, present):
        """Returns those of the versions present that shall be served."""
        if self.versions:
            return {v for v in self.versions if v in present}
        return {max(present)} if present else set()


class VersionManager:
    """Loads the versions of a folder, and follows its changes.

    A version is published when it has answered its warm-up requests, and the
    one it takes the place of is unloaded after its last request. One that
    cannot be loaded is tried again when its files have changed: they may be
    copied still.

    Args:
        base: str or `Path`. Folder of the versions.
        policy: `VersionPolicy`.
    """

    def __init__(self, base, policy=None):
        self.base = Path(base)
        self.policy = policy or VersionPolicy()
        self.states = {}
        self._loaded = {}
        # What the files of a version were when it could not be loaded.
        self._failed = {}
        self._changed = threading.Condition()

    def present(self):
        """Returns a dict of the versions in the folder to their folders."""
        if not self.base.is_dir():
            return {}
        return {
            number: folder
            for folder in sorted(self.base.iterdir())
            if (number := version_number(folder.name)) is not None
            and (folder / GRAPH_FILE).is_file()
        }

    def refresh(self):
        """Loads versions that came, then unloads those that are replaced."""
        present = self.present()
        wanted = self.policy.wanted(present)
        for version in sorted(wanted - self._loaded.keys()):
            stamp = _stamp(present[version])
            if self._failed.get(version) != stamp:
                self._load(version, present[version], stamp)
        # One that could not be loaded replaces none.
        if wanted & self._loaded.keys():
            for version in sorted(self._loaded.keys() - wanted):
                self._unload(version)

    def available(self):
        """Returns the versions that are served, sorted."""
        with self._changed:
            return [v for v in sorted(self._loaded) if self._serves(v)]

    @contextlib.contextmanager
    def use(self, version=None, label=None):
        """Keeps a version in memory while a request needs it.

        Args:
            version: int, or None for the newest.
            label: str, or None.

        Yields:
            A pair of the version and its `Servable`.

        Raises:
            RequestError: if it is not served.
        """
        with self._changed:
            number = self._resolve(version, label)
            loaded = self._loaded[number]
            loaded.uses += 1
        try:
            yield number, loaded.servable
        finally:
            with self._changed:
                loaded.uses -= 1
                self._changed.notify_all()

    def _resolve(self, version, label):
        if label is not None:
            if label not in self.policy.labels:
                raise RequestError(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    f"Labels are {sorted(self.policy.labels)}. "
                    f"Received: {label}",
                )
            version = self.policy.labels[label]
        served = [v for v in self._loaded if self._serves(v)]
        if version is None and served:
            return max(served)
        if version not in served:
            raise _not_found(f"Versions served are {sorted(served)}", version)
        return version

    def _serves(self, version):
        return self.states[version].state == AVAILABLE

    def _load(self, version, folder, stamp):
        self.states[version] = VersionState(LOADING)
        try:
            servable = Servable(folder)
            warmup.replay(servable, folder)
        # Whatever is wrong with it, the versions that are served go on.
        except Exception as error:
            logger.error("Version %d is not served: %s", version, error)
            self._failed[version] = stamp
            self.states[version] = VersionState(END, str(error))
            return
        with self._changed:
            self._loaded[version] = _Loaded(servable)
            self.states[version] = VersionState(AVAILABLE)
        logger.info("Version %d is served.", version)

    def _unload(self, version):
        with self._changed:
            self.states[version] = VersionState(UNLOADING)
            self._changed.wait_for(lambda: not self._loaded[version].uses)
            del self._loaded[version]
            self.states[version] = VersionState(END)
        logger.info("Version %d is unloaded.", version)


def _stamp(folder):
    """Returns what changes while files are copied into a folder."""
    files = []
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            files.append((str(path), status.st_size, status.st_mtime_ns))
    return files


def _not_found(expected, received):
    return RequestError(
        grpc.StatusCode.NOT_FOUND, f"{expected}. Received: {received}"
    )
