"""Opening, copying, creating and checking index folders."""

import shutil
from dataclasses import asdict
from pathlib import Path

from delf_keras.atomic import atomic_path
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.retrieval.asmk import AsmkOptions
from delf_keras.retrieval.database import Database
from delf_keras.retrieval.learned import Learned
from delf_keras.retrieval.manifest import (
    LEARNED_FOLDER,
    MANIFEST_FILE,
    PRESET_FOLDER,
    SEGMENTS_FOLDER,
    Manifest,
    check_digests,
    check_sizes,
    describe_files,
    read_manifest,
)
from delf_keras.retrieval.old_formats import open_old_index
from delf_keras.retrieval.segment import Segment

# A writer may remove files between the reading of a manifest and of them.
_ATTEMPTS = 5


def create_index(
    folder, source, fingerprint, root, extraction, learned, augmentation=0
):
    """Makes an index folder without photographs.

    Args:
        folder: `Path` of a folder that does not exist yet.
        source: `Extractor`, `Client`, the `Path` of a preset folder or the
            address of a server.
        fingerprint: The descriptor space.
        root: `Path` that names are relative to.
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
        root=str(root),
        extraction=asdict(extraction),
        factory=learned.descriptor_index.factory,
        asmk=asdict(learned.asmk_options),
        augmentation=augmentation,
        server=server,
        files=describe_files(folder, [LEARNED_FOLDER, PRESET_FOLDER]),
    )


def open_index(cls, folder):
    """Opens an `ImageIndex`; see `ImageIndex.load`."""
    for attempt in range(1, _ATTEMPTS + 1):
        manifest = read_manifest(folder)
        if not isinstance(manifest, Manifest):
            return open_old_index(cls, folder, manifest)
        try:
            learned, segments = open_files(folder, manifest)
            return cls(
                folder=folder,
                extractor_source=manifest.server or folder / PRESET_FOLDER,
                fingerprint=manifest.fingerprint,
                root=Path(manifest.root),
                extraction=ExtractionOptions(**manifest.extraction),
                database=Database(
                    learned, segments, manifest.removed, manifest.augmentation
                ),
            )
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            IndexError,
            OSError,
        ) as error:
            changed = read_manifest(folder) != manifest
            if not changed or attempt == _ATTEMPTS:
                raise ValueError(
                    "The index is damaged: build it again. "
                    f"Received: {folder} ({error})"
                ) from error


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
    """
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
    learned = Learned.load(
        folder / LEARNED_FOLDER, manifest.factory, AsmkOptions(**manifest.asmk)
    )
    segments = [
        Segment.load(folder / SEGMENTS_FOLDER / name, learned)
        for name in manifest.segments
    ]
    return learned, segments


def copy_index(source, target):
    """Copies the present version of an index folder; see `ImageIndex.save`."""
    if target.exists():
        raise FileExistsError(
            f"The index folder exists already. Received: folder={target}"
        )
    manifest = read_manifest(source)
    files = [MANIFEST_FILE, *manifest.files]
    with atomic_path(target) as temporary:
        (temporary / SEGMENTS_FOLDER).mkdir(parents=True)
        for name in files:
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, temporary / name)


def verify_index(folder):
    """Checks every file of an index folder against its checksum.

    Args:
        folder: str or `Path`.

    Returns:
        dict of the path of each damaged file to what is wrong with it.

    Raises:
        FileNotFoundError: if there is no index.
        ValueError: if its manifest is damaged, or of another format.
    """
    folder = Path(folder)
    manifest = current_manifest(folder)
    problems = {}
    for name, described in manifest.files.items():
        try:
            check_sizes(folder, {name: described})
            check_digests(folder, {name: described})
        except (ValueError, OSError) as error:
            problems[name] = str(error)
    return problems


def index_info(folder):
    """Tells what an index folder holds.

    Args:
        folder: str or `Path`.

    Returns:
        dict of str to str or number.
    """
    folder = Path(folder)
    manifest = current_manifest(folder)
    learned, segments = open_files(folder, manifest)
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
        "root": manifest.root,
        "extractor": manifest.server or str(folder / PRESET_FOLDER),
    }


def current_manifest(folder):
    """Reads a manifest, which must be of the present format."""
    manifest = read_manifest(folder)
    if isinstance(manifest, Manifest):
        return manifest
    raise ValueError(
        "An index of an older format is read only: copy it with "
        "`delf-keras index-compact --index=OLD --output=NEW`. "
        f"Received: {folder}, format {manifest['format_version']}"
    )


def remove_unused(folder, manifest):
    """Removes files that writers which were interrupted have left."""
    for segment in (folder / SEGMENTS_FOLDER).iterdir():
        if segment.name not in manifest.segments:
            shutil.rmtree(segment, ignore_errors=True)
    for path in folder.glob(".writing-*"):
        shutil.rmtree(path, ignore_errors=True)
