"""The manifest of an index folder: what its present version consists of."""

import hashlib
import json
import re
import typing
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from types import UnionType

from delf_keras.atomic import atomic_path, sync, sync_tree

FORMAT_VERSION = 3
MANIFEST_FILE = "manifest.json"
SEGMENTS_FOLDER = "segments"
LEARNED_FOLDER = "learned"
PRESET_FOLDER = "preset"

_FOLDERS = (SEGMENTS_FOLDER, LEARNED_FOLDER, PRESET_FOLDER)

_BLOCK = 1 << 22
_SEGMENT_NAME = re.compile(r"\d{6,18}")


@dataclass(frozen=True)
class Manifest:
    """What a version of an index consists of.

    Attributes:
        version: int. How many changes the index has seen.
        fingerprint: The descriptor space.
        roots: list of str, the places of the folder that names are relative
            to; see `describe_root`.
        extraction: dict of `ExtractionOptions`.
        factory: The faiss factory string.
        asmk: dict of `AsmkOptions`.
        augmentation: int. See `GlobalDescriptors.augmented`.
        server: Address of the server that extracts, None for a preset.
        next_number: int. The number of the next photograph.
        segments: Names of the folders of the segments.
        removed: Numbers of photographs that are no longer there.
        files: dict of the path of each file to its size in bytes and its
            SHA-256.
    """

    version: int
    fingerprint: str
    roots: list[str]
    extraction: dict
    factory: str
    asmk: dict
    augmentation: int = 0
    server: str | None = None
    next_number: int = 0
    segments: list[str] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    files: dict[str, tuple[int, str]] = field(default_factory=dict)

    def write(self, folder):
        """Publishes this version: it replaces the one before, whole."""
        content = {"format_version": FORMAT_VERSION, **asdict(self)}
        content["sha256"] = _digest(content)
        with atomic_path(folder / MANIFEST_FILE) as temporary:
            with open(temporary, "w") as file:
                json.dump(content, file, indent=1)
            sync(temporary)
        sync(folder)


def read_manifest(folder):
    """Reads the manifest of an index folder.

    Args:
        folder: `Path`.

    Returns:
        `Manifest`. All paths in it are relative, and inside of the folder.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is damaged, or of another format.
    """
    path = folder / MANIFEST_FILE
    if not path.is_file():
        raise FileNotFoundError(
            "An index folder has a manifest.json: build the index with "
            f"`delf-keras index`. Received: {folder}"
        )
    try:
        content = json.loads(path.read_text())
        version = content["format_version"]
        if version == FORMAT_VERSION:
            return _checked(content)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"The manifest of an index is expected. Received: {path} ({error})"
        ) from error
    raise ValueError(
        f"This version reads index format {FORMAT_VERSION}. "
        f"Received: format {version} in {folder}"
    )


def describe_files(folder, parts):
    """Describes the files of some folders of an index, for its manifest.

    Args:
        folder: `Path` of the index.
        parts: Names of folders in it.

    Returns:
        dict of path to size and SHA-256. Files are on disk when it returns.
    """
    described = {}
    for part in parts:
        for file in sorted((folder / part).rglob("*")):
            if file.is_file():
                name = file.relative_to(folder).as_posix()
                described[name] = (file.stat().st_size, digest_of(file))
        if (folder / part).is_dir():
            sync_tree(folder / part)
            sync((folder / part).parent)
    return described


def check_sizes(folder, files):
    """Raises ValueError where a file is missing or of another size."""
    for name, (size, _) in files.items():
        file = folder / name
        if not file.is_file():
            raise ValueError(f"{name} is missing")
        if file.stat().st_size != size:
            raise ValueError(
                f"{name} has {file.stat().st_size} bytes instead of {size}"
            )


def check_digests(folder, files):
    """Raises ValueError where the content of a file has changed."""
    for name, (_, digest) in files.items():
        if digest_of(folder / name) != digest:
            raise ValueError(f"{name} has another checksum")


def digest_of(path):
    """Returns the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def is_segment_name(name):
    """Whether a name is one that a writer gives to the folder of a segment."""
    return _SEGMENT_NAME.fullmatch(name) is not None


def _checked(content):
    if content.pop("sha256") != _digest(content):
        raise ValueError("it has been changed: its checksum is another")
    content.pop("format_version")
    manifest = Manifest(**content)
    for name, kind in typing.get_type_hints(Manifest).items():
        if not _is_of(kind, getattr(manifest, name)):
            raise ValueError(f"its {name} is not of type {kind}")
    if not (manifest.roots and manifest.segments):
        raise ValueError("it has no roots, or no segments")
    for name in manifest.segments:
        if not is_segment_name(name):
            raise ValueError(f"{name!r} is no name of a segment")
    for name in manifest.files:
        path = PurePosixPath(name)
        inside = path.parts[:1] and path.parts[0] in _FOLDERS
        if not inside or ".." in path.parts or "\\" in name or ":" in name:
            raise ValueError(f"{name!r} is no file of an index")
    return manifest


def _is_of(kind, value):
    """Whether a value of JSON, where a tuple is a list, is of a type."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is UnionType:
        return any(_is_of(part, value) for part in parts)
    if type(value) is not (list if origin is tuple else origin or kind):
        return False
    if origin is tuple:
        return len(value) == len(parts) and all(map(_is_of, parts, value))
    if origin is dict:
        key, item = parts
        return all(_is_of(key, k) and _is_of(item, value[k]) for k in value)
    return origin is None or all(_is_of(*parts, each) for each in value)


def _digest(content):
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
