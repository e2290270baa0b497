"""What is searched by faiss is searched by Milvus in the same way."""

import socket
import sys
import threading
import time

import numpy as np
import pytest

from delf_keras.retrieval import (
    SearchOptions,
    compact_index,
    remove_photographs,
)
from delf_keras.retrieval.descriptor_index import DescriptorIndex
from delf_keras.retrieval.image_index import ImageIndex
from delf_keras.retrieval.milvus import MilvusIndex, copy_descriptors
from delf_keras.retrieval.milvus_collections import CollectionOptions
from delf_keras.retrieval.neighbors import pack_keys

DIMENSION = 16
FINGERPRINT = "0123456789abcdef"
# What is quantized the same way by both; Milvus Lite has no PQ.
FACTORIES = {"FLAT": "Flat", "IVF_FLAT": "IVF16,Flat", "IVF_SQ8": "IVF16,SQ8"}


def clustered(count, seed):
    """Unit vectors around centres that are the same for all seeds."""
    centres = np.random.default_rng(99).normal(size=(100, DIMENSION))
    rng = np.random.default_rng(seed)
    vectors = centres[rng.integers(0, len(centres), count)]
    vectors = vectors + rng.normal(0, 0.4, vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def exact_neighbors(descriptors, queries, count):
    """Squared distances and rows by numpy, in double precision."""
    differences = queries[:, None].astype(float) - descriptors
    distances = np.einsum("qnd,qnd->qn", differences, differences)
    rows = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(distances, rows, axis=1), rows


class Faiss:
    """How tests make and open a faiss index."""

    def __init__(self, folder):
        self._folder = folder

    def build(self, descriptors, keys, kind="FLAT", probes=16):
        factory = FACTORIES.get(kind, "IVF16,PQ8x8")
        index = DescriptorIndex.train(
            descriptors, keys >> 20, factory=factory, probes=probes
        ).with_descriptors(descriptors, keys)
        index.save(self._folder)
        self._factory = factory
        return index

    def reopen(self):
        return DescriptorIndex.load(self._folder, self._factory)


class Milvus:
    """How tests make and open a collection of Milvus Lite."""

    def __init__(self, folder):
        self.uri = str(folder / "milvus.db")
        self._opened = []

    def build(self, descriptors, keys, kind="FLAT", probes=16):
        index = MilvusIndex.create(
            self.uri,
            "descriptors",
            descriptors.shape[1],
            FINGERPRINT,
            CollectionOptions(kind, lists=16),
            probes,
        )
        self._opened.append(index)
        index.add(descriptors, keys)
        index.finish()
        return index

    def reopen(self):
        self.close()
        index = MilvusIndex.open(self.uri, "descriptors", FINGERPRINT)
        self._opened.append(index)
        return index

    def close(self):
        while self._opened:
            self._opened.pop().close()


@pytest.fixture
def milvus(tmp_path):
    """`Milvus` in a folder of its own."""
    pytest.importorskip("pymilvus")
    milvus = Milvus(tmp_path)
    yield milvus
    milvus.close()


@pytest.fixture(params=["faiss", "milvus"])
def engine(request, tmp_path):
    """`Faiss`, and then `Milvus`."""
    if request.param == "milvus":
        return request.getfixturevalue("milvus")
    return Faiss(tmp_path)


def keys_of(count):
    """Keys of rows: 40 of every image."""
    return pack_keys(np.arange(count) // 40, np.arange(count) % 40)


def test_exact_search(engine):
    descriptors, queries = clustered(2000, 0), clustered(70, 1)
    index = engine.build(descriptors, keys_of(2000))
    found = index.search(queries, 9)
    distances, rows = exact_neighbors(descriptors, queries, 9)

    assert (len(index), index.dimension) == (2000, DIMENSION)
    np.testing.assert_array_equal(found.images, rows // 40)
    np.testing.assert_array_equal(found.keypoints, rows % 40)
    np.testing.assert_allclose(found.distances, distances, atol=1e-5)
    assert found.distances.dtype == np.float32
    assert found.images.dtype == np.int64


@pytest.mark.parametrize("kind", ["IVF_FLAT", "IVF_SQ8"])
def test_recall_and_squared_distances(engine, kind):
    descriptors, queries = clustered(6000, 0), clustered(50, 1)
    index = engine.build(descriptors, keys_of(6000), kind, probes=8)
    found = index.search(queries, 20)
    rows = found.images * 40 + found.keypoints
    distances, nearest = exact_neighbors(descriptors, queries, 20)

    shared = [len({*a} & {*b}) for a, b in zip(rows, nearest, strict=True)]
    assert np.mean(shared) / 20 > 0.9
    differences = queries[:, None] - descriptors[rows]
    np.testing.assert_allclose(
        found.distances, (differences**2).sum(-1), atol=0.02
    )


def test_product_quantization_of_faiss(tmp_path):
    """What Milvus Lite cannot do; a server does."""
    descriptors, queries = clustered(6000, 0), clustered(50, 1)
    index = Faiss(tmp_path).build(descriptors, keys_of(6000), "IVF_PQ", 8)
    rows = index.search(queries, 20)
    rows = rows.images * 40 + rows.keypoints
    _, nearest = exact_neighbors(descriptors, queries, 20)
    shared = [len({*a} & {*b}) for a, b in zip(rows, nearest, strict=True)]
    assert np.mean(shared) / 20 > 0.7


def test_keys_come_back(engine):
    """The largest of both parts as well."""
    images = np.array([0, 1, 2**20, 2**40])
    keypoints = np.array([0, 2**20 - 1, 7, 2**20 - 1])
    descriptors = np.eye(4, DIMENSION, dtype=np.float32)
    index = engine.build(descriptors, pack_keys(images, keypoints))
    found = index.search(descriptors, 1)

    np.testing.assert_array_equal(found.images[:, 0], images)
    np.testing.assert_array_equal(found.keypoints[:, 0], keypoints)


def test_opened_again(engine):
    descriptors, queries = clustered(1000, 0), clustered(10, 1)
    before = engine.build(descriptors, keys_of(1000)).search(queries, 5)
    index = engine.reopen()
    found = index.search(queries, 5)

    assert (len(index), index.dimension) == (1000, DIMENSION)
    np.testing.assert_array_equal(found.images, before.images)
    np.testing.assert_allclose(found.distances, before.distances, atol=1e-6)


def test_missing_neighbours(milvus):
    index = milvus.build(clustered(3, 0), keys_of(3))
    found = index.search(clustered(2, 1), 5)

    assert found.images.shape == (2, 5)
    assert (found.images[:, 3:] == -1).all()
    assert np.isinf(found.distances[:, 3:]).all()
    assert index.search(clustered(0, 1), 5).images.shape == (0, 5)


def test_images_are_removed_and_replaced(milvus):
    descriptors = clustered(400, 0)
    index = milvus.build(descriptors, keys_of(400))
    index.remove([2, 7, 99])
    index.finish()

    assert len(index) == 320
    found = index.search(descriptors, 320).images
    assert not np.isin(found, [2, 7]).any()
    index.add(descriptors, keys_of(400))
    index.add(descriptors, keys_of(400))
    index.finish()
    assert len(index) == 400
    assert (
        index.search(descriptors, 1).images[:, 0] == keys_of(400) >> 20
    ).all()


def test_many_queries_are_asked_in_parts(milvus, monkeypatch):
    from delf_keras.retrieval import milvus as module

    descriptors, queries = clustered(500, 0), clustered(23, 1)
    index = milvus.build(descriptors, keys_of(500))
    whole = index.search(queries, 4)
    monkeypatch.setattr(module, "_MOST_ANSWERS", 4 * 5)
    monkeypatch.setattr(module, "_MOST_BYTES_TO_ADD", 4 * DIMENSION * 7)
    index.add(descriptors[:50], keys_of(50))
    parts = index.search(queries, 4)

    np.testing.assert_array_equal(parts.images, whole.images)
    np.testing.assert_array_equal(parts.keypoints, whole.keypoints)


@pytest.mark.parametrize("neighbors", [0, 16_385])
def test_neighbours_are_limited(milvus, neighbors):
    index = milvus.build(clustered(3, 0), keys_of(3))
    with pytest.raises(ValueError, match=f"Received: neighbors={neighbors}"):
        index.search(clustered(1, 1), neighbors)


def test_another_space_is_refused(milvus):
    index = milvus.build(clustered(10, 0), keys_of(10))
    other = "f" * 16
    options = CollectionOptions("FLAT")
    with pytest.raises(ValueError, match=f"{FINGERPRINT}. Received: {other}"):
        MilvusIndex.open(milvus.uri, "descriptors", other)
    with pytest.raises(ValueError, match="Received: ffff"):
        MilvusIndex.create(milvus.uri, "descriptors", 16, other, options)
    with pytest.raises(ValueError, match="16 dimensions. Received: 40"):
        MilvusIndex.create(milvus.uri, "descriptors", 40, FINGERPRINT, options)
    # Who has the file open keeps it.
    assert len(index) == 10


def test_product_quantization_is_refused_by_milvus_lite(milvus):
    with pytest.raises(
        ValueError, match="IVF_SQ8. Received: index_type=IVF_PQ"
    ):
        milvus.build(clustered(10, 0), keys_of(10), "IVF_PQ")
    milvus.build(clustered(10, 0), keys_of(10), None)


def test_nothing_there(milvus, tmp_path):
    with pytest.raises(FileNotFoundError, match="other.db"):
        MilvusIndex.open(tmp_path / "other.db", "descriptors", FINGERPRINT)
    milvus.build(clustered(3, 0), keys_of(3))
    with pytest.raises(FileNotFoundError, match="descriptors. Received: other"):
        MilvusIndex.open(milvus.uri, "other", FINGERPRINT)


def test_unreachable(milvus, caplog, capfd):
    """A closed port, and a port where nobody speaks Milvus."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        threading.Thread(target=_accept, args=(silent,), daemon=True).start()
        for uri in ("http://127.0.0.1:1", f"http://127.0.0.1:{port}"):
            start = time.monotonic()
            with pytest.raises(ConnectionError) as caught:
                MilvusIndex.open(uri, "descriptors", FINGERPRINT)
            assert time.monotonic() - start < 10
            assert uri in str(caught.value)
            assert "\n" not in str(caught.value)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def _accept(server):
    connections = []
    try:
        while True:
            connections.append(server.accept())
    except OSError:
        for connection, _ in connections:
            connection.close()


def test_without_pymilvus(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(ImportError, match=r'"delf-keras\[milvus\]"'):
        MilvusIndex.create(tmp_path / "x.db", "descriptors", 16, FINGERPRINT)


@pytest.fixture
def index(make_photographs, write_index, tmp_path):
    """An `ImageIndex` of 12 photographs, two of them removed."""
    folder = write_index(tmp_path / "index", make_photographs(12))
    remove_photographs(folder, ["0/003.jpg", "0/010.jpg"])
    return ImageIndex.load(folder)


def test_image_index_ranks_the_same(index, make_photographs, milvus):
    """As one that has no codes of removed photographs any more either."""
    with MilvusIndex.create(
        milvus.uri, "copy", 16, index.fingerprint, CollectionOptions("FLAT")
    ) as engine:
        assert copy_descriptors(index.database, engine) == 400
        compact_index(index.folder)
        compacted = ImageIndex.load(index.folder)
        searched = index.with_engine(engine)
        for _, query in make_photographs(12):
            options = SearchOptions(neighbors=30)
            expected, found = (
                each.search(query, 10, options)
                for each in (compacted, searched)
            )
            assert [each.name for each in found] == [
                each.name for each in expected
            ]
            np.testing.assert_allclose(
                [each.score for each in found],
                [each.score for each in expected],
                rtol=1e-4,
            )
        assert copy_descriptors(index.database, engine) == len(engine) == 400


def test_engine_that_knows_more_than_the_index(index, make_photographs):
    """Photographs that were removed, or added since, are nobody."""
    rows = clustered(3 * 40, 5)
    numbers = np.repeat([3, 4, 50], 40)
    engine = Faiss(index.folder).build(
        rows, pack_keys(numbers, np.arange(120) % 40)
    )
    found = index.with_engine(engine).database.search(rows[:5], 120)
    expected = np.where(found.images >= 0, 3, -1)

    assert (np.sum(found.images >= 0, axis=1) == 40).all()
    # The fourth photograph is missing: the fifth is at position 3.
    np.testing.assert_array_equal(found.images, expected)
