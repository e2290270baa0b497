"""A PCA is fitted on a sample, the same for the same seed."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from delf_keras.features.local_features import LocalFeatures
from delf_keras.features.pca import to_descriptors
from delf_keras.features.pca_fitting import (
    PcaOptions,
    fit_pca_on_features,
    sample_photographs,
)

# Every component has a variance of its own.
SPREAD = np.linspace(2.0, 0.2, 12)


def make_features(count, seed=0):
    rng = np.random.default_rng(seed)
    return LocalFeatures(
        locations=np.zeros((count, 2)),
        descriptors=1 + SPREAD * rng.normal(size=(count, 12)),
        scores=np.ones(count),
        scales=np.ones(count),
    )


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_small_collections_are_taken_whole():
    paths = [f"{number}.jpg" for number in range(512)]
    assert sample_photographs(paths, PcaOptions()) == paths
    assert sample_photographs(["a"], PcaOptions()) == ["a"]
    assert sample_photographs([], PcaOptions()) == []


def test_sample_is_of_all_photographs_and_in_order():
    sample = sample_photographs(range(10_000), PcaOptions())

    assert len(set(sample)) == 512
    assert sample == sorted(sample)
    # 512 of 10,000 at random reach into every tenth of them.
    assert np.histogram(sample, 10, (0, 10_000))[0].min() > 0


def test_seed_chooses_the_sample():
    def sample(seed):
        return sample_photographs(range(1000), PcaOptions(seed=seed))

    assert sample(3) == sample(3) != sample(4)


@pytest.mark.parametrize("whiten", [False, True])
def test_equals_scikit_learn(whiten):
    """Of photographs with at most 256 features every one is used."""
    features = [make_features(count, count) for count in (256, 0, 200, 1)]
    pca = fit_pca_on_features(features, PcaOptions(5, whiten), "model")
    queries = make_features(50, 9).descriptors
    received = to_descriptors(queries, pca).numpy()

    everything = np.concatenate([each.descriptors for each in features])
    reference = PCA(5, whiten=whiten).fit(unit(everything.astype(float)))
    expected = unit(reference.transform(unit(queries.astype(float))))
    # The sign of a component is free.
    signs = np.sign(np.sum(received * expected, axis=0))
    np.testing.assert_allclose(received, signs * expected, atol=1e-4)
    assert pca.whiten == whiten
    assert pca.model_fingerprint == "model"


def test_256_features_of_each_photograph():
    """So that one with many does not outweigh the others."""
    few, many = make_features(200), make_features(5000, 1)
    # Were all of the many used, they would move the mean by 0.1.
    many.descriptors[:, 0] += 10
    pca = fit_pca_on_features([few, many], PcaOptions(3), "model")

    means = [unit(each.descriptors).mean(axis=0)[0] for each in (few, many)]
    share = (pca.mean[0] - means[0]) / (means[1] - means[0])
    assert share == pytest.approx(256 / 456, abs=0.02)


def test_same_seed_gives_the_same_pca():
    features = [make_features(1000)]

    def projection(seed):
        options = PcaOptions(3, seed=seed)
        return fit_pca_on_features(features, options, "model").projection

    np.testing.assert_array_equal(projection(1), projection(1))
    assert np.abs(projection(1) - projection(2)).max() > 1e-6


def test_too_few_features():
    with pytest.raises(ValueError, match="at most 9 .*Received: dimension=10"):
        fit_pca_on_features([make_features(10)], PcaOptions(10), "model")


def test_defaults():
    """40 dimensions without whitening, as in the paper."""
    assert PcaOptions() == PcaOptions(dimension=40, whiten=False, seed=0)
