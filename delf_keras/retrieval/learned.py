"""What an index learns once, and all photographs are then coded by."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from delf_keras.retrieval.aggregation import Words
from delf_keras.retrieval.array_folder import load_array, save_arrays
from delf_keras.retrieval.asmk import AsmkOptions
from delf_keras.retrieval.background import BackgroundQueries
from delf_keras.retrieval.descriptor_index import DescriptorIndex
from delf_keras.retrieval.global_descriptors import GlobalSpace

_CODEBOOK = "codebook"
_STEP = "descriptor_step"
_BACKGROUND_FOLDER = "background"
_GLOBAL_FOLDER = "global"


@dataclass(frozen=True, eq=False)
class Learned:
    """Quantizers, words and what else is fitted to a sample of photographs.

    Attributes:
        descriptor_index: `DescriptorIndex`, trained and empty.
        codebook: float32 `[K, D]`, the visual words of ASMK; None where they
            are the centroids of the inverted lists.
        asmk_options: `AsmkOptions`.
        global_space: `GlobalSpace`, or None if photographs are extracted
            without a global descriptor.
        background: `BackgroundQueries`, or None before the first photographs
            are all there.
        descriptor_step: See `choose_step`.
    """

    descriptor_index: DescriptorIndex
    codebook: np.ndarray | None
    asmk_options: AsmkOptions
    global_space: GlobalSpace | None = None
    background: BackgroundQueries | None = None
    descriptor_step: float | None = None

    @cached_property
    def words(self):
        """`Words` of ASMK."""
        if self.codebook is None:
            return self.descriptor_index.words
        return Words(self.codebook)

    def save(self, folder):
        """Writes everything into a new folder."""
        if self.codebook is not None:
            save_arrays(folder, {_CODEBOOK: self.codebook})
        if self.descriptor_step is not None:
            save_arrays(folder, {_STEP: np.array(self.descriptor_step)})
        self.descriptor_index.save(folder)
        if self.global_space is not None:
            self.global_space.save(folder / _GLOBAL_FOLDER)
        if self.background is not None:
            self.background.save(folder / _BACKGROUND_FOLDER)

    @classmethod
    def load(cls, folder, factory, asmk_options):
        """Opens what `save` wrote."""
        parts = {
            name: kind.load(folder / name) if (folder / name).is_dir() else None
            for name, kind in (
                (_GLOBAL_FOLDER, GlobalSpace),
                (_BACKGROUND_FOLDER, BackgroundQueries),
            )
        }
        codebook, step = (folder / f"{name}.npy" for name in (_CODEBOOK, _STEP))
        return cls(
            DescriptorIndex.load(folder, factory, mapped=False),
            load_array(codebook) if codebook.is_file() else None,
            asmk_options,
            parts[_GLOBAL_FOLDER],
            parts[_BACKGROUND_FOLDER],
            float(load_array(step)) if step.is_file() else None,
        )
