"""Fitting what an index learns to a sample of features."""

import numpy as np

from delf_keras.retrieval.aggregation import train_codebook
from delf_keras.retrieval.asmk import AsmkOptions, choose_words
from delf_keras.retrieval.descriptor_index import DescriptorIndex
from delf_keras.retrieval.global_descriptors import GlobalSpace
from delf_keras.retrieval.learned import Learned
from delf_keras.retrieval.stored_descriptors import (
    choose_step,
    from_stored,
    to_stored,
)

# Words by which the centroids of inverted lists may be fewer than ASMK asks
# for: with a codebook of its own, each descriptor would be assigned twice.
_FEWER = 4


def learn(
    features,
    count=None,
    *,
    factory=None,
    probes=None,
    recall=0.95,
    asmk=None,
    descriptor_type="int8",
    seed=0,
):
    """Trains the quantizers of an index.

    Args:
        features: list of `LocalFeatures`, a sample of photographs.
        count: int. Descriptors that the index shall hold; those of the sample
            if not given.
        factory: See `train_faiss_index`, as the next two.
        probes: int or None.
        recall: float.
        asmk: `AsmkOptions`.
        descriptor_type: str, one of `DESCRIPTOR_TYPES`. How descriptors are
            kept.
        seed: int. Of the samples that are drawn.

    Returns:
        `Learned`, without background queries.

    Raises:
        ValueError: if there are too few descriptors.
    """
    sample = np.concatenate([each.descriptors for each in features])
    step = choose_step(sample, descriptor_type)
    # As an index keeps them.
    sample = from_stored(to_stored(sample, step), step)
    images = np.repeat(np.arange(len(features)), [*map(len, features)])
    count = count or len(sample)
    descriptor_index = DescriptorIndex.train(
        sample,
        images,
        count=count,
        factory=factory,
        probes=probes,
        recall=recall,
        seed=seed,
    )
    asmk = asmk or AsmkOptions()
    most = max(len(sample) // 4, 1)
    num_words = asmk.num_words or min(choose_words(count), most)
    codebook = None
    if _has_words(descriptor_index, num_words, asmk.num_words is None):
        num_words = len(descriptor_index.words)
    else:
        codebook = train_codebook(sample, num_words, seed)
    vectors = [each.global_descriptor for each in features]
    return Learned(
        descriptor_index=descriptor_index,
        codebook=codebook,
        asmk_options=asmk.chosen(count, num_words),
        global_space=None
        if vectors[0] is None
        else GlobalSpace.fit(np.stack(vectors)),
        descriptor_step=step,
    )


def _has_words(descriptor_index, num_words, about):
    """Whether the inverted lists have so many centroids, or about as many."""
    words = descriptor_index.words
    if words is None:
        return False
    if about:
        return num_words <= _FEWER * len(words)
    return num_words == len(words)
