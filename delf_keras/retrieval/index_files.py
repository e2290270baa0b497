"""Opening, copying, creating and checking index folders."""

import contextlib
import errno
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from delf_keras.atomic import (
    durable_path,
    remove_leftovers,
    remove_unclaimed,
)
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.folder_locks import share
from delf_keras.retrieval.asmk import AsmkOptions
from delf_keras.retrieval.database import Database
from delf_keras.retrieval.learned import Learned
from delf_keras.retrieval.manifest import (
    LEARNED_FOLDER,
    PRESET_FOLDER,
    SEGMENTS_FOLDER,
    Manifest,
    check_digests,
    check_sizes,
    describe_files,
    is_segment_name,
    read_manifest,
)
from delf_keras.retrieval.roots import describe_root, find_root
from delf_keras.retrieval.segment import Segment
from delf_keras.system_errors import is_of_system


def create_index(
    folder, source, fingerprint, roots, extraction, learned, augmentation=0
):
    """Makes an index folder without photographs.

    Args:
        folder: `Path` of a folder that does not exist yet.
        source: `Extractor`, `Client`, the `Path` of a preset folder or the
            address of a server.
        fingerprint: The descriptor space.
        roots: What `describe_root` returned.
        extraction: `ExtractionOptions`.
        learned: `Learned`.
        augmentation: int. See `GlobalDescriptors.augmented`.

    Returns:
        `Manifest`, not published yet.
    """
    folder.mkdir(parents=True)
    (folder / SEGMENTS_FOLDER).mkdir()
    (folder / LEARNED_FOLDER).mkdir()
    learned.save(folder / LEARNED_FOLDER)
    server = None
    if isinstance(source, Path):
        shutil.copytree(source, folder / PRESET_FOLDER)
    elif hasattr(source, "save_to_preset"):
        source.save_to_preset(folder / PRESET_FOLDER)
    else:
        server = getattr(source, "address", source)
    return Manifest(
        version=0,
        fingerprint=fingerprint,
        roots=roots,
        extraction=asdict(extraction),
        factory=learned.descriptor_index.factory,
        asmk=asdict(learned.asmk_options),
        augmentation=augmentation,
        server=server,
        files=describe_files(folder, [LEARNED_FOLDER, PRESET_FOLDER]),
    )


@dataclass(frozen=True, eq=False)
class Version:
    """A version of an index folder, whose files stay while this object does.

    Attributes:
        folder: `Path`.
        manifest: `Manifest`.
    """

    folder: Path
    manifest: Manifest
    _locks: list


def hold_version(folder):
    """Keeps the present version of an index from being removed.

    Args:
        folder: `Path`.

    Returns:
        `Version`.

    Raises:
        FileNotFoundError: if there is no index.
        ValueError: if its manifest is damaged, or of another format.
    """
    while True:
        manifest = read_manifest(folder)
        locks = []
        # What is missing is told by those who open it.
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            for name in manifest.segments:
                locks.append(share(folder / SEGMENTS_FOLDER / name))
        # A later writer meets the locks; one that came before is seen here.
        if read_manifest(folder) == manifest:
            return Version(folder, manifest, locks)


def open_version(folder):
    """Opens the present version of an index.

    Args:
        folder: `Path`.

    Returns:
        A tuple of its `Version`, `Learned` and list of `Segment`.

    Raises:
        See `hold_version`; and ValueError if a file is damaged, OSError if
        the system fails.
    """
    while True:
        version = hold_version(folder)
        try:
            return version, *open_files(folder, version.manifest)
        except (OSError, ValueError):
            # Not all file systems have locks.
            if read_manifest(folder) == version.manifest:
                raise


def open_index(cls, folder, root=None):
    """Opens an `ImageIndex`; see `ImageIndex.load`."""
    version, learned, segments = open_version(folder)
    manifest = version.manifest
    return cls(
        version=version,
        extractor_source=manifest.server or folder / PRESET_FOLDER,
        root=root or find_root(folder, manifest.roots),
        extraction=ExtractionOptions(**manifest.extraction),
        database=Database(
            learned, segments, manifest.removed, manifest.augmentation
        ),
    )


