"""Nearest descriptors, exact and by product quantization, in parts."""

import time

import faiss
import numpy as np
import pytest

from delf_keras.retrieval import factory as factories
from delf_keras.retrieval import faiss_training
from delf_keras.retrieval.descriptor_index import DescriptorIndex
from delf_keras.retrieval.faiss_files import merge_on_disk
from delf_keras.retrieval.image_store import ImageStore
from delf_keras.retrieval.neighbors import keys_of_images

FACTORIES = [
    "Flat",
    "IVF8,Flat",
    "IVF8,PQ8x8",
    "IVF8,PQ8x4",
    "IVF8_HNSW8,PQ16x4",
    "IVF8,SQ8",
    "OPQ4_16,IVF8,PQ4x4",
    "IVF8,PQ8x4fsr",
    "IVF8,PQ4x4,Refine(SQ8)",
]


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


def build(descriptors, factory=None, **options):
    """An index in which every descriptor is a photograph."""
    rows = np.arange(len(descriptors))
    index = DescriptorIndex.train(descriptors, rows, factory=factory, **options)
    keys = keys_of_images(rows, np.arange(len(rows) + 1))
    return index.with_descriptors(descriptors, keys)


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
    index = build(descriptors, "exact")
    found = index.search(queries, 7)

    distances, rows = exact_neighbors(descriptors, queries, 7)
    np.testing.assert_array_equal(found.images, rows)
    assert not found.keypoints.any()
    np.testing.assert_allclose(found.distances, distances, atol=1e-5)
    assert (len(index), index.dimension, index.probes) == (500, 16, 0)


@pytest.fixture
def low_limit(monkeypatch):
    """Indexes are quantized from 10,000 descriptors on."""
    monkeypatch.setattr(factories, "EXACT_LIMIT", 10_000)


def test_chosen_index_finds_what_is_near(low_limit, capfd):
    """The nearest is among three for 95% of queries; and faiss is silent."""
    descriptors = clustered(12_000, 0, dimension=6)
    queries = clustered(200, 1, dimension=6)
    index = build(descriptors, recall=0.99)
    found = index.search(queries, 3).images

    assert index.factory == "IVF256,PQ3x8"
    _, nearest = exact_neighbors(descriptors, queries, 1)
    assert np.mean((found == nearest).any(axis=1)) > 0.95
    assert capfd.readouterr().err == ""


def test_small_index_is_exact_and_silent(capfd):
    index = build(random_descriptors(3))

    assert index.factory == "Flat"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("factory", ["PQ4x4", "IVF4,PQ4x4"])
def test_codes_are_not_trained_for_hamming_distances(factory):
    """It would take most of the training, and change no result."""
    index = faiss_training.make_faiss_index(16, factory)
    assert not index.do_polysemous_training


def test_more_neighbors_than_descriptors():
    index = build(random_descriptors(4))
    found = index.search(random_descriptors(2, seed=1), 200)

    assert found.distances.shape == found.images.shape == (2, 4)
    assert np.sort(found.images, axis=1).tolist() == [[0, 1, 2, 3]] * 2
    assert (np.diff(found.distances, axis=1) >= 0).all()


def test_neighbors_that_no_probed_list_has_are_missing():
    index = build(clustered(400, 0), "IVF8,Flat", probes=1)
    images = index.search(clustered(5, 1), 400).images

    assert images.shape == (5, 400)
    assert (images[:, 0] >= 0).all() and (images[:, -1] == -1).all()


def test_fast_scan_finds_what_plain_codes_have(monkeypatch):
    """Its tables have 8 bits: distances differ a little."""
    descriptors, queries = clustered(3000, 0), clustered(50, 1)
    fast = build(descriptors, "IVF8,PQ16x4", probes=8)
    plain = build(descriptors, "IVF8,PQ16x4", probes=8)
    monkeypatch.setattr(plain, "_searcher", plain._index)

    assert isinstance(fast.searcher, faiss.IndexIVFPQFastScan)
    one, other = (index.search(queries, 60) for index in (fast, plain))
    shared = [
        np.isin(a, b).mean()
        for a, b in zip(one.images, other.images, strict=True)
    ]
    assert np.mean(shared) > 0.95
    np.testing.assert_allclose(one.distances, other.distances, atol=0.03)


