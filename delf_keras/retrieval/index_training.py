"""From features to an index: everything that is learned on the way."""

from dataclasses import dataclass

import numpy as np

from delf_keras.retrieval.aggregation import train_codebook
from delf_keras.retrieval.asmk import AsmkIndex, AsmkOptions, choose_words
from delf_keras.retrieval.background import background_votes
from delf_keras.retrieval.descriptor_index import DescriptorIndex
from delf_keras.retrieval.global_descriptors import GlobalDescriptors
from delf_keras.retrieval.image_index import ImageIndex
from delf_keras.retrieval.image_store import ImageStore


@dataclass(frozen=True, eq=False)
class IndexTrainer:
    """What turns features into an index.

    Attributes:
        learned: list of (name, `LocalFeatures`) to train quantizers on.
        factory: See `build_index`, as the following.
        probes: int or None.
        asmk: `AsmkOptions` or None.
        augmentation: int.
        seed: int.
        progress: Callable.
    """

    learned: list
    factory: str | None
    probes: int | None
    asmk: AsmkOptions | None
    augmentation: int
    seed: int
    progress: object

    def index(self, root, named_features, searcher):
        """Returns the `ImageIndex` of features."""
        store = ImageStore.from_features(named_features)
        descriptors = store.descriptors.astype(np.float32)
        sample = descriptors
        if self.learned is not named_features:
            sample = np.concatenate(
                [features.descriptors for _, features in self.learned]
            )
        descriptor_index = DescriptorIndex.build(
            descriptors, self.factory, self.probes, self.seed, sample
        )
        return ImageIndex(
            extractor_source=searcher,
            fingerprint=searcher.fingerprint,
            root=root,
            store=store,
            descriptor_index=descriptor_index,
            asmk=self._asmk_index(store, descriptors, sample),
            background=background_votes(
                descriptor_index, store, self.seed, self.progress
            ),
            extraction=searcher.options,
            global_descriptors=self._global_descriptors(named_features),
        )

    def _global_descriptors(self, named_features):
        vectors, sample = (
            [each.global_descriptor for _, each in features]
            for features in (named_features, self.learned)
        )
        if vectors[0] is None:
            return None
        return GlobalDescriptors.build(
            np.stack(vectors), np.stack(sample), self.augmentation
        )

    def _asmk_index(self, store, descriptors, sample):
        options = self.asmk or AsmkOptions()
        words = options.num_words or min(
            choose_words(len(descriptors)), max(len(sample) // 4, 1)
        )
        codebook = train_codebook(sample, words, self.seed)
        images = np.repeat(np.arange(len(store)), np.diff(store.offsets))
        return AsmkIndex.build(
            descriptors, images, len(store), codebook, options
        )
