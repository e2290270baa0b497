"""Feature files: one photograph in `.delf` or `.npz`, many in HDF5."""

import contextlib
import functools
import io
import os
from pathlib import Path

import numpy as np

from delf_keras.atomic import atomic_path
from delf_keras.features.delf_format import read_delf, write_delf
from delf_keras.features.local_features import LocalFeatures
from delf_keras.photograph_files import name_of_text, text_of_name

_NPZ_ARRAYS = (
    "locations",
    "descriptors",
    "scores",
    "scales",
    "image_size",
    "fingerprint",
    "upright",
)
# What a photograph may have or not.
_GLOBAL = "global_descriptor"
_H5_DATASETS = ("keypoints", "descriptors", "scores", "scales", "image_size")


def save_features(path, features):
    """Writes the local features of one photograph to a file.

    Args:
        path: str or `Path`. Its suffix chooses the format: `.npz` holds every
            attribute of the features, `.delf` is read by tensorflow/models
            and holds what each feature has alone: neither image size,
            fingerprint, global descriptor nor `upright`. Parent folders are
            made.
        features: `LocalFeatures`.

    Raises:
        ValueError: If the suffix is another one.
    """
    _, write = _format_of(path)
    write(path, features)


def load_features(path):
    """Reads the local features of one photograph from a file.

    Args:
        path: str or `Path` of a `.npz` or `.delf` file.

    Returns:
        `LocalFeatures`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the suffix is another one, or if the file is truncated
            or holds something else.
    """
    read, _ = _format_of(path)
    return read(path)


def _format_of(path):
    formats = {
        ".delf": (read_delf, write_delf),
        ".npz": (_read_npz, _write_npz),
    }
    suffix = Path(path).suffix
    if suffix not in formats:
        raise ValueError(
            "A feature file must have one of the suffixes "
            f"{', '.join(formats)}. Received: path={path}"
        )
    return formats[suffix]


def features_to_bytes(features):
    """Returns the bytes of the `.npz` file of `LocalFeatures`."""
    buffer = io.BytesIO()
    _write_arrays(buffer, features)
    return buffer.getvalue()


def features_from_bytes(contents):
    """Returns the `LocalFeatures` that `features_to_bytes` was given."""
    return _read_arrays(io.BytesIO(contents), "The bytes")


def _write_npz(path, features):
    with atomic_path(path) as temporary:
        _write_arrays(temporary, features)


def _write_arrays(file, features):
    arrays = {name: getattr(features, name) for name in _NPZ_ARRAYS}
    if features.global_descriptor is not None:
        arrays[_GLOBAL] = features.global_descriptor
    np.savez(file, **arrays)


def _read_npz(path):
    with open(path, "rb") as file:
        return _read_arrays(file, path)


def _read_arrays(file, name):
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in _NPZ_ARRAYS}
            if _GLOBAL in archive:
                arrays[_GLOBAL] = archive[_GLOBAL]
        arrays["fingerprint"] = str(arrays["fingerprint"])
        arrays["upright"] = bool(arrays["upright"])
        return LocalFeatures(**arrays)
    # numpy, zipfile and zlib have a dozen exceptions for a damaged file; one
    # that is absent or forbidden did not come this far.
    except Exception as error:
        raise ValueError(
            f"{name} must be a whole .npz file of the arrays "
            f"{', '.join(_NPZ_ARRAYS)}. Received: {error}"
        ) from error


@contextlib.contextmanager
def open_h5(path, mode="r"):
    """Opens an HDF5 file of the features of many photographs.

    The layout is that of hloc, which reads such a file as it is: a group for
    each photograph, named by its relative path, with the datasets `keypoints`
    (`[N, 2]`, x, y in pixels), `descriptors` (`[D, N]`), `scores` (`[N]`) and
    `image_size` (width, height), and `global_descriptor` (`[C]`) where one was
    extracted. Ours are the dataset `scales` (`[N]`), the attribute `made_of`
    of a group, and two attributes of the file, `fingerprint` and `upright`.
    COLMAP, and hloc with it, take photographs as they are stored: they need
    features with `upright` False, unless no photograph has an EXIF
    orientation. What is no UTF-8 in a name is written as an escape, such as
    \\udce9.

    Example:

    ```python
    with open_h5("features.h5", "a") as file:
        for name in sorted(set(names) - set(names_h5(file))):
            write_h5(file, name, extractor(name))
    ```

    Args:
        path: str or `Path`.
        mode: `"r"` to read, `"a"` to continue or start, `"w"` to start anew.
            The latter two make parent folders.

    Yields:
        `h5py.File`.

    Raises:
        FileNotFoundError: If there is no such file to read.
        ValueError: If the file is truncated or not HDF5.
    """
    import h5py

    with contextlib.ExitStack() as stack:
        source = path
        if mode != "r":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            source = stack.enter_context(_locked_file(path))
            if mode == "w":
                source.truncate(0)
            mode = "r+" if os.path.getsize(path) else "w"
        try:
            # Since 1.8 HDF5 has checksums of what leads to the arrays.
            file = h5py.File(source, mode, libver=("v108", "latest"))
        except OSError as error:
            # A file that is absent, locked or forbidden comes with its errno.
            if error.errno is not None:
                raise
            raise ValueError(
                f"{path} must be a whole HDF5 file. Received: {error}"
            ) from error
        yield stack.enter_context(file)


