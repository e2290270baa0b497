"""A photograph finds the same place among others, whatever was done to it."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from delf_keras.features.decoding import ImageError, read_image
from delf_keras.features.extractor import Extractor
from delf_keras.features.local_features import LocalFeatures
from delf_keras.retrieval import (
    ImageIndex,
    PcaOptions,
    SearchOptions,
    SearchResult,
    VerifiedMatches,
    verify_index,
)

NAMES = [
    "distractor_00.jpg",
    "distractor_01.jpg",
    *(f"landmark_{number:02d}_view_0.jpg" for number in range(4)),
]


def changed(image, change):
    """Another photograph of the same place. A random network asks for little
    change: the crop is by whole cells of its feature map."""
    if change == "cropped":
        return image[16:, 32:]
    noise = np.random.default_rng(0).normal(0, 4, image.shape)
    factor, offset = {"noisy": (1.0, 0.0), "brighter": (1.2, 10.0)}[change]
    values = factor * image + offset + noise
    return np.clip(values, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_photograph_finds_itself(tiny_index, photographs, name):
    best, second, *_ = tiny_index.search(photographs / name)

    assert best.name == name
    assert best.path == photographs / name
    # All cells of a feature map of 10 x 13, each at its place.
    assert best.num_inliers == 130
    np.testing.assert_allclose(
        best.matches.transform, np.eye(3), rtol=0, atol=1e-4
    )
    np.testing.assert_array_equal(
        best.matches.query_locations, best.matches.image_locations
    )
    assert best.score > 2 * second.score
    assert best.verified


@pytest.mark.parametrize("change", ["cropped", "brighter", "noisy"])
@pytest.mark.parametrize("name", NAMES)
def test_changed_photograph_finds_the_original(
    tiny_index, photographs, name, change
):
    query = changed(read_image(photographs / name), change)
    best, second, *_ = tiny_index.search(query)

    assert best.name == name
    assert best.num_inliers > second.num_inliers


def test_crop_is_found_where_it_was(tiny_index, photographs):
    query = changed(read_image(photographs / NAMES[2]), "cropped")
    matches = tiny_index.search(query)[0].matches

    moved = matches.image_locations - matches.query_locations
    np.testing.assert_allclose(np.median(moved, axis=0), [16, 32], atol=1)


def test_views_of_a_landmark_rank_first(tiny_extractor, photographs, tmp_path):
    """Two photographs of the query's place, before those of five others."""
    image = read_image(photographs / NAMES[3])
    views = [tmp_path / "cropped.png", tmp_path / "noisy.png"]
    for path in views:
        Image.fromarray(changed(image, path.stem)).save(path)
    others = [photographs / name for name in NAMES if name != NAMES[3]]
    index = ImageIndex.build(
        [*others, *views], tiny_extractor, pca=PcaOptions(16)
    )
    found = index.search(changed(image, "brighter"))

    assert {result.path for result in found[:2]} == set(views)
    assert len(index) == 7


def assert_same_results(received, expected):
    assert [r.name for r in received] == [r.name for r in expected]
    for one, other in zip(received, expected, strict=True):
        assert one.score == pytest.approx(other.score, rel=1e-6)
        assert one.num_inliers == other.num_inliers


def test_query_may_be_a_path_an_array_or_features(tiny_index, photographs):
    path = photographs / NAMES[2]
    expected = tiny_index.search(path)
    features = tiny_index.extractor.extract(path)

    for query in (str(path), read_image(path), features):
        assert_same_results(tiny_index.search(query), expected)


def test_features_of_another_space_are_refused(
    tiny_index, tiny_extractor, photographs
):
    features = tiny_extractor.extract(photographs / NAMES[0])
    with pytest.raises(
        ValueError,
        match=f"{tiny_index.fingerprint}. Received: {features.fingerprint}",
    ):
        tiny_index.search(features)

    unknown = dataclasses.replace(features, fingerprint="")
    with pytest.raises(ValueError, match="Received: unknown"):
        tiny_index.rank(unknown)


def test_query_that_cannot_be_used(tiny_index, tmp_path):
    (tmp_path / "text.jpg").write_text("This is no photograph.")
    for query in (tmp_path / "text.jpg", tmp_path / "absent.jpg"):
        with pytest.raises(ImageError, match=f"Received: {query}"):
            tiny_index.search(query)


def test_results_are_ranked(tiny_index, photographs):
    options = SearchOptions(expansion=0)
    results = tiny_index.search(photographs / NAMES[4], options=options)

    scores = [result.score for result in results]
    assert scores == sorted(scores, reverse=True)
    assert len({result.name for result in results}) == len(results) == 6
    for result in results:
        expected = result.votes * (1 + result.matches.weight / 0.02) ** 0.5
        assert result.score == pytest.approx(expected)
        assert result.votes > 0 and result.path.is_file()
    top = tiny_index.search(photographs / NAMES[4], 2, options)
    assert_same_results(top, results[:2])


