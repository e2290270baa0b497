"""Adding, replacing and removing photographs of an index folder."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from delf_keras.features.decoding import ImageError
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.extractor import Extractor
from delf_keras.features.photographs import find_photographs
from delf_keras.retrieval.index_writer import change_index
from delf_keras.retrieval.manifest import (
    PRESET_FOLDER,
    digest_of,
    read_manifest,
)
from delf_keras.retrieval.roots import find_root, is_url, name_in

logger = logging.getLogger(__name__)

# Photographs that are published together: an interruption loses no more.
_SHARD = 1000


@dataclass(frozen=True, eq=False)
class ChangeReport:
    """What became of the photographs of a change.

    Attributes:
        version: int. The version of the index after it.
        added: list of str, names that were added.
        removed: list of str, names that were removed or replaced.
        known: dict of name to the name under which the same bytes are in the
            index already.
        skipped: dict of name to the reason why it was not added.
    """

    version: int
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def add_photographs(
    folder,
    photographs,
    extractor=None,
    *,
    root=None,
    replace=False,
    batch_size=1,
    progress=lambda iterable, total, label: iterable,
):
    """Adds photographs to an index folder.

    Photographs of which the index has the same bytes are not added again.
    Every thousand photographs are a version of the index: when the same call
    is made after an interruption, it goes on from there.

    Args:
        folder: str or `Path` of the index.
        photographs: A folder of photographs, with its subfolders, or a list
            of paths.
        extractor: `Extractor` or `Client` of the descriptor space of the
            index. Defaults to the index's own.
        root: str or `Path` of the folder that names are relative to, which
            the index keeps. Defaults to where it is; see `ImageIndex.load`.
        replace: bool. Whether a photograph takes the place of one that has
            the same name and other bytes; otherwise it is skipped.
        batch_size: int. Photographs of one size that run together.
        progress: Wraps an iterable, its length and a label, for a progress
            bar.

    Returns:
        `ChangeReport`.

    Raises:
        FileNotFoundError: if there is no index, or a photograph or the root
            is missing.
        IndexLocked: if another process changes it.
        ValueError: if the extractor is of another descriptor space, or the
            root is not a folder of this machine.
        OSError: if the disk is full. The index is as it was, or has a part
            of the photographs.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    extractor = extractor or _own_extractor(folder, manifest)
    _check_extractor(extractor, manifest)
    present_root = _root(folder, manifest, root)
    paths = _paths(photographs)
    with change_index(folder) as writer:
        writer.set_root(present_root)
        if root is not None and writer.manifest.roots != manifest.roots:
            writer.publish()
        addition = _Addition(writer, present_root, replace)
        wanted = [path for path in paths if addition.wants(path)]
        results = extractor.extract_each(wanted, batch_size)
        for path, result in progress(results, len(wanted), "extract"):
            if isinstance(result, ImageError):
                logger.warning("Skipped: %s", result)
            addition.take(path, result)
        addition.publish()
        return addition.report()


class _Addition:
    """Photographs on their way into an index."""

    def __init__(self, writer, root, replace):
        self._writer = writer
        self._root = root
        self._replace = replace
        self._catalog = _Catalog(writer)
        self._digests = {}
        self._shard = []
        self._added = []
        self._removed = []
        self._known = {}
        self._skipped = {}

    def wants(self, path):
        """Whether a photograph is to be extracted."""
        name = self._name(path)
        digest = bytes.fromhex(digest_of(path))
        self._digests[name] = digest
        present = self._catalog.names.get(digest)
        if present is not None:
            self._known[name] = present
        elif name in self._catalog.numbers and not self._replace:
            self._skipped[name] = (
                f"{name} is in the index with other content: replace it"
            )
        else:
            return True
        return False

    def take(self, path, result):
        """Takes the features of a photograph, or why it has none."""
        name = self._name(path)
        if isinstance(result, ImageError):
            self._skipped[name] = str(result)
            return
        self._shard.append((name, result))
        if len(self._shard) == _SHARD:
            self.publish()

    def publish(self):
        """Makes a version of the index of what was taken."""
        if not self._shard:
            return
        names = [name for name, _ in self._shard]
        replaced = [name for name in names if name in self._catalog.numbers]
        self._writer.remove(self._catalog.numbers[name] for name in replaced)
        self._writer.add(self._shard, [self._digests[name] for name in names])
        self._writer.merge_alike()
        self._writer.publish()
        self._removed += replaced
        self._added += names
        self._shard = []

    def report(self):
        return ChangeReport(
            self._writer.manifest.version,
            self._added,
            self._removed,
            self._known,
            self._skipped,
        )

    def _name(self, path):
        return name_in(self._root, path)


