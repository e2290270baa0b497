"""The stages of a search and the options that change them."""

import dataclasses

import numpy as np
import pytest

from delf_keras.features.extractor import Extractor
from delf_keras.retrieval import ImageIndex, PcaOptions, SearchOptions
from delf_keras.retrieval.first_scores import score_images, word_similarities
from delf_keras.retrieval.voting import vote


@pytest.fixture(scope="module")
def index(photographs, tiny_model, tiny_extractor):
    """With global descriptors."""
    options = dataclasses.replace(tiny_extractor.options, global_power=3.0)
    return ImageIndex.build(
        photographs,
        Extractor(tiny_model, options=options),
        pca=PcaOptions(16),
        augmentation=1,
    )


@pytest.fixture(scope="module")
def query(index, photographs):
    return index.extractor.extract(photographs / index.database.names[3])


def votes_of(query, index, weighting="margin"):
    found = index.database.search(query.descriptors, 300)
    return vote(found.distances, found.images, len(index), weighting)


@pytest.mark.parametrize("weighting", ["margin", "count"])
def test_votes_alone(index, query, weighting):
    options = SearchOptions(
        first_score="votes", vote_weighting=weighting, background=False
    )
    first = score_images(query, index.database, options)

    np.testing.assert_array_equal(
        first.scores, votes_of(query, index, weighting)
    )
    assert first.reach.shape == (len(query),)


def test_counted_votes_are_neighbors(index, query):
    assert votes_of(query, index, "count").sum() == len(query) * 300


def test_fused_is_the_product(index, query):
    scores = score_images(query, index.database, SearchOptions()).scores
    expected = votes_of(query, index) / index.database.background
    expected *= word_similarities(query.descriptors, index.database, None)

    np.testing.assert_allclose(scores, expected)


def test_words_of_the_most_voted_are_compared(index, query, monkeypatch):
    from delf_keras.retrieval import first_scores

    everywhere = score_images(query, index.database, SearchOptions())
    monkeypatch.setattr(first_scores, "_SHORTLIST", 2)
    first = score_images(query, index.database, SearchOptions())
    voted = np.argsort(-votes_of(query, index) / index.database.background)

    assert everywhere.among is None
    assert sorted(np.flatnonzero(first.among)) == sorted(voted[:2])
    np.testing.assert_allclose(
        first.scores[voted[:2]], everywhere.scores[voted[:2]]
    )
    assert first.scores[voted[2:]].max() < first.scores[voted[:2]].min()


def test_words_alone(index, query):
    options = SearchOptions(first_score="asmk")
    scores = score_images(query, index.database, options).scores

    np.testing.assert_array_equal(
        scores, word_similarities(query.descriptors, index.database, None)
    )
    assert np.argmax(scores) == 3


def test_global_descriptor_alone_and_as_a_factor(index, query):
    alone = SearchOptions(first_score="global", candidates=0)
    weighted = SearchOptions(global_weight=2.0)
    descriptors = index.database.global_descriptors
    cosines = descriptors.similarities(query.global_descriptor)
    fused = score_images(query, index.database, SearchOptions()).scores

    assert index.rank(query, alone)[0] == 3
    np.testing.assert_allclose(
        score_images(query, index.database, weighted).scores,
        fused * np.exp(2 * cosines),
        rtol=1e-6,
    )


def test_index_without_global_descriptors(tiny_index, query):
    query = dataclasses.replace(query, fingerprint=tiny_index.fingerprint)
    with pytest.raises(ValueError, match="global_power=3.*an index without"):
        tiny_index.rank(query, SearchOptions(first_score="global"))


def test_global_descriptors_are_saved(index, query, tmp_path):
    index.save(tmp_path / "index")
    options = SearchOptions(global_weight=1.0)

    np.testing.assert_array_equal(
        ImageIndex.load(tmp_path / "index").rank(query, options),
        index.rank(query, options),
    )


def test_expansion_raises_what_looks_like_the_found(index, query):
    """The query is in the database: it is found beyond doubt, and joins."""
    options = SearchOptions(expansion=1)
    first = index.first_scores(query, options)
    verified = index.verify(query, first, options)
    scores = {
        count: index.final_scores(
            query,
            first,
            verified,
            dataclasses.replace(options, expansion=count),
        )
        for count in (0, 1)
    }
    assert verified[3].weight > 2.5
    assert np.argmax(scores[1]) == 3
    # Its own words, twice, are the same words.
    assert scores[1][3] == pytest.approx(scores[0][3], rel=0.01)


def test_nothing_sure_leaves_the_scores(index, query):
    options = SearchOptions()
    first = index.first_scores(query, options)

    np.testing.assert_array_equal(
        index.final_scores(query, first, {}, options), first.scores
    )


@pytest.mark.parametrize(
    "options", [{"model": "rigid"}, {"ranking": "x"}, {"first_score": ""}]
)
def test_unknown_choice(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"Received: {name}={value!r}"):
        SearchOptions(**options)
