"""ASMK, against its equations computed image by image."""

import numpy as np
import pytest

from delf_keras.retrieval.aggregation import aggregate, train_codebook
from delf_keras.retrieval.asmk import AsmkIndex, AsmkOptions, choose_words

COUNTS = [80, 50, 0, 120]


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return [rng.normal(0, 1, (n, 20)).astype(np.float32) for n in COUNTS]


@pytest.fixture(scope="module")
def codebook(images):
    # A descriptor that is a word by itself has no residual.
    return train_codebook(np.concatenate(images), 30) + np.float32(0.01)


def make_index(images, codebook, **options):
    return AsmkIndex.build(
        np.concatenate(images),
        np.repeat(np.arange(len(images)), [*map(len, images)]),
        len(images),
        codebook,
        AsmkOptions(**options),
    )


def by_loops(query, images, codebook, options):
    """The similarity of the paper, a word at a time."""

    def words_of(descriptors, assignments):
        result = aggregate(
            descriptors,
            np.zeros(len(descriptors), int),
            codebook,
            assignments,
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


@pytest.mark.parametrize(
    "options",
    [
        AsmkOptions(),
        AsmkOptions(binary=True, query_assignments=5, alpha=3.0),
        AsmkOptions(query_assignments=1, alpha=3.0, threshold=0.2),
    ],
)
def test_equals_the_equations(images, codebook, options):
    query = images[1] + 0.3
    index = make_index(images, codebook, **vars(options))
    expected = by_loops(query, images, codebook, options)

    # Residuals are kept in half precision.
    np.testing.assert_allclose(index.score(query), expected, atol=5e-4)


@pytest.mark.parametrize("binary", [False, True])
def test_image_finds_itself(images, codebook, binary):
    index = make_index(images, codebook, binary=binary, query_assignments=1)
    for image in (0, 1, 3):
        scores = index.score(images[image])
        assert np.argmax(scores) == image
        assert scores[image] == pytest.approx(1, abs=1e-3)


def test_empty_query_and_image(images, codebook):
    index = make_index(images, codebook)

    assert index.score(images[0])[2] == 0
    np.testing.assert_array_equal(index.score(images[2]), np.zeros(4))


@pytest.mark.parametrize("binary", [False, True])
def test_saved_index_scores_the_same(images, codebook, binary, tmp_path):
    index = make_index(images, codebook, binary=binary)
    index.save(tmp_path / "asmk")
    loaded = AsmkIndex.load(tmp_path / "asmk", index.options)

    np.testing.assert_array_equal(
        loaded.score(images[0]), index.score(images[0])
    )


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