def remove_photographs(folder, names):
    """Removes photographs from an index folder.

    Their codes are still there, and no longer found, until the index is
    compacted or its segments are merged.

    Args:
        folder: str or `Path` of the index.
        names: Iterable of str, as the index names them.

    Returns:
        `ChangeReport`.

    Raises:
        FileNotFoundError: if there is no index.
        IndexLocked: if another process changes it.
        ValueError: if a name is not in the index, or none would be left;
            nothing is removed then.
    """
    names = [*dict.fromkeys(names)]
    with change_index(folder) as writer:
        catalog = _Catalog(writer)
        unknown = [name for name in names if name not in catalog.numbers]
        if unknown:
            raise ValueError(
                "Photographs of the index are removed by name. Received: "
                f"{', '.join(unknown[:5])}{', ...' * (len(unknown) > 5)}"
            )
        if names:
            writer.remove(catalog.numbers[name] for name in names)
            writer.publish()
        return ChangeReport(writer.manifest.version, removed=names)


def compact_index(folder):
    """Brings an index folder to one segment, without what was removed.

    Args:
        folder: str or `Path` of the index.

    Returns:
        `ChangeReport`.

    Raises:
        FileNotFoundError: if there is no index.
        IndexLocked: if another process changes it.
        OSError: if the disk is full. The index is as it was.
    """
    with change_index(folder) as writer:
        if len(writer.stores) > 1 or writer.removed:
            writer.merge_all()
            writer.publish()
        return ChangeReport(writer.manifest.version)


class _Catalog:
    """The photographs of an index.

    Attributes:
        numbers: dict of name to number.
        names: dict of the SHA-256 of a file to its name.
    """

    def __init__(self, writer):
        self.numbers = {}
        self.names = {}
        for store in writer.stores:
            for image, number in enumerate(store.numbers.tolist()):
                if number not in writer.removed:
                    name = store.names[image]
                    self.numbers[name] = number
                    self.names[store.digests[image].tobytes()] = name


def _own_extractor(folder, manifest):
    if manifest.server is not None:
        raise ValueError(
            "The index was built through a server or a module: pass what "
            f"extracts. Received: an index from {manifest.server}"
        )
    return Extractor.from_preset(folder / PRESET_FOLDER, **manifest.extraction)


def _check_extractor(extractor, manifest):
    if extractor.fingerprint != manifest.fingerprint:
        raise ValueError(
            "Photographs are added in the descriptor space of the index, "
            f"{manifest.fingerprint}. Received: {extractor.fingerprint}"
        )
    options = ExtractionOptions(**manifest.extraction)
    if extractor.options != options:
        raise ValueError(
            f"Photographs are added as those of the index, with {options}. "
            f"Received: {extractor.options}"
        )


def _root(folder, manifest, root):
    """Returns the `Path` that names are relative to."""
    if root is not None and not Path(root).is_dir():
        raise FileNotFoundError(f"A folder is expected. Received: root={root}")
    root = root or find_root(folder, manifest.roots)
    if is_url(root):
        raise ValueError(
            "Photographs are added by their paths on this machine: say, by "
            "root or --root, where the folder that was indexed is there. "
            f"Received: an index of {root}"
        )
    return Path(root).absolute()


def _paths(photographs):
    if isinstance(photographs, (str, Path)) and Path(photographs).is_dir():
        folder = Path(photographs).absolute()
        return [folder / name for name in find_photographs(folder)]
    if isinstance(photographs, (str, Path)):
        photographs = [photographs]
    paths = dict.fromkeys(Path(path).absolute() for path in photographs)
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(
                f"A photograph is expected. Received: {path}"
            )
    return [*paths]
