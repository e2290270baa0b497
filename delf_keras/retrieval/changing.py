"""Adding, replacing and removing photographs of an index folder."""

import logging
import os
from pathlib import Path

from delf_keras.features.decoding import ImageError
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.extractor import Extractor
from delf_keras.features.feature_cache import extract_files
from delf_keras.features.photographs import find_photographs
from delf_keras.photograph_files import name_of_text
from delf_keras.retrieval.addition import Addition, Catalog, ChangeReport
from delf_keras.retrieval.index_files import copied_index, hold_version
from delf_keras.retrieval.index_writer import change_index
from delf_keras.retrieval.manifest import (
    PRESET_FOLDER,
    read_manifest,
)
from delf_keras.retrieval.roots import find_root, is_url, name_in

logger = logging.getLogger(__name__)


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

    Photographs of which the index has the same bytes are not added again,
    but for one that was renamed: it takes its new name. Every thousand
    photographs are a version of the index: when the same call is made after
    an interruption, it goes on from there.

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
    # By their names: there may be two ways to one photograph.
    named = {name_in(present_root, each): each for each in _paths(photographs)}
    with change_index(folder) as writer:
        writer.set_root(present_root)
        if root is not None and writer.manifest.roots != manifest.roots:
            writer.publish()
        addition = Addition(writer, present_root, replace)
        wanted = addition.choose(named, progress)
        results = extract_files(
            extractor, [named[name] for name in wanted], batch_size
        )
        results = progress(results, len(wanted), "extract")
        for name, (digest, result) in zip(wanted, results, strict=True):
            if isinstance(result, ImageError):
                logger.warning("Skipped: %s", result)
            addition.take(name, digest, result)
        addition.publish()
        return addition.report()


def remove_photographs(folder, names, *, root=None):
    """Removes photographs from an index folder.

    Their codes are still there, and no longer found, until segments are
    merged: by themselves where more than a fourth of them is removed.

    Args:
        folder: str or `Path` of the index.
        names: Iterable of str, as the index names them, or paths of the
            photographs, as a search gives them.
        root: str or `Path` of the folder that paths lead to. Defaults to
            where it is; see `ImageIndex.load`.

    Returns:
        `ChangeReport`.

    Raises:
        FileNotFoundError: if there is no index.
        IndexLocked: if another process changes it.
        ValueError: if a name is not in the index, or none would be left;
            nothing is removed then.
    """
    with change_index(folder) as writer:
        catalog = Catalog(writer)
        names = _names_of(
            names,
            catalog.numbers,
            lambda: root or find_root(folder, writer.manifest.roots),
        )
        unknown = [name for name in names if name not in catalog.numbers]
        if unknown:
            raise ValueError(
                "Names or paths of photographs of the index are expected. "
                "Received: "
                f"{', '.join(unknown[:5])}{', ...' * (len(unknown) > 5)}"
            )
        if names:
            writer.remove(catalog.numbers[name] for name in names)
            writer.merge_alike()
            writer.publish()
        return ChangeReport(writer.manifest.version, removed=names)


def compact_index(folder, output=None):
    """Brings an index folder to one segment, without what was removed.

    Args:
        folder: str or `Path` of the index.
        output: str or `Path`. A folder to write, which does not exist yet, in
            place of changing the index.

    Returns:
        `ChangeReport`.

    Raises:
        FileExistsError: if the output exists.
        FileNotFoundError: if there is no index.
        IndexLocked: if another process changes it.
        OSError: if the disk is full. The index is as it was.
    """
    folder = Path(folder)
    if output is not None:
        version = hold_version(folder)
        root = find_root(folder, version.manifest.roots)
        with copied_index(version, root, Path(output)) as copy:
            return compact_index(copy)
    with change_index(folder) as writer:
        if len(writer.stores) > 1 or writer.removed:
            writer.merge_all()
            writer.publish()
        return ChangeReport(writer.manifest.version)


def _names_of(names, known, find_root):
    """Returns each name once, also of what is a path or a URL."""
    names = dict.fromkeys(map(str, names))
    if all(name in known for name in names):
        return [*names]
    root = find_root()
    return [*dict.fromkeys(_name_of(name, known, root) for name in names)]


def _name_of(name, known, root):
    # A search prints bytes that are no UTF-8 as escapes.
    for each in (name, name_of_text(name)):
        if is_url(root):
            found = each.removeprefix(f"{root.rstrip('/')}/")
        else:
            found = name_in(root, each)
        for candidate in (each, found):
            if candidate in known:
                return candidate
    return name


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
    # One photograph has one path: a/../b.jpg is b.jpg.
    paths = dict.fromkeys(Path(os.path.abspath(path)) for path in photographs)
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(
                f"A photograph is expected. Received: {path}"
            )
    return [*paths]