def test_many_queries_give_what_each_gives(tiny_index, photographs):
    queries = [photographs / name for name in NAMES]
    together = tiny_index.search_many(iter(queries), 3, workers=2)

    for query, results in zip(queries, together, strict=True):
        assert_same_results(results, tiny_index.search(query, 3))


def test_bad_query_among_many(tiny_index, photographs, tmp_path):
    queries = [photographs / NAMES[0], tmp_path / "absent.jpg"]
    with pytest.raises(ImageError, match="absent.jpg"):
        [*tiny_index.search_many(queries)]


def test_without_verification_votes_rank(tiny_index, photographs):
    options = SearchOptions(candidates=0)
    results = tiny_index.search(photographs / NAMES[4], options=options)

    assert results[0].name == NAMES[4]
    for result in results:
        assert result.score == result.votes
        assert result.num_inliers == 0 and result.matches.transform is None
        assert not result.verified


def test_only_the_most_voted_are_verified(tiny_index, photographs):
    results = tiny_index.search(
        photographs / NAMES[4], options=SearchOptions(candidates=2)
    )
    assert [r.num_inliers > 0 for r in results] == [True] * 2 + [False] * 4


def test_rank_is_of_the_whole_database(tiny_index, photographs):
    ranks = tiny_index.rank(photographs / NAMES[1])
    results = tiny_index.search(photographs / NAMES[1])

    assert sorted(ranks) == list(range(6))
    assert [NAMES[image] for image in ranks] == [r.name for r in results]


def test_query_without_features(tiny_index):
    nothing = LocalFeatures(
        np.zeros((0, 2)),
        np.zeros((0, 16)),
        np.zeros(0),
        np.zeros(0),
        (100, 100),
        tiny_index.fingerprint,
    )
    assert tiny_index.search(nothing) == []
    assert tiny_index.rank(nothing).tolist() == list(range(6))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_tiny_databases_give_results(tiny_index, photographs, count):
    """Even of a query that shows none of their places."""
    extractor = tiny_index.extractor
    paths = [photographs / name for name in NAMES[:count]]
    index = ImageIndex.build(paths, extractor)
    for query in NAMES:
        results = index.search(photographs / query)
        assert len(results) == count
        if query in NAMES[:count]:
            assert results[0].path == photographs / query


def test_database_of_one_descriptor(tiny_index, photographs):
    """It has no margin over any other, and is found."""
    extractor = Extractor(
        tiny_index.extractor.model,
        tiny_index.extractor.pca,
        dataclasses.replace(tiny_index.extraction, max_features=1),
    )
    index = ImageIndex.build([photographs / NAMES[0]], extractor)
    results = index.search(tiny_index.extractor.extract(photographs / NAMES[0]))

    assert index.database.num_descriptors == 1
    assert [result.path for result in results] == [photographs / NAMES[0]]


def test_single_neighbors_vote(tiny_index, photographs):
    results = tiny_index.search(
        photographs / NAMES[3],
        options=SearchOptions(
            neighbors=1, first_score="votes", background=False
        ),
    )
    assert results[0].name == NAMES[3]
    assert results[0].votes == 130


def test_quantized_index_finds_the_same(tiny_index, photographs):
    """A search does not depend on the vectors that faiss keeps."""
    index = ImageIndex.build(
        [photographs / name for name in NAMES],
        tiny_index.extractor,
        factory="IVF16,PQ8x4",
    )
    assert index.database.factory == "IVF16,PQ8x4"
    for name in NAMES:
        best = index.search(photographs / name)[0]
        assert best.path == photographs / name
        assert best.num_inliers == 130


def test_thirty_inliers_verify_a_result():
    def result(inliers):
        locations = np.zeros((inliers, 2), np.float32)
        matches = VerifiedMatches(
            np.eye(3), locations, locations, np.arange(inliers), 1.0
        )
        return SearchResult("a.jpg", None, 1.0, 1.0, matches)

    assert [result(n).verified for n in (0, 29, 30, 200)] == [
        False,
        False,
        True,
        True,
    ]


# A service has no stdout, and other systems than POSIX lack these.
ELSEWHERE = """
import os, sys
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("register_at_fork", "O_DIRECTORY", "sched_getaffinity", "fork"):
    delattr(os, name)
sys.stdout = None
import delf_keras
from delf_keras.retrieval import index_info, verify_index
folder, query, copy = sys.argv[1:]
index = delf_keras.ImageIndex.load(folder)
assert verify_index(folder) == {} and index_info(folder)["photographs"]
found = [index.search(query), *index.search_many([query])]
index.save(copy)
print(*(results[0].path for results in found), file=sys.stderr)
"""


def test_index_is_read_where_there_is_no_posix_and_no_stdout(
    tiny_index_folder, photographs, tmp_path
):
    query = photographs / "landmark_00_view_0.jpg"
    process = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-c", ELSEWHERE),
            *(tiny_index_folder, query, tmp_path / "copy"),
        ],
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert process.stderr.splitlines()[-1] == f"{query} {query}"
    assert verify_index(tmp_path / "copy") == {}
