"""faiss is trained on samples, and probes as many lists as recall takes."""

import faiss
import numpy as np
import pytest

from delf_keras.retrieval import faiss_training
from delf_keras.retrieval.faiss_training import (
    calibrate_probes,
    inverted_file,
    train_faiss_index,
)


def unit(vectors):
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 1, (150, 16))
    chosen = centres[rng.integers(0, 150, 6000)]
    return unit(chosen + rng.normal(0, 0.5, chosen.shape))


@pytest.fixture(scope="module")
def images():
    """Descriptors of 60 photographs, in turn."""
    return np.arange(6000) % 60


def test_probes_find_the_wanted_neighbors(sample, images):
    """By exact search, of neighbours in other photographs."""
    index, _ = train_faiss_index(sample, images, factory="IVF128,Flat")
    index.add(sample)
    queries = np.arange(300)
    _, exact = faiss.knn(sample[queries], sample, 364)
    recalls = []
    for recall in (0.5, 0.8, 0.95):
        probes = calibrate_probes(index, sample, images, 6000, recall)
        inverted_file(index).nprobe = probes
        _, found = index.search(sample[queries], 364)
        shares = []
        for query in queries:
            foreign = exact[query][images[exact[query]] != images[query]][:300]
            shares.append(np.isin(foreign, found[query]).mean())
        recalls.append(np.mean(shares))
    # One list more or less is a step of a tenth.
    assert (np.array(recalls) > [0.47, 0.77, 0.92]).all()
    assert (np.array(recalls) < [0.67, 0.9, 0.99]).all()


def test_more_recall_takes_no_fewer_probes(sample, images):
    index, _ = train_faiss_index(sample, images, factory="IVF128,Flat")
    probes = [
        calibrate_probes(index, sample, images, 6000, recall)
        for recall in (0.1, 0.5, 0.9, 0.99, 1.0)
    ]
    assert probes == sorted(probes)
    assert probes[0] < probes[-1] <= 128


def test_probes_of_a_sample_are_those_of_the_whole(sample, images):
    """A third of the descriptors, of which a third of the neighbours."""
    index, _ = train_faiss_index(sample, images, factory="IVF128,Flat")
    whole = calibrate_probes(index, sample, images, 6000, 0.9)
    third = calibrate_probes(index, sample[::3], images[::3], 6000, 0.9)

    assert 0.6 * whole <= third <= 1.6 * whole


def test_given_probes_are_kept(sample, images):
    for probes, expected in ((3, 3), (1000, 32)):
        index, _ = train_faiss_index(
            sample, images, factory="IVF32,Flat", probes=probes
        )
        assert inverted_file(index).nprobe == expected


def test_single_photograph_has_no_foreign_neighbors(sample):
    index, _ = train_faiss_index(
        sample, np.zeros(6000, int), factory="IVF32,Flat"
    )
    assert inverted_file(index).nprobe == 32


def test_rotation_comes_before_the_lists(sample, images):
    index, _ = train_faiss_index(
        sample[:1200], images[:1200], factory="OPQ4_16,IVF32,PQ4x4"
    )
    assert 1 <= inverted_file(index).nprobe < 32


def test_many_lists_are_trained_in_two_levels(sample, images, monkeypatch):
    """As good a quantizer, nearly, as all at once."""
    flat, _ = train_faiss_index(sample, images, factory="IVF64,Flat")
    monkeypatch.setattr(faiss_training, "_TWO_LEVELS", 64)
    two, _ = train_faiss_index(sample, images, factory="IVF64_HNSW16,Flat")
    distances = [
        index.quantizer.search(sample, 1)[0].mean() for index in (flat, two)
    ]
    assert two.nlist == two.quantizer.ntotal == 64
    assert distances[1] < 1.1 * distances[0]


def test_graph_of_centroids_leads_to_those_far_from_others(monkeypatch):
    """Such as those of black borders, which few photographs have."""
    monkeypatch.setattr(faiss_training, "_TWO_LEVELS", 1024)
    rng = np.random.default_rng(0)
    near, far = rng.normal(0, 1, (64, 16)), rng.normal(0, 0.3, (10, 16))
    near[:, 0] -= 2
    far[:, 0] += 6
    near = np.repeat(near, 256, axis=0) + rng.normal(0, 0.3, (64 * 256, 16))
    far = np.repeat(far, 16, axis=0) + rng.normal(0, 0.1, (160, 16))
    sample = unit(np.concatenate([near, far]))
    index, _ = train_faiss_index(
        sample, np.arange(len(sample)), factory="IVF1024_HNSW8,Flat"
    )

    centroids = index.quantizer.reconstruct_n(0, index.nlist)
    exact, _ = faiss.knn(sample, centroids, 1)
    found, _ = index.quantizer.search(sample, 1)
    assert (found < exact + 0.1).mean() > 0.9999


def test_count_chooses_the_factory(sample, images):
    assert train_faiss_index(sample, images)[1] == "Flat"
    factory = train_faiss_index(sample, images, count=60_000)[1]
    assert factory == "IVF1024,PQ8x8"