class _File(io.BufferedRandom):
    """A file that HDF5 knows by its path."""

    def __repr__(self):
        return str(self.name)


@contextlib.contextmanager
def _locked_file(path):
    """Yields a file that Python writes: HDF5 crashes where a disk is full."""
    raw = io.FileIO(
        path,
        "r+",
        opener=lambda path, flags: os.open(path, flags | os.O_CREAT, 0o666),
    )
    with _File(raw) as file:
        # As HDF5 does, which has no lock on Windows either.
        with contextlib.suppress(ImportError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file


def write_h5(file, name, features, made_of=""):
    """Writes the features of one photograph, in place of any of that name.

    Args:
        file: `h5py.File` from `open_h5`.
        name: str. Path of the photograph relative to the folder of the
            collection, with forward slashes.
        features: `LocalFeatures`.
        made_of: str. What tells whether they are those of the photograph as
            it is now; see `made_of_h5`.

    Raises:
        ValueError: If the file holds features of another fingerprint, or of
            photographs that are not upright alike.
    """
    if not len(file):
        file.attrs["fingerprint"] = _fixed(features.fingerprint)
        file.attrs["upright"] = features.upright
    for key, expected in common_of_h5(file).items():
        received = getattr(features, key)
        if received != expected:
            raise ValueError(
                f"Features in {file.filename} must have its {key} "
                f"{expected!r}. Received: {key}={received!r}, name={name!r}"
            )
    height, width = features.image_size
    datasets = {
        "keypoints": features.locations[:, ::-1],
        "descriptors": features.descriptors.T,
        "scores": features.scores,
        "scales": features.scales,
        "image_size": np.array([width, height]),
    }
    if features.global_descriptor is not None:
        datasets[_GLOBAL] = features.global_descriptor
    group = file.require_group(text_of_name(name))
    for key in {*datasets, _GLOBAL} & group.keys():
        del group[key]
    for key, values in datasets.items():
        group[key] = values
    group.attrs["made_of"] = _fixed(made_of)
    # What an interruption leaves behind is the file as of its last flush.
    file.flush()


def remove_h5(file, name):
    """Removes the features of a photograph, if they are there.

    Args:
        file: `h5py.File` from `open_h5`.
        name: str. See `write_h5`.
    """
    file.pop(text_of_name(name), None)


def _reads(function):
    """Has what HDF5 raises for a damaged file be a ValueError."""

    @functools.wraps(function)
    def read(file, *args):
        try:
            return function(file, *args)
        except (MemoryError, ValueError):
            raise
        except Exception as error:
            if getattr(error, "errno", None) is not None:
                raise
            raise ValueError(
                f"{file.filename} must be a whole HDF5 file of features. "
                f"Received: {error}"
            ) from error

    return read


@_reads
def read_h5(file, name):
    """Reads the features of one photograph.

    Args:
        file: `h5py.File` from `open_h5`.
        name: str. One of `names_h5(file)`.

    Returns:
        `LocalFeatures`.

    Raises:
        ValueError: If the features are absent or incomplete, or the file is
            damaged.
    """
    import h5py

    group = file.get(text_of_name(name))
    if not isinstance(group, h5py.Group) or not _is_complete(group):
        raise ValueError(
            f"{file.filename} must hold the datasets "
            f"{', '.join(_H5_DATASETS)} of the photograph. "
            f"Received: name={name!r}"
        )
    width, height = group["image_size"][()]
    return LocalFeatures(
        locations=np.ascontiguousarray(group["keypoints"][()][:, ::-1]),
        descriptors=np.ascontiguousarray(group["descriptors"][()].T),
        scores=group["scores"][()],
        scales=group["scales"][()],
        image_size=(height, width),
        **common_of_h5(file),
        global_descriptor=group[_GLOBAL][()] if _GLOBAL in group else None,
    )


@_reads
def names_h5(file):
    """Names of the photographs whose features are complete, sorted.

    Args:
        file: `h5py.File` from `open_h5`.

    Returns:
        List of str. An interrupted write is not among them.
    """
    return sorted(_names_below(file))


@_reads
def made_of_h5(file):
    """What the features of each photograph were made of.

    Args:
        file: `h5py.File` from `open_h5`.

    Returns:
        dict of name to what `write_h5` was given, of complete features.
    """
    return {
        name: file[text_of_name(name)].attrs.get("made_of", b"").decode()
        for name in names_h5(file)
    }


def fingerprint_of_h5(file):
    """Returns the descriptor space of a file of features, "" if unknown."""
    return common_of_h5(file)["fingerprint"]


def _names_below(group):
    import h5py

    if _is_complete(group):
        yield name_of_text(group.name.removeprefix("/"))
        return
    for name in group:
        # Without a word, values() has None for what cannot be read.
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _names_below(item)


def _is_complete(group):
    return set(_H5_DATASETS) <= set(group.keys())


@_reads
def common_of_h5(file):
    """Returns what all features of a file have in common.

    Args:
        file: `h5py.File` from `open_h5`.

    Returns:
        dict of the attributes `fingerprint` and `upright` of `LocalFeatures`.
    """
    # A file of hloc has none.
    return {
        "fingerprint": file.attrs.get("fingerprint", b"").decode(),
        "upright": bool(file.attrs.get("upright", False)),
    }


def _fixed(text):
    """Text of a fixed length: HDF5 hangs where a heap of others is damaged."""
    return np.bytes_(text.encode())
