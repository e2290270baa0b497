"""Segments are saved, mapped and merged."""

from dataclasses import replace

import numpy as np
import pytest

from delf_keras.retrieval.index_training import learn
from delf_keras.retrieval.segment import Segment, merge_segments


@pytest.fixture(scope="module")
def named_features(make_photographs):
    return make_photographs(12)


@pytest.fixture(
    scope="module",
    params=[("exact", "float16"), ("exact", "int8"), ("IVF8,PQ8x8", "int8")],
)
def learned(request, named_features):
    factory, descriptor_type = request.param
    return learn(
        [each for _, each in named_features],
        factory=factory,
        probes=8,
        descriptor_type=descriptor_type,
    )


def assert_same_segment(received, expected):
    for name in ("numbers", "digests", "descriptors", "offsets"):
        np.testing.assert_array_equal(
            getattr(received.store, name), getattr(expected.store, name)
        )
    for name in ("offsets", "images", "residuals", "num_words"):
        np.testing.assert_array_equal(
            getattr(received.asmk, name), getattr(expected.asmk, name)
        )
    np.testing.assert_array_equal(received.background, expected.background)
    query = expected.store.features_of(0)[2]
    for name in ("images", "keypoints"):
        np.testing.assert_array_equal(
            *(
                getattr(each.descriptor_index.search(query, 20), name)
                for each in (received, expected)
            )
        )


def test_loaded_segment_is_the_saved_one(learned, named_features, tmp_path):
    segment = Segment.build(learned, named_features, 5, [b"x" * 32] * 12)
    segment.save(tmp_path)

    assert_same_segment(Segment.load(tmp_path, learned), segment)
    assert segment.store.numbers[0] == 5


def test_merged_segments_are_one(learned, named_features, tmp_path):
    parts = []
    for first, last in ((0, 5), (5, 12)):
        segment = Segment.build(learned, named_features[first:last], first)
        folder = tmp_path / str(first)
        folder.mkdir()
        segment.save(folder)
        parts.append(Segment.load(folder, learned))
    merged = tmp_path / "merged"
    merged.mkdir()
    merge_segments(parts, [], learned, merged)

    assert_same_segment(
        Segment.load(merged, learned),
        Segment.build(learned, named_features, 0),
    )


def test_values_of_photographs_are_merged(named_features, tmp_path):
    """Global descriptors and backgrounds, without those removed."""
    rng = np.random.default_rng(0)
    named = [
        (name, replace(each, global_descriptor=rng.normal(0, 1, 8)))
        for name, each in named_features
    ]
    learned = learn([each for _, each in named], factory="exact")
    whole = replace(
        Segment.build(learned, named, 0),
        background=np.linspace(0.5, 1.5, 12, dtype=np.float32),
    )
    parts = []
    for first, last in ((0, 5), (5, 12)):
        folder = tmp_path / str(first)
        folder.mkdir()
        segment = Segment.build(learned, named[first:last], first)
        replace(segment, background=whole.background[first:last]).save(folder)
        parts.append(Segment.load(folder, learned))
    merged = tmp_path / "merged"
    merged.mkdir()
    merge_segments(parts, [0, 11], learned, merged)
    segment = Segment.load(merged, learned)

    np.testing.assert_array_equal(segment.background, whole.background[1:-1])
    np.testing.assert_allclose(
        segment.global_descriptors, whole.global_descriptors[1:-1], atol=1e-6
    )


def test_removed_photographs_are_left_out(learned, named_features, tmp_path):
    segment = Segment.build(learned, named_features, 0)
    merge_segments([segment], [3, 11], learned, tmp_path)
    merged = Segment.load(tmp_path, learned)
    found = merged.descriptor_index.search(named_features[3][1].descriptors, 99)

    assert merged.store.numbers.tolist() == [0, 1, 2, *range(4, 11)]
    assert not np.isin(found.images, [3, 11]).any()


def test_files_of_two_segments(learned, named_features, tmp_path):
    for name, photographs in (("a", named_features), ("b", named_features[:3])):
        (tmp_path / name).mkdir()
        Segment.build(learned, photographs, 0).save(tmp_path / name)
    (tmp_path / "b/background.npy").rename(tmp_path / "a/background.npy")

    with pytest.raises(ValueError, match="a has 12 images, 480 descriptors"):
        Segment.load(tmp_path / "a", learned)