def open_files(folder, manifest):
    """Opens what the manifest of an index names.

    Args:
        folder: `Path`.
        manifest: `Manifest`.

    Returns:
        A pair of `Learned` and a list of `Segment`.

    Raises:
        ValueError: if a file is missing or damaged. Of files that are mapped
            only the size is checked.
        OSError: if a file cannot be opened.
    """
    try:
        return _open_files(folder, manifest)
    # numpy and faiss have a dozen exceptions for a damaged file.
    except Exception as error:
        if is_of_system(error) and not isinstance(error, FileNotFoundError):
            raise
        raise ValueError(
            f"The index is damaged: build it again. Received: {folder} "
            f"({error})"
        ) from error


def _open_files(folder, manifest):
    check_sizes(folder, manifest.files)
    # faiss trusts what it reads.
    check_digests(
        folder,
        {
            name: described
            for name, described in manifest.files.items()
            if name.endswith(".faiss")
        },
    )
    ExtractionOptions(**manifest.extraction)
    learned = Learned.load(
        folder / LEARNED_FOLDER, manifest.factory, AsmkOptions(**manifest.asmk)
    )
    segments = [
        Segment.load(folder / SEGMENTS_FOLDER / name, learned)
        for name in manifest.segments
    ]
    return learned, segments


@contextlib.contextmanager
def copied_index(version, root, target):
    """Copies a version of an index folder.

    Args:
        version: `Version`.
        root: What `find_root` returned.
        target: `Path` of a folder that does not exist yet.

    Yields:
        `Path` of the copy, which may still be changed: it is at `target` when
        the block has ended.

    Raises:
        FileExistsError: if the target exists.
    """
    if target.exists():
        raise FileExistsError(
            f"The index folder exists already. Received: folder={target}"
        )
    with durable_path(target) as temporary:
        (temporary / SEGMENTS_FOLDER).mkdir(parents=True)
        for name in version.manifest.files:
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(version.folder / name, temporary / name)
        roots = describe_root(root, target)
        replace(version.manifest, roots=roots).write(temporary)
        yield temporary


def verify_index(folder):
    """Checks every file of an index folder against its checksum.

    Args:
        folder: str or `Path`.

    Returns:
        dict of the path of each file that is damaged, or that the disk cannot
        read, to what is wrong with it.

    Raises:
        OSError: if the system fails, or does not let the files be read.
        FileNotFoundError: if there is no index.
        ValueError: if its manifest is damaged, or of another format.
    """
    folder = Path(folder)
    # Versions that are published meanwhile share most files.
    whole, problems = set(), {}
    while True:
        version = hold_version(folder)
        for name, described in version.manifest.files.items():
            if (name, *described) in whole:
                continue
            try:
                check_sizes(folder, {name: described})
                check_digests(folder, {name: described})
                whole.add((name, *described))
            except ValueError as error:
                problems[name] = str(error)
            except OSError as error:
                # One that is gone may be that of an older version.
                if error.errno not in (errno.EIO, errno.ENOENT):
                    raise
                problems[name] = str(error)
        if not problems or read_manifest(folder) == version.manifest:
            return problems
        problems.clear()


def index_info(folder):
    """Tells what an index folder holds.

    Args:
        folder: str or `Path`.

    Returns:
        dict of str to str or number.
    """
    folder = Path(folder)
    version, learned, segments = open_version(folder)
    manifest = version.manifest
    database = Database(learned, segments, manifest.removed)
    size = sum(size for size, _ in manifest.files.values())
    return {
        "version": manifest.version,
        "photographs": len(database),
        "removed": len(manifest.removed),
        "segments": len(segments),
        "descriptors": database.num_descriptors,
        "dimension": database.dimension,
        "faiss index": database.factory,
        "probes": database.probes,
        "visual words": len(learned.words),
        "bytes": size,
        "bytes per descriptor": round(size / database.num_descriptors, 1)
        if database.num_descriptors
        else 0,
        "descriptors kept as": str(segments[0].store.descriptors.dtype),
        "descriptor space": manifest.fingerprint,
        "root": str(find_root(folder, manifest.roots)),
        "extractor": manifest.server or str(folder / PRESET_FOLDER),
    }


def remove_unused(folder, manifest):
    """Removes segments that no version needs and nobody has open.

    And what writers that were interrupted have left. Nothing else in the
    folder is touched.
    """
    for segment in (folder / SEGMENTS_FOLDER).iterdir():
        if (
            is_segment_name(segment.name)
            and segment.name not in manifest.segments
        ):
            remove_unclaimed(segment)
    remove_leftovers(folder)
