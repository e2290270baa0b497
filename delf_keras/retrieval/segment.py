"""A part of an index: photographs that were added together."""

from dataclasses import dataclass

import numpy as np

from delf_keras.atomic import atomic_path
from delf_keras.retrieval.array_folder import (
    load_array,
    save_array,
    write_rows,
)
from delf_keras.retrieval.asmk import AsmkIndex, merge_asmk
from delf_keras.retrieval.descriptor_index import DescriptorIndex
from delf_keras.retrieval.image_store import ImageStore, merge_stores
from delf_keras.retrieval.neighbors import keys_of_images

_ASMK_FOLDER = "asmk"
_BACKGROUND_FILE = "background.npy"
_GLOBAL_FILE = "global_descriptors.npy"


@dataclass(frozen=True, eq=False)
class Segment:
    """Photographs of an index, and their codes.

    Attributes:
        store: `ImageStore`.
        descriptor_index: `DescriptorIndex` of the store's descriptors.
        asmk: `AsmkIndex` of them.
        global_descriptors: float32 `[num_images, D]`, or None.
        background: float32 `[num_images]`, see `BackgroundQueries`; ones
            before they are chosen.
    """

    store: ImageStore
    descriptor_index: DescriptorIndex
    asmk: AsmkIndex
    global_descriptors: np.ndarray | None
    background: np.ndarray

    def __len__(self):
        return len(self.store)

    @classmethod
    def build(cls, learned, named_features, first_number, digests=None):
        """Codes photographs.

        Args:
            learned: `Learned`.
            named_features: list of (name, `LocalFeatures`).
            first_number: int. The number of the first photograph.
            digests: list of 32 bytes for each photograph, if known.

        Returns:
            `Segment`.
        """
        store = ImageStore.from_features(
            named_features, first_number, digests, learned.descriptor_step
        )
        # What is searched is what is kept to match candidates with.
        descriptors = store.vectors()
        assigned = learned.words.assign(descriptors)
        index = learned.descriptor_index.with_descriptors(
            descriptors,
            keys_of_images(store.numbers, store.offsets),
            assigned[:, 0] if learned.codebook is None else None,
        )
        asmk = AsmkIndex.build(
            descriptors,
            store.image_of_rows,
            len(store),
            learned.words,
            assigned,
            learned.asmk_options,
        )
        vectors = None
        if learned.global_space is not None:
            vectors = learned.global_space.project(
                np.stack([each.global_descriptor for _, each in named_features])
            )
        background = np.ones(len(store), np.float32)
        if learned.background is not None:
            background = learned.background.background_of(index, store.numbers)
        return cls(store, index, asmk, vectors, background)

    def save(self, folder):
        """Writes the segment into an empty folder."""
        self.store.save(folder)
        self.descriptor_index.save(folder)
        self.asmk.save(folder / _ASMK_FOLDER)
        if self.global_descriptors is not None:
            save_array(folder / _GLOBAL_FILE, self.global_descriptors)
        save_background(folder, self.background)

    @classmethod
    def load(cls, folder, learned):
        """Opens what `save` wrote; arrays are mapped, not read.

        Args:
            folder: `Path`.
            learned: `Learned`, what it was coded by.

        Raises:
            ValueError: if it is damaged.
        """
        store = ImageStore.load(folder, learned.descriptor_step)
        index = DescriptorIndex.load(folder, learned.descriptor_index.factory)
        asmk = AsmkIndex.load(
            folder / _ASMK_FOLDER, learned.words, learned.asmk_options
        )
        vectors = None
        if learned.global_space is not None:
            vectors = load_array(folder / _GLOBAL_FILE)
        background = load_array(folder / _BACKGROUND_FILE)
        of_images = {len(store), len(asmk.num_words), len(background)}
        if vectors is not None:
            of_images.add(len(vectors))
        if len(of_images) > 1 or len(index) != len(store.descriptors):
            raise ValueError(
                f"{folder.name} has {len(store)} images, {len(index)} "
                "descriptors: its files do not belong together"
            )
        return cls(store, index, asmk, vectors, background)


def save_background(folder, background):
    """Writes the background of a segment's photographs into its folder.

    One that is mapped stays as it is.
    """
    with atomic_path(folder / _BACKGROUND_FILE) as temporary:
        save_array(temporary, background)


def merge_segments(segments, removed, learned, folder):
    """Writes several segments as one, without the photographs removed.

    Memory does not grow with the photographs: everything is copied in
    blocks.

    Args:
        segments: list of `Segment`, their numbers rising.
        removed: int64 `[M]`, numbers of photographs to leave out.
        learned: `Learned`, what they are coded by.
        folder: `Path` of an empty folder to write to.

    Raises:
        OSError: if the disk is full.
    """
    stores = [segment.store for segment in segments]
    kept = [~np.isin(store.numbers, removed) for store in stores]
    merge_stores(stores, kept, folder)
    learned.descriptor_index.merge(
        [segment.descriptor_index for segment in segments],
        stores,
        kept,
        folder,
    )
    merge_asmk([each.asmk for each in segments], kept, folder / _ASMK_FOLDER)
    if learned.global_space is not None:
        vectors = [each.global_descriptors for each in segments]
        write_rows(folder / _GLOBAL_FILE, vectors, kept)
    background = [each.background for each in segments]
    write_rows(folder / _BACKGROUND_FILE, background, kept)