def test_tables_are_made_by_the_first_search(tmp_path):
    """An index that is opened to be merged goes without."""
    build(clustered(3000, 0), "IVF8,PQ8x8").save(tmp_path)
    opened = DescriptorIndex.load(tmp_path, "IVF8,PQ8x8")
    tables = opened._index.precomputed_table

    assert not tables.size()
    opened.search(clustered(1, 1), 5)
    assert tables.size() == 8 * 8 * 256


def test_assigned_descriptors_give_the_same_index():
    descriptors, queries = clustered(700, 0), clustered(30, 1)
    rows = np.arange(700)
    keys = keys_of_images(rows, np.arange(701))
    trained = DescriptorIndex.train(descriptors, rows, factory="IVF8,PQ8x8")
    lists = trained.words.assign(descriptors)[:, 0]
    one = trained.with_descriptors(descriptors, keys)
    other = trained.with_descriptors(descriptors, keys, lists)

    assert len(trained) == 0 and len(other) == 700
    for name in ("distances", "images"):
        np.testing.assert_array_equal(
            getattr(one.search(queries, 9), name),
            getattr(other.search(queries, 9), name),
        )


def test_all_cores_search_where_lists_are_given():
    index = build(clustered(20_000, 0), "IVF8,PQ8x8", probes=8)
    queries = clustered(500, 1)
    lists = index.words.nearest(queries, 8)
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(2)
    try:
        own, whole = time.thread_time(), time.process_time()
        found = index.search(queries, 9, lists)
        own, whole = time.thread_time() - own, time.process_time() - whole
    finally:
        faiss.omp_set_num_threads(threads)

    assert own < 0.8 * whole
    expected = index.search(queries, 9)
    np.testing.assert_array_equal(found.images, expected.images)
    np.testing.assert_array_equal(found.distances, expected.distances)


@pytest.mark.parametrize("factory", ["Flat", "OPQ4_16,IVF8,PQ4x4"])
def test_only_plain_lists_have_words(factory):
    assert build(clustered(700, 0), factory).words is None


def test_paper_is_a_name():
    with pytest.raises(ValueError, match=r"8192 .*100 .*'IVF8192,PQ10x5'"):
        build(random_descriptors(100, 40), "paper")


@pytest.mark.parametrize(
    ("factory", "problem"),
    [
        ("bogus", "could not parse index string bogus"),
        ("PQ7", "should be a multiple of the number of subquantizers"),
        ("IVF4,PQ7x4", "should be a multiple of the number of subquantizers"),
        ("IVF101,Flat", "101 lists .* 100 descriptors"),
        ("PQ8x8", "100 descriptors.*training points"),
        ("IVF2,PQ8x8", "100 descriptors.*training points"),
        ("IVF0,Flat", "at least one list"),
        ("IDMap,Flat", "with numbers for keys"),
        ("L2norm,Flat", "with numbers for keys"),
        ("ITQ16,LSH", "with numbers for keys"),
        ("NSG16", "with numbers for keys"),
    ],
)
def test_an_index_that_cannot_be(factory, problem):
    """One line says why, without the C++ of faiss."""
    with pytest.raises(ValueError, match=problem) as raised:
        build(random_descriptors(100), factory)

    message = str(raised.value)
    assert f"factory='{factory}'" in message
    assert "\n" not in message and "faiss::" not in message


@pytest.mark.parametrize("factory", [*FACTORIES, "HNSW8"])
def test_loaded_index_finds_the_same(tmp_path, factory):
    descriptors, queries = clustered(700, 0), clustered(30, 1)
    index = build(descriptors, factory, probes=3)
    index.save(tmp_path)
    loaded = DescriptorIndex.load(tmp_path, factory)
    received, expected = (each.search(queries, 9) for each in (loaded, index))

    for name in ("distances", "images", "keypoints"):
        np.testing.assert_array_equal(
            getattr(received, name), getattr(expected, name)
        )
    assert loaded.probes == index.probes
    assert loaded.factory == factory
    assert len(loaded) == 700


