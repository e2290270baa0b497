"""A database is one, whatever segments it has and what was removed."""

from dataclasses import replace

import numpy as np
import pytest

from delf_keras.retrieval.database import Database
from delf_keras.retrieval.index_training import learn
from delf_keras.retrieval.segment import Segment


@pytest.fixture(scope="module")
def named_features(make_photographs):
    return make_photographs(12)


@pytest.fixture(scope="module")
def learned(named_features):
    return learn([each for _, each in named_features], factory="exact")


@pytest.fixture(scope="module")
def segments(learned, named_features):
    """Of five, one and six photographs."""
    return [
        Segment.build(learned, named_features[first:last], first)
        for first, last in ((0, 5), (5, 6), (6, 12))
    ]


@pytest.fixture(scope="module")
def whole(learned, named_features):
    return Database(learned, [Segment.build(learned, named_features, 0)])


def test_segments_give_what_one_gives(learned, segments, whole, named_features):
    database = Database(learned, segments)
    query = named_features[7][1].descriptors
    found, expected = (each.search(query, 50) for each in (database, whole))

    assert len(database) == 12 and database.num_descriptors == 480
    assert database.names == [name for name, _ in named_features]
    np.testing.assert_array_equal(found.images, expected.images)
    np.testing.assert_array_equal(found.keypoints, expected.keypoints)
    np.testing.assert_allclose(found.distances, expected.distances, atol=1e-6)
    np.testing.assert_allclose(
        database.word_similarities(query), whole.word_similarities(query)
    )
    among = np.arange(12) % 2 == 1
    np.testing.assert_allclose(
        database.word_similarities(query, among),
        np.where(among, whole.word_similarities(query), 0),
    )


@pytest.mark.parametrize(
    "factory", ["exact", "IVF4,Flat", "IVF4,PQ4x4", "OPQ4_8,IVF4,PQ4x4"]
)
def test_removed_photographs_take_no_places(named_features, factory):
    """Of the nearest neighbors, though they were nearer."""
    learned = learn(
        [each for _, each in named_features], factory=factory, probes=4
    )
    segments = [Segment.build(learned, named_features, 0)]
    query = named_features[7][1].descriptors
    removed = [*range(9)]
    found = Database(learned, segments, removed).search(query, 100)

    assert found.images.shape == (40, 100)
    assert np.isin(found.images, range(3)).all()


def test_removed_photographs_are_not_there(learned, segments, named_features):
    """A photograph is known by its position among the others."""
    database = Database(learned, segments, removed=[0, 5, 7])
    left = [1, 2, 3, 4, 6, 8, 9, 10, 11]

    assert database.numbers.tolist() == left
    assert database.num_descriptors == 360
    assert database.names == [named_features[i][0] for i in left]
    for image, number in enumerate(left):
        features = named_features[number][1]
        np.testing.assert_array_equal(
            database.features_of(image)[0], features.locations
        )
        found = database.search(features.descriptors, 1)
        assert (found.images == image).all()
        assert np.argmax(database.word_similarities(features.descriptors)) == (
            image
        )
    found = database.search(named_features[7][1].descriptors, 480)
    assert np.isin(found.images, range(-1, 9)).all()
    assert np.sum(found.images == -1) == 3 * 40 * 40


def test_last_photographs_are_removed(learned, segments, whole, named_features):
    """Segments still have descriptors of greater numbers than are left."""
    query = named_features[11][1].descriptors
    for each in (segments, whole.segments):
        database = Database(learned, each, removed=[9, 10, 11])
        images = database.search(query, 480).images
        assert np.unique(images).tolist() == [-1, *range(9)]


def test_background_and_global_descriptors_are_those_of_what_is_left(
    named_features,
):
    rng = np.random.default_rng(0)
    named = [
        (name, replace(each, global_descriptor=rng.normal(0, 1, 8)))
        for name, each in named_features
    ]
    learned = learn([each for _, each in named], factory="exact")
    background = np.arange(12, dtype=np.float32)
    segments = [
        replace(
            Segment.build(learned, named[first:last], first),
            background=background[first:last],
        )
        for first, last in ((0, 5), (5, 12))
    ]
    database = Database(learned, segments, removed=[4, 11])
    left = np.delete(np.arange(12), [4, 11])
    query = named[7][1].global_descriptor

    np.testing.assert_array_equal(database.background, background[left])
    np.testing.assert_allclose(
        database.global_descriptors.similarities(query),
        Database(learned, segments).global_descriptors.similarities(query)[
            left
        ],
        atol=1e-6,
    )
