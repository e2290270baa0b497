"""What an index learns from a sample of photographs."""

import numpy as np
import pytest

from delf_keras.retrieval import AsmkOptions
from delf_keras.retrieval.index_training import learn
from delf_keras.retrieval.learned import Learned


@pytest.fixture(scope="module")
def features(make_photographs):
    """2400 descriptors, for which ASMK has 256 words."""
    return [each for _, each in make_photographs(60)]


def test_few_photographs_have_words_of_their_own(features):
    learned = learn(features)
    assert learned.descriptor_index.factory == "Flat"
    assert learned.codebook.shape == (256, 16)
    assert learned.asmk_options == AsmkOptions(num_words=256, binary=False)


def test_centroids_of_lists_are_words(features):
    """Where there are about as many as ASMK would have."""
    learned = learn(features, factory="IVF64,Flat")
    assert learned.codebook is None
    assert len(learned.words) == learned.asmk_options.num_words == 64
    few = learn(features, factory="IVF63,Flat")
    assert len(few.words) == len(few.codebook) == 256


def test_wanted_words(features):
    for factory in ("exact", "IVF64,Flat"):
        options = AsmkOptions(num_words=100, binary=True)
        learned = learn(features, factory=factory, asmk=options)
        assert learned.asmk_options == options
        assert len(learned.words) == len(learned.codebook) == 100
    options = AsmkOptions(num_words=64)
    assert learn(features, factory="IVF64,Flat", asmk=options).codebook is None


@pytest.mark.parametrize("factory", ["exact", "IVF64,PQ8x4"])
def test_loaded_is_the_same(features, factory, tmp_path):
    learned = learn(features, factory=factory, descriptor_type="int8")
    (tmp_path / "learned").mkdir()
    learned.save(tmp_path / "learned")
    loaded = Learned.load(
        tmp_path / "learned",
        learned.descriptor_index.factory,
        learned.asmk_options,
    )

    query = features[0].descriptors
    np.testing.assert_array_equal(
        loaded.words.assign(query, 5), learned.words.assign(query, 5)
    )
    assert len(loaded.descriptor_index) == 0
    assert loaded.descriptor_step == learned.descriptor_step < 0.01
    assert loaded.background is None and loaded.global_space is None
