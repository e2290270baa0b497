"""An index as a folder."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from delf_keras.atomic import atomic_path
from delf_keras.features.extractor import Extractor
from delf_keras.features.graph import ExtractionOptions
from delf_keras.retrieval.asmk import AsmkIndex, AsmkOptions
from delf_keras.retrieval.descriptor_index import DescriptorIndex
from delf_keras.retrieval.global_descriptors import GlobalDescriptors
from delf_keras.retrieval.image_store import ImageStore

FORMAT_VERSION = 2
MANIFEST_FILE = "manifest.json"
FAISS_FILE = "index.faiss"
ASMK_FOLDER = "asmk"
GLOBAL_FOLDER = "global"
BACKGROUND_FILE = "background.npy"
PRESET_FOLDER = "preset"


def save_index(index, folder):
    """Writes an `ImageIndex`; see `ImageIndex.save`."""
    if folder.exists():
        raise FileExistsError(
            f"The index folder exists already. Received: folder={folder}"
        )
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        index.store.save(temporary)
        index.descriptor_index.save(temporary / FAISS_FILE)
        index.asmk.save(temporary / ASMK_FOLDER)
        if index.global_descriptors is not None:
            index.global_descriptors.save(temporary / GLOBAL_FOLDER)
        np.save(temporary / BACKGROUND_FILE, index.background)
        server = _server(index.extractor_source)
        if server is None:
            index.extractor.save_to_preset(temporary / PRESET_FOLDER)
        manifest = {
            "format_version": FORMAT_VERSION,
            "fingerprint": index.fingerprint,
            "root": str(index.root),
            "factory": index.descriptor_index.factory,
            "num_images": len(index),
            "num_descriptors": len(index.descriptor_index),
            "extraction": asdict(index.extraction),
            "asmk": asdict(index.asmk.options),
            "server": server,
            "file_sizes": {
                file.relative_to(temporary).as_posix(): file.stat().st_size
                for file in sorted(temporary.rglob("*"))
                if file.is_file()
            },
        }
        (temporary / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2))


def load_index(cls, folder):
    """Opens an `ImageIndex`; see `ImageIndex.load`."""
    manifest = _read_manifest(folder)
    try:
        _check_files(folder, manifest["file_sizes"])
        index = cls(
            extractor_source=manifest.get("server") or folder / PRESET_FOLDER,
            fingerprint=manifest["fingerprint"],
            root=Path(manifest["root"]),
            store=ImageStore.load(folder),
            descriptor_index=DescriptorIndex.load(
                folder / FAISS_FILE, manifest["factory"]
            ),
            asmk=AsmkIndex.load(
                folder / ASMK_FOLDER, AsmkOptions(**manifest["asmk"])
            ),
            background=np.load(folder / BACKGROUND_FILE, allow_pickle=False),
            global_descriptors=GlobalDescriptors.load(folder / GLOBAL_FOLDER)
            if (folder / GLOBAL_FOLDER).is_dir()
            else None,
            extraction=ExtractionOptions(**manifest["extraction"]),
        )
        _check_counts(index, manifest)
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise ValueError(
            f"The index is damaged: build it again. Received: {folder} "
            f"({error})"
        ) from error
    return index


def _server(source):
    """Returns the address of the server that extracted, or None."""
    if isinstance(source, Extractor | Path):
        return None
    return getattr(source, "address", source)


def _read_manifest(folder):
    path = folder / MANIFEST_FILE
    if not path.is_file():
        raise FileNotFoundError(
            "An index folder has a manifest.json: build the index with "
            f"`delf-keras index`. Received: {folder}"
        )
    try:
        manifest = json.loads(path.read_text())
        version = manifest["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"The manifest of an index is expected. Received: {path} ({error})"
        ) from error
    if version != FORMAT_VERSION:
        raise ValueError(
            f"This version reads index format {FORMAT_VERSION}. "
            f"Received: format {version} in {folder}"
        )
    return manifest


def _check_files(folder, file_sizes):
    for name, size in file_sizes.items():
        file = folder / name
        if not file.is_file():
            raise ValueError(f"{name} is missing")
        if file.stat().st_size != size:
            raise ValueError(
                f"{name} has {file.stat().st_size} bytes instead of {size}"
            )


def _check_counts(index, manifest):
    counts = len(index), len(index.descriptor_index)
    if counts != (manifest["num_images"], manifest["num_descriptors"]):
        raise ValueError(f"it has {counts[0]} images, {counts[1]} descriptors")