def make_store(descriptors, numbers):
    """Photographs of ten descriptors each."""
    count = len(numbers)
    return ImageStore(
        numbers=numbers,
        names=["a.jpg"] * count,
        sizes=np.zeros((count, 2), np.int32),
        digests=np.zeros((count, 32), np.uint8),
        offsets=np.arange(0, 10 * count + 1, 10),
        locations=np.zeros((10 * count, 2), np.float32),
        scales=np.ones(10 * count, np.float32),
        descriptors=descriptors.reshape(-1, 10, 16)[numbers]
        .reshape(-1, 16)
        .astype(np.float16),
    )


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("factory", [*FACTORIES, "IVF8,PQ4x4"])
def test_merged_parts_are_one(factory, times, tmp_path, capfd):
    """Without what is not kept; and what was merged merges again."""
    descriptors = clustered(900, 0).astype(np.float16).astype(np.float32)
    trained = DescriptorIndex.train(
        descriptors, np.arange(900), factory=factory, probes=8
    )

    def add(store):
        keys = keys_of_images(store.numbers, store.offsets)
        return trained.with_descriptors(
            store.descriptors.astype(np.float32), keys
        )

    stores = [
        make_store(descriptors, np.arange(50)),
        make_store(descriptors, np.arange(50, 90)),
    ]
    parts = []
    for number, store in enumerate(stores):
        folder = tmp_path / str(number)
        folder.mkdir()
        add(store).save(folder)
        parts.append(DescriptorIndex.load(folder, factory))
    kept = [np.arange(50) != 7, np.ones(40, bool)]
    merged = tmp_path / "merged"
    merged.mkdir()
    trained.merge(parts, stores, kept, merged)
    index = DescriptorIndex.load(merged, factory)
    store = make_store(descriptors, np.delete(np.arange(90), 7))
    if times == 2:
        again = tmp_path / "again"
        again.mkdir()
        trained.merge([index], [store], [store.numbers != 60], again)
        index = DescriptorIndex.load(again, factory)
        store = make_store(descriptors, np.delete(np.arange(90), [7, 60]))

    at_once = add(store)
    queries = clustered(30, 1)
    received, expected = (each.search(queries, 60) for each in (index, at_once))
    assert len(index) == len(at_once) == 10 * len(store)
    np.testing.assert_allclose(
        received.distances, expected.distances, atol=1e-6
    )
    # Codes of few bits are often equally near, in any order.
    shared = [
        np.isin(a, b).mean()
        for a, b in zip(received.images, expected.images, strict=True)
    ]
    assert np.mean(shared) > 0.99
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("factory", ["Flat", "IVF8,Flat", "IVF8,PQ8x4"])
def test_part_of_which_nothing_is_kept(factory, tmp_path):
    descriptors = clustered(900, 0)
    trained = DescriptorIndex.train(
        descriptors, np.arange(900), factory=factory, probes=8
    )
    stores = [
        make_store(descriptors, numbers)
        for numbers in (np.arange(50), np.arange(50, 90))
    ]
    parts = [
        trained.with_descriptors(
            store.descriptors, keys_of_images(store.numbers, store.offsets)
        )
        for store in stores
    ]
    trained.merge(
        parts, stores, [np.zeros(50, bool), np.ones(40, bool)], tmp_path
    )
    index = DescriptorIndex.load(tmp_path, factory)

    assert len(index) == 400
    images = index.search(descriptors[:20], 400).images
    assert np.unique(images).tolist() == [*range(50, 90)]


@pytest.fixture(scope="module")
def quantized():
    return build(clustered(700, 0), "IVF8,PQ4x4")


def test_full_disk_is_an_error_of_a_merge(tmp_path, quantized, full_disk):
    index = quantized._index
    with full_disk(1000), pytest.raises(OSError, match="File too large"):
        merge_on_disk(index, [index], tmp_path)


def test_same_descriptors_make_the_same_file(tmp_path, quantized):
    for name, index in (
        ("a", quantized),
        ("b", build(clustered(700, 0), "IVF8,PQ4x4")),
    ):
        (tmp_path / name).mkdir()
        index.save(tmp_path / name)
    one, other = (
        (tmp_path / name / "descriptors.faiss").read_bytes() for name in "ab"
    )
    assert one == other


@pytest.mark.parametrize("length", [0, 3, 40, 1000])
def test_truncated_file(tmp_path, quantized, length):
    quantized.save(tmp_path)
    path = tmp_path / "descriptors.faiss"
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(
        ValueError, match="A faiss index was expected"
    ) as raised:
        DescriptorIndex.load(tmp_path, "IVF8,PQ4x4")
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_other_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        DescriptorIndex.load(tmp_path / "absent", "Flat")
    (tmp_path / "descriptors.faiss").write_text("This is no index. " * 100)
    with pytest.raises(ValueError, match="A faiss index was expected"):
        DescriptorIndex.load(tmp_path, "Flat")
