"""An index is built of photographs; what is of no use is skipped."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.extractor import Extractor
from delf_keras.features.feature_source import FeatureSource
from delf_keras.retrieval import (
    ImageIndex,
    PcaOptions,
    build_index,
    verify_index,
)

NAMES = [
    "distractor_00.jpg",
    "distractor_01.jpg",
    *(f"landmark_{number:02d}_view_0.jpg" for number in range(4)),
]
PCA = PcaOptions(16)


@pytest.fixture
def two_names():
    return [NAMES[0], f"sub/{NAMES[2]}"]


def test_photographs_are_indexed(tiny_report, photographs):
    index = tiny_report.index

    (segment,) = index.database.segments
    assert index.database.names == NAMES
    assert segment.store.sizes.tolist() == [[160, 208]] * 6
    assert index.root == photographs
    assert index.extractor.pca.dimension == 16
    assert index.database.num_descriptors == 6 * 130
    assert tiny_report.extracted == 6
    assert tiny_report.skipped == {} and tiny_report.copies == {}


def test_descriptors_are_those_of_a_query(tiny_index, photographs):
    """The photographs that the PCA was fitted on were projected later."""
    for image, name in enumerate(NAMES):
        features = tiny_index.extractor.extract(photographs / name)
        locations, scales, descriptors = tiny_index.database.features_of(image)
        np.testing.assert_array_equal(locations, features.locations)
        np.testing.assert_array_equal(scales, features.scales)
        # They are kept in steps of a 127th of the largest component.
        step = np.abs(features.descriptors).max() / 127
        np.testing.assert_allclose(
            descriptors, features.descriptors, rtol=0, atol=step
        )


def test_shards_give_the_same_index(
    tiny_index, tiny_extractor, photographs, monkeypatch, assert_same_index
):
    """However many photographs are in memory at a time."""
    from delf_keras.retrieval import building

    monkeypatch.setattr(building, "SHARD", 4)
    index = build_index(photographs, tiny_extractor, pca=PCA).index

    assert_same_index(index, tiny_index)
    query = photographs / NAMES[4]
    for one, other in zip(
        index.search(query), tiny_index.search(query), strict=True
    ):
        assert (one.name, one.score) == (other.name, other.score)


class Recalled(FeatureSource):
    """Knows the features of photographs by what their files say."""

    address, has_pca, options = "localhost:8500", True, ExtractionOptions()

    def __init__(self, named_features):
        self._features = dict(named_features)
        self.fingerprint = named_features[0][1].fingerprint

    def extract_each(self, photographs, batch_size=1):
        for photograph in photographs:
            yield photograph, self._features[photograph.contents.decode()]


def test_shards_need_few_open_files(
    make_photographs, few_open_files, tmp_path, monkeypatch
):
    """Each photograph one, more of them than files that can be open."""
    from delf_keras.retrieval import building

    monkeypatch.setattr(building, "SHARD", 1)
    named = make_photographs(40)
    (tmp_path / "photographs").mkdir()
    for position, (name, _) in enumerate(named):
        path = tmp_path / "photographs" / f"{position:02d}.jpg"
        path.write_text(name)
    with few_open_files():
        report = build_index(
            tmp_path / "photographs",
            Recalled(named),
            output=tmp_path / "index",
            work_folder=tmp_path / "work",
        )
    assert report.extracted == len(report.index) == 40
    assert verify_index(tmp_path / "index") == {}


def test_output_exists(tiny_extractor, photographs, tmp_path):
    with pytest.raises(FileExistsError, match=f"Received: {tmp_path}"):
        build_index(photographs, tiny_extractor, output=tmp_path)


def test_temporary_index_is_removed_with_the_last_reference(
    photographs, tiny_extractor
):
    index = build_index(photographs, tiny_extractor, pca=PCA).index
    folder = index.folder
    assert folder.is_dir()
    del index
    assert not folder.exists()


def test_same_build_gives_the_same_index(
    tiny_index, tiny_extractor, photographs, assert_same_index
):
    again = build_index(photographs, tiny_extractor, pca=PCA).index
    assert_same_index(again, tiny_index)


def add_bad_files(folder, photograph):
    """Returns what must be said of each."""
    content = photograph.read_bytes()
    (folder / "corrupt.jpg").write_bytes(
        content[:2] + np.random.default_rng(0).bytes(2000)
    )
    (folder / "truncated.jpg").write_bytes(content[: len(content) // 2])
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("This is no photograph.")
    Image.new("RGB", (1, 1)).save(folder / "sub" / "tiny.png")
    (folder / "dangling.jpg").symlink_to(folder / "gone.jpg")
    return {
        "corrupt.jpg": "file that is whole",
        "truncated.jpg": "file that is whole",
        "empty.jpg": "is empty",
        "text.jpg": "file that is whole",
        "sub/tiny.png": "at least 10 pixels",
        "dangling.jpg": "cannot be read",
    }


def test_bad_files_are_skipped(
    folder, two_names, photographs, tiny_extractor, caplog
):
    reasons = add_bad_files(folder, photographs / NAMES[1])
    report = build_index(folder, tiny_extractor, pca=PCA)

    assert report.index.database.names == two_names
    assert report.skipped.keys() == reasons.keys()
    for name, reason in reasons.items():
        assert reason in report.skipped[name]
        assert str(folder / name) in report.skipped[name]
        assert "\n" not in report.skipped[name]
        assert f"Skipped: {report.skipped[name]}" in caplog.messages
    assert len(caplog.messages) == len(reasons)
    # The good ones are as they would have been alone.
    found = report.index.search(folder / two_names[1])
    assert found[0].path == folder / two_names[1]


def test_unreadable_file_is_skipped(
    folder, two_names, tiny_extractor, monkeypatch
):
    """Access rights do not stop every user, so that they are acted."""
    read_bytes = Path.read_bytes

    def refuse(path):
        if path.name == NAMES[0]:
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    report = build_index(folder, tiny_extractor, pca=PCA)

    assert report.index.database.names == two_names[1:]
    assert "Permission denied" in report.skipped[NAMES[0]]


def test_copies_are_reported_and_indexed(folder, two_names, tiny_extractor):
    for copy in ("a copy.jpg", "sub/z copy.jpg"):
        shutil.copy(folder / two_names[0], folder / copy)
    report = build_index(folder, tiny_extractor, pca=PCA)

    assert report.copies == {
        NAMES[0]: "a copy.jpg",
        "sub/z copy.jpg": "a copy.jpg",
    }
    assert len(report.index) == 4


def test_nothing_usable(tmp_path, tiny_extractor):
    """The first of the reasons is given."""
    (tmp_path / "b.jpg").write_text("This is no photograph.")
    (tmp_path / "a.jpg").touch()
    with pytest.raises(
        ValueError, match="Received: 2 photographs.*is empty.*a.jpg$"
    ):
        build_index(tmp_path, tiny_extractor)


def test_no_feature_is_strong_enough(folder, tiny_model, caplog):
    caplog.set_level(logging.ERROR)
    extractor = Extractor(
        tiny_model,
        options=ExtractionOptions(
            score_threshold=1e9, scales=(1.0,), min_image_size=0
        ),
    )
    with pytest.raises(
        ValueError, match="Received: 2 photographs.*score of at least"
    ):
        build_index(folder, extractor)


def test_no_photographs(tmp_path, tiny_extractor):
    with pytest.raises(FileNotFoundError, match="no folder of photographs"):
        build_index(tmp_path / "absent", tiny_extractor)
    with pytest.raises(ValueError, match="which has none"):
        build_index(tmp_path, tiny_extractor)
    with pytest.raises(ValueError, match="one photograph. Received: none"):
        build_index([], tiny_extractor)


def test_list_of_photographs(photographs, tiny_extractor, tmp_path):
    """Of any folders, each once; one that is absent is skipped."""
    shutil.copy(photographs / NAMES[1], tmp_path / "other.jpg")
    paths = [
        photographs / NAMES[3],
        str(tmp_path / "other.jpg"),
        photographs / "x" / ".." / NAMES[3],
        tmp_path / "absent.jpg",
    ]
    report = build_index(paths, tiny_extractor, pca=PCA)

    results = report.index.search(tmp_path / "other.jpg")
    assert [result.path for result in results] == [
        tmp_path / "other.jpg",
        photographs / NAMES[3],
    ]
    assert len(report.index) == 2
    (reason,) = report.skipped.values()
    assert "cannot be read" in reason and "absent.jpg" in reason


def test_relative_list_of_photographs(
    photographs, tiny_extractor, monkeypatch, tmp_path
):
    """An index finds its photographs from any folder."""
    monkeypatch.chdir(photographs)
    index = build_index([NAMES[3]], tiny_extractor, pca=PCA).index
    monkeypatch.chdir(tmp_path)

    assert index.search(photographs / NAMES[3])[0].path.is_file()


def test_without_pca(folder, tiny_extractor):
    index = build_index(folder, tiny_extractor, pca=PcaOptions(0)).index

    assert index.fingerprint == tiny_extractor.fingerprint
    assert index.database.dimension == 128


def test_pca_of_the_extractor_is_used(folder, tiny_index):
    index = build_index(folder, tiny_index.extractor, pca=PcaOptions(8)).index

    assert index.fingerprint == tiny_index.fingerprint
    assert index.database.dimension == 16


def test_index_build_gives_the_index_and_logs(
    folder, two_names, tiny_extractor, caplog
):
    (folder / "empty.jpg").touch()
    index = ImageIndex.build(folder, tiny_extractor, pca=PCA)

    assert index.database.names == two_names
    assert "empty.jpg" in caplog.text


def test_an_index_of_nothing_is_refused(tiny_extractor):
    with pytest.raises(ValueError, match="one photograph. Received: none"):
        ImageIndex.build([], tiny_extractor)


def test_batches_give_the_same(folder, tiny_extractor):
    one, two = (
        build_index(folder, tiny_extractor, pca=PcaOptions(0), batch_size=size)
        for size in (1, 2)
    )
    np.testing.assert_allclose(
        one.index.database.segments[0].store.descriptors.astype(np.float32),
        two.index.database.segments[0].store.descriptors.astype(np.float32),
        atol=1e-3,
    )


def test_progress_is_shown(folder, tiny_extractor, small_sample, photographs):
    shown = []

    def progress(iterable, total, label):
        items = list(iterable)
        shown.append((label, total, len(items)))
        return items

    build_index(photographs, tiny_extractor, pca=PCA, progress=progress)
    assert shown == [
        ("fit PCA", 3, 3),
        ("extract", 3, 3),
        ("background", 6, 6),
    ]
