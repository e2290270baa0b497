"""What an index knows of its photographs beside the descriptors' codes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from delf_keras.retrieval.array_folder import (
    load_arrays,
    save_arrays,
    write_rows,
)
from delf_keras.retrieval.stored_descriptors import from_stored, to_stored

_OF_IMAGES = ("numbers", "sizes", "digests")
_OF_FEATURES = ("locations", "scales", "descriptors")
_NAMES = ("name_bytes", "name_ends")
_ARRAYS = (*_OF_IMAGES, *_OF_FEATURES, *_NAMES, "offsets")


class Names(Sequence):
    """Names as two arrays: a million of them take no memory when mapped.

    Args:
        name_bytes: uint8 `[B]`, the names in UTF-8, one after the other.
        name_ends: int64 `[N]`, where each ends.
    """

    def __init__(self, name_bytes, name_ends):
        self.name_bytes = name_bytes
        self.name_ends = name_ends

    @classmethod
    def of(cls, names):
        """Makes them of strings."""
        # File names need not be text.
        encoded = [name.encode("utf-8", "surrogateescape") for name in names]
        return cls(
            np.frombuffer(b"".join(encoded), np.uint8),
            np.cumsum([len(each) for each in encoded], dtype=np.int64),
        )

    def __len__(self):
        return len(self.name_ends)

    def __getitem__(self, position):
        if isinstance(position, slice):
            return [self[i] for i in range(*position.indices(len(self)))]
        position = range(len(self))[position]
        start = self.name_ends[position - 1] if position else 0
        name = self.name_bytes[start : self.name_ends[position]]
        return name.tobytes().decode("utf-8", "surrogateescape")


@dataclass(frozen=True, eq=False)
class ImageStore:
    """Names, sizes and local features of photographs.

    Attributes:
        numbers: int64 `[num_images]`, rising. What an index calls a
            photograph for good, whatever is added and removed.
        names: `Names` of the photographs.
        sizes: int32 `[num_images, 2]`, height and width in pixels.
        digests: uint8 `[num_images, 32]`, SHA-256 of their files, or zeros.
        offsets: int64 `[num_images + 1]`. The features of photograph `i` are
            the rows `offsets[i]` to `offsets[i + 1]`.
        locations: float32 `[N, 2]`, (y, x) in pixels.
        scales: float32 `[N]`, pixels of the photograph per pixel of the
            pyramid level.
        descriptors: float16 or int8 `[N, D]`, to match candidates with; see
            `vectors`.
        step: See `choose_step`.
    """

    numbers: np.ndarray
    names: Names
    sizes: np.ndarray
    digests: np.ndarray
    offsets: np.ndarray
    locations: np.ndarray
    scales: np.ndarray
    descriptors: np.ndarray
    step: float | None = None

    def __len__(self):
        return len(self.numbers)

    @classmethod
    def from_features(
        cls, named_features, first_number=0, digests=None, step=None
    ):
        """Collects the features of photographs.

        Args:
            named_features: list of (name, `LocalFeatures`) pairs.
            first_number: int. The number of the first photograph.
            digests: list of 32 bytes for each photograph, if known.
            step: See `choose_step`.

        Returns:
            `ImageStore`.
        """
        features = [each for _, each in named_features]
        count = len(features)
        digests = b"".join(digests) if digests else bytes(32 * count)
        return cls(
            numbers=np.arange(first_number, first_number + count),
            names=Names.of([name for name, _ in named_features]),
            sizes=np.array([each.image_size for each in features], np.int32),
            digests=np.frombuffer(digests, np.uint8).reshape(count, 32),
            offsets=np.cumsum([0, *map(len, features)], dtype=np.int64),
            locations=np.concatenate([each.locations for each in features]),
            scales=np.concatenate([each.scales for each in features]),
            descriptors=np.concatenate(
                [to_stored(each.descriptors, step) for each in features]
            ),
            step=step,
        )

    @property
    def image_of_rows(self):
        """The position of the image of each row, int64 `[N]`."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def features_of(self, image):
        """Returns locations, scales and float32 descriptors of an image."""
        rows = slice(self.offsets[image], self.offsets[image + 1])
        return (
            self.locations[rows],
            self.scales[rows],
            self.vectors(rows),
        )

    def vectors(self, rows=slice(None)):
        """Returns the float32 descriptors of some rows."""
        return from_stored(self.descriptors[rows], self.step)

    def save(self, folder):
        """Writes the store into a folder."""
        arrays = {
            name: getattr(self.names if name in _NAMES else self, name)
            for name in _ARRAYS
        }
        save_arrays(folder, arrays)

    @classmethod
    def load(cls, folder, step=None):
        """Opens the store in a folder; its arrays are mapped, not read.

        Args:
            folder: `Path`.
            step: See `choose_step`.

        Raises:
            ValueError: if the arrays do not belong together.
        """
        arrays = load_arrays(folder, _ARRAYS)
        names = Names(*(arrays.pop(name) for name in _NAMES))
        store = cls(names=names, step=step, **arrays)
        store._check()
        return store

    def _check(self):
        of_images = {
            len(self),
            len(self.names),
            len(self.sizes),
            len(self.digests),
            len(self.offsets) - 1,
        }
        of_features = {len(getattr(self, name)) for name in _OF_FEATURES}
        of_features.add(self.offsets[-1])
        whole = self.offsets[0] == 0 and (np.diff(self.offsets) >= 0).all()
        in_steps = self.descriptors.dtype == np.int8
        whole &= in_steps == (self.step is not None)
        if len(of_images) > 1 or len(of_features) > 1 or not whole:
            raise ValueError("its arrays do not belong together")


def merge_stores(stores, kept, folder):
    """Writes the photographs of several stores as one.

    Args:
        stores: list of `ImageStore`, their numbers rising.
        kept: list of bool `[num_images]`, which images of each to write.
        folder: `Path` of the folder to write to.
    """
    keeps = [None if keep.all() else keep for keep in kept]
    for name in _OF_IMAGES:
        write_rows(
            folder / f"{name}.npy",
            [getattr(store, name) for store in stores],
            keeps,
        )
    of_features = [
        None if keep is None else np.repeat(keep, np.diff(store.offsets))
        for store, keep in zip(stores, keeps, strict=True)
    ]
    for name in _OF_FEATURES:
        write_rows(
            folder / f"{name}.npy",
            [getattr(store, name) for store in stores],
            of_features,
        )
    counts, names = [], []
    for store, keep in zip(stores, kept, strict=True):
        counts.append(np.diff(store.offsets)[keep])
        names += [store.names[image] for image in np.flatnonzero(keep)]
    names = Names.of(names)
    save_arrays(
        folder,
        {
            "offsets": np.cumsum([0, *np.concatenate(counts)], dtype=np.int64),
            "name_bytes": names.name_bytes,
            "name_ends": names.name_ends,
        },
    )
