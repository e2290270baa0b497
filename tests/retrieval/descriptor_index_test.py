"""Nearest descriptors, exact and by product quantization."""

import faiss
import numpy as np
import pytest

from delf_keras.retrieval import factory as factories
from delf_keras.retrieval.descriptor_index import DescriptorIndex


def unit(vectors):
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def random_descriptors(count, dimension=16, seed=0):
    return unit(np.random.default_rng(seed).normal(size=(count, dimension)))


def clustered(count, seed, clusters=200, dimension=16, spread=0.1):
    """Unit vectors around random centres, the same for every seed."""
    centres = random_descriptors(clusters, dimension, seed=99)
    rng = np.random.default_rng(seed)
    centres = centres[rng.integers(0, clusters, count)]
    return unit(centres + rng.normal(0, spread, centres.shape))


def exact_neighbors(descriptors, queries, count):
    """Squared distances and rows by numpy, in double precision."""
    differences = queries[:, None].astype(float) - descriptors
    distances = np.einsum("qnd,qnd->qn", differences, differences)
    rows = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(distances, rows, axis=1), rows


def test_exact_search():
    descriptors, queries = (
        random_descriptors(500),
        random_descriptors(20, 16, 1),
    )
    index = DescriptorIndex.build(descriptors, "exact")
    distances, rows = index.search(queries, 7)

    expected_distances, expected_rows = exact_neighbors(descriptors, queries, 7)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_allclose(distances, expected_distances, atol=1e-5)
    assert (len(index), index.dimension, index.probes) == (500, 16, 0)


@pytest.fixture
def low_limit(monkeypatch):
    """Indexes are quantized from 10,000 descriptors on."""
    monkeypatch.setattr(factories, "EXACT_LIMIT", 10_000)


def test_chosen_index_finds_what_is_near(low_limit, capfd):
    """The nearest is among three for 95% of queries; and faiss is silent."""
    descriptors = clustered(12_000, 0, dimension=6)
    queries = clustered(200, 1, dimension=6)
    index = DescriptorIndex.build(descriptors)
    _, rows = index.search(queries, 3)

    assert index.factory == "IVF256,PQ3x8"
    assert index.probes == factories.choose_probes(256)
    _, nearest = exact_neighbors(descriptors, queries, 1)
    assert np.mean((rows == nearest).any(axis=1)) > 0.95
    assert capfd.readouterr().err == ""


def test_small_index_is_exact_and_silent(capfd):
    index = DescriptorIndex.build(random_descriptors(3))

    assert index.factory == "Flat"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("factory", ["PQ4x4", "IVF4,PQ4x4"])
def test_codes_are_not_trained_for_hamming_distances(monkeypatch, factory):
    """It would take most of the training, and change no result."""
    made = []
    index_factory = faiss.index_factory

    def make(*arguments):
        made.append(index_factory(*arguments))
        return made[-1]

    monkeypatch.setattr(faiss, "index_factory", make)
    DescriptorIndex.build(clustered(700, 0), factory)
    (index,) = made

    assert not index.do_polysemous_training


def test_more_probes_find_more():
    descriptors = random_descriptors(2000)
    queries = random_descriptors(100, seed=1)
    _, nearest = exact_neighbors(descriptors, queries, 1)
    recalls = []
    for probes in (1, 4, 1000):
        index = DescriptorIndex.build(descriptors, "IVF32,Flat", probes)
        assert index.probes == min(probes, 32)
        _, rows = index.search(queries, 1)
        recalls.append(np.mean(rows == nearest))

    assert recalls[0] < recalls[1] < recalls[2] == 1


def test_more_neighbors_than_descriptors():
    index = DescriptorIndex.build(random_descriptors(4))
    distances, rows = index.search(random_descriptors(2, seed=1), 200)

    assert distances.shape == rows.shape == (2, 4)
    assert np.sort(rows, axis=1).tolist() == [[0, 1, 2, 3]] * 2
    assert (np.diff(distances, axis=1) >= 0).all()


def test_neighbors_that_no_probed_list_has_are_missing():
    index = DescriptorIndex.build(clustered(400, 0), "IVF8,Flat", probes=1)
    _, rows = index.search(clustered(5, 1), 400)

    assert rows.shape == (5, 400)
    assert (rows[:, 0] >= 0).all() and (rows[:, -1] == -1).all()


def test_paper_is_a_name():
    with pytest.raises(ValueError, match=r"8192 .*100 .*'IVF8192,PQ10x5'"):
        DescriptorIndex.build(random_descriptors(100, 40), "paper")


@pytest.mark.parametrize(
    ("factory", "problem"),
    [
        ("bogus", "could not parse index string bogus"),
        ("PQ7", "should be a multiple of the number of subquantizers"),
        ("IVF4,PQ7x4", "should be a multiple of the number of subquantizers"),
        ("IVF101,Flat", "101 lists .* 100 descriptors"),
        ("PQ8x8", "100 descriptors.*training points"),
        ("IVF2,PQ8x8", "100 descriptors.*training points"),
    ],
)
def test_an_index_that_cannot_be(factory, problem):
    """One line says why, without the C++ of faiss."""
    with pytest.raises(ValueError, match=problem) as raised:
        DescriptorIndex.build(random_descriptors(100), factory)

    message = str(raised.value)
    assert f"factory='{factory}'" in message
    assert "\n" not in message and "faiss::" not in message


@pytest.fixture(scope="module")
def quantized():
    return DescriptorIndex.build(clustered(700, 0), "IVF8,PQ4x4")


@pytest.mark.parametrize("factory", ["Flat", "IVF8,Flat", "HNSW8"])
def test_loaded_index_finds_the_same(tmp_path, factory):
    descriptors, queries = clustered(700, 0), clustered(30, 1)
    index = DescriptorIndex.build(descriptors, factory, probes=3)
    index.save(tmp_path / "index.faiss")
    loaded = DescriptorIndex.load(tmp_path / "index.faiss", factory)

    for received, expected in zip(
        loaded.search(queries, 9), index.search(queries, 9), strict=True
    ):
        np.testing.assert_array_equal(received, expected)
    assert loaded.probes == index.probes
    assert loaded.factory == factory
    assert len(loaded) == 700


def test_same_descriptors_make_the_same_file(tmp_path, quantized):
    again = DescriptorIndex.build(clustered(700, 0), "IVF8,PQ4x4")
    quantized.save(tmp_path / "a")
    again.save(tmp_path / "b")

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("length", [0, 3, 40, 1000, -1])
def test_truncated_file(tmp_path, quantized, length):
    path = tmp_path / "index.faiss"
    quantized.save(path)
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(
        ValueError, match="A faiss index was expected"
    ) as raised:
        DescriptorIndex.load(path, "IVF8,PQ4x4")
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_other_file(tmp_path):
    path = tmp_path / "index.faiss"
    path.write_text("This is no index. " * 100)

    for file in (path, tmp_path / "absent"):
        with pytest.raises(ValueError, match="A faiss index was expected"):
            DescriptorIndex.load(file, "Flat")
