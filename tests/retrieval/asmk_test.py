"""ASMK, against its equations computed image by image."""

import numpy as np
import pytest

from delf_keras.retrieval import image_words
from delf_keras.retrieval.aggregation import Words, aggregate, train_codebook
from delf_keras.retrieval.asmk import (
    AsmkIndex,
    AsmkOptions,
    choose_words,
    merge_asmk,
)

COUNTS = [80, 50, 0, 120]


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return [rng.normal(0, 1, (n, 20)).astype(np.float32) for n in COUNTS]


@pytest.fixture(scope="module")
def words(images):
    # A descriptor that is a word by itself has no residual.
    codebook = train_codebook(np.concatenate(images), 30)
    return Words(codebook + np.float32(0.01))


def make_index(images, words, **options):
    descriptors = np.concatenate(images)
    return AsmkIndex.build(
        descriptors,
        np.repeat(np.arange(len(images)), [*map(len, images)]),
        len(images),
        words,
        words.assign(descriptors),
        AsmkOptions(**{"binary": False} | options),
    )


def by_loops(query, images, words, options):
    """The similarity of the paper, a word at a time."""

    def words_of(descriptors, assignments):
        result = aggregate(
            descriptors,
            np.zeros(len(descriptors), int),
            words.centroids,
            words.assign(descriptors, assignments),
            binary=False,
        )
        vectors = result.residuals
        if options.binary:
            # Unit vectors of signs: a product is 1 - 2 * hamming / bits.
            vectors = np.where(vectors > 0, 1, -1) / np.sqrt(20)
        return dict(zip(result.words, vectors, strict=True))

    q = words_of(query, options.query_assignments)
    scores = []
    for image in images:
        d = words_of(image, 1)
        total = 0.0
        for word in q.keys() & d.keys():
            u = q[word] @ d[word]
            if u > options.threshold:
                total += u**options.alpha
        scores.append(total / np.sqrt(max(len(q) * len(d), 1)))
    return scores


def score(index, descriptors, among=None):
    return index.score(index.aggregate_query(descriptors), among)


@pytest.mark.parametrize(
    "options",
    [
        AsmkOptions(binary=False),
        AsmkOptions(binary=True, query_assignments=5, alpha=3.0),
        AsmkOptions(
            binary=False, query_assignments=1, alpha=3.0, threshold=0.2
        ),
    ],
)
def test_equals_the_equations(images, words, options):
    query = images[1] + 0.3
    index = make_index(images, words, **vars(options))
    expected = by_loops(query, images, words, options)

    # Residuals are kept in half precision.
    np.testing.assert_allclose(score(index, query), expected, atol=5e-4)


@pytest.mark.parametrize("binary", [False, True])
def test_image_finds_itself(images, words, binary):
    index = make_index(images, words, binary=binary, query_assignments=1)
    for image in (0, 1, 3):
        scores = score(index, images[image])
        assert np.argmax(scores) == image
        assert scores[image] == pytest.approx(1, abs=1e-3)


def test_empty_query_and_image(images, words):
    index = make_index(images, words)

    assert score(index, images[0])[2] == 0
    np.testing.assert_array_equal(score(index, images[2]), np.zeros(4))


@pytest.mark.parametrize("binary", [False, True])
def test_saved_index_scores_the_same(images, words, binary, tmp_path):
    index = make_index(images, words, binary=binary)
    index.save(tmp_path / "asmk")
    loaded = AsmkIndex.load(tmp_path / "asmk", words, index.options)

    np.testing.assert_array_equal(
        score(loaded, images[0]), score(index, images[0])
    )


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("cached_words", [3, 1 << 16])
def test_scores_among_some_images(
    images, words, binary, cached_words, monkeypatch
):
    monkeypatch.setattr(image_words, "_CACHED_WORDS", cached_words)
    index = make_index(images, words, binary=binary)
    scores = score(index, images[3])
    among = np.array([True, False, True, True])

    np.testing.assert_allclose(
        score(index, images[3], among), np.where(among, scores, 0)
    )
    assert not score(index, images[3], np.zeros(4, bool)).any()


@pytest.mark.parametrize("binary", [False, True])
def test_merged_is_built_at_once(images, words, binary, tmp_path):
    """Without the image that is not kept."""
    parts = [
        make_index(part, words, binary=binary)
        for part in (images[:2], images[2:], images[:1])
    ]
    kept = [np.array(each) for each in ([True, False], [True] * 2, [True])]
    merge_asmk(parts, kept, tmp_path / "asmk")
    merged = AsmkIndex.load(tmp_path / "asmk", words, parts[0].options)
    at_once = make_index(
        [images[0], images[2], images[3], images[0]], words, binary=binary
    )

    for name in ("offsets", "images", "residuals", "num_words"):
        np.testing.assert_array_equal(
            getattr(merged, name), getattr(at_once, name)
        )
    for name in ("counts", "words", "rows"):
        np.testing.assert_array_equal(
            getattr(merged.image_words, name),
            getattr(at_once.image_words, name),
        )


def test_index_of_an_earlier_version_has_no_image_words(
    images, words, tmp_path
):
    index = make_index(images, words)
    index.save(tmp_path / "asmk")
    for path in tmp_path.glob("asmk/image_*.npy"):
        path.unlink()
    loaded = AsmkIndex.load(tmp_path / "asmk", words, index.options)
    among = np.array([True, False, True, True])

    np.testing.assert_array_equal(
        score(loaded, images[0], among), score(index, images[0], among)
    )


@pytest.mark.parametrize("name", ["images", "image_words", "image_rows"])
def test_arrays_that_do_not_belong_together(images, words, name, tmp_path):
    index = make_index(images, words)
    index.save(tmp_path / "asmk")
    path = tmp_path / f"asmk/{name}.npy"
    np.save(path, np.load(path)[:-1])
    with pytest.raises(ValueError, match="do not belong together"):
        AsmkIndex.load(tmp_path / "asmk", words, index.options)


def test_signs_are_kept_of_large_databases():
    few, many = (
        AsmkOptions().chosen(count, 100) for count in (5_000_000, 5_000_001)
    )
    assert (few.binary, many.binary) == (False, True)
    assert few.num_words == 100
    assert AsmkOptions(binary=True).chosen(10, 1).binary


def test_number_of_words():
    assert choose_words(1) == 1
    assert choose_words(20) == 5
    assert choose_words(20_000) == 256
    assert choose_words(128_000) == 1000
    assert choose_words(100_000_000) == 65_536


@pytest.mark.parametrize(
    "options",
    [
        {"num_words": 0},
        {"query_assignments": 0},
        {"alpha": 0},
        {"threshold": 1},
    ],
)
def test_options_out_of_range(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"Received: {name}={value}"):
        AsmkOptions(**options)
