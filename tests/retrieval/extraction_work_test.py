"""A build goes on where it was interrupted, and reuses what fits."""

import functools
import hashlib
import shutil
from pathlib import Path

import pytest

from delf_keras.features import pca_fitting
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.extractor import Extractor
from delf_keras.retrieval import PcaOptions, build_index, extraction_work

PCA = PcaOptions(16)


@pytest.fixture
def extracted(monkeypatch):
    """The names of the photographs that are extracted, as they come."""
    names = []
    extract_each = Extractor.extract_each

    def counted(self, paths, batch_size=1):
        for path, result in extract_each(self, paths, batch_size):
            names.append(Path(str(path)).name)
            yield path, result

    monkeypatch.setattr(Extractor, "extract_each", counted)
    return names


def interrupt_after(count):
    """A progress bar at which Ctrl-C is pressed after some photographs."""
    left = count

    def progress(iterable, total, label):
        nonlocal left
        for item in iterable:
            if not left and label != "check":
                raise KeyboardInterrupt
            left -= label != "check"
            yield item

    return progress


@pytest.fixture(scope="module")
def uninterrupted(photographs, tiny_extractor):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pca_fitting, "_PHOTOGRAPHS", 3)
        return build_index(photographs, tiny_extractor, pca=PCA).index


@pytest.fixture
def build(photographs, tiny_extractor, tmp_path):
    """Builds an index, or goes on with it."""
    return functools.partial(
        build_index, photographs, tiny_extractor, pca=PCA, work_folder=tmp_path
    )


@pytest.mark.parametrize("count", [0, 2, 4])
def test_interrupted_build_goes_on(
    build, uninterrupted, small_sample, count, assert_same_index
):
    """During the fit of the PCA, where 3 are extracted, and after it."""
    with pytest.raises(KeyboardInterrupt):
        build(progress=interrupt_after(count))
    report = build()

    assert report.extracted == 6 - count
    assert_same_index(report.index, uninterrupted)


def test_many_interruptions(
    build, uninterrupted, small_sample, assert_same_index
):
    """One photograph further each time."""
    for _ in range(6):
        with pytest.raises(KeyboardInterrupt):
            build(progress=interrupt_after(1))
            raise KeyboardInterrupt
    report = build()

    assert report.extracted == 0
    assert_same_index(report.index, uninterrupted)


def test_failed_projection_goes_on(
    build, tiny_index, monkeypatch, assert_same_index
):
    """A disk that is full when the PCA is fitted costs no extraction."""

    def fail(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(extraction_work, "to_descriptors", fail)
        with pytest.raises(OSError, match="No space left"):
            build()
    report = build()

    assert report.extracted == 0
    assert_same_index(report.index, tiny_index)


def test_finished_work_is_kept(folder, tiny_extractor, tmp_path, extracted):
    """But not the large features without PCA."""
    work = tmp_path / "work"
    for expected in (2, 0):
        report = build_index(folder, tiny_extractor, pca=PCA, work_folder=work)
        assert report.extracted == len(extracted) == expected
        extracted.clear()

    assert [path.name.split("-")[0] for path in sorted(work.iterdir())] == [
        "features",
        "pca",
    ]


def test_only_new_photographs_are_extracted(
    folder, photographs, tiny_extractor, tmp_path, extracted
):
    """And one that was skipped is tried again."""
    (folder / "late.jpg").touch()
    work = tmp_path / "work"
    build_index(folder, tiny_extractor, pca=PCA, work_folder=work)
    extracted.clear()
    shutil.copy(photographs / "landmark_02_view_0.jpg", folder)
    shutil.copy(photographs / "landmark_03_view_0.jpg", folder / "late.jpg")
    report = build_index(folder, tiny_extractor, pca=PCA, work_folder=work)

    assert sorted(extracted) == ["landmark_02_view_0.jpg", "late.jpg"]
    assert len(report.index) == 4 and report.skipped == {}


@pytest.mark.parametrize("change", ["dimension", "whiten", "seed", "options"])
def test_changed_options_do_not_reuse_features(
    folder,
    tiny_model,
    tiny_extractor,
    tmp_path,
    extracted,
    change,
    assert_same_index,
):
    work = tmp_path / "work"
    build_index(folder, tiny_extractor, pca=PCA, work_folder=work)
    extracted.clear()
    options, extractor = {
        "dimension": (PcaOptions(8), tiny_extractor),
        "whiten": (PcaOptions(16, whiten=True), tiny_extractor),
        "seed": (PcaOptions(16, seed=1), tiny_extractor),
        "options": (
            PCA,
            Extractor(
                tiny_model,
                options=ExtractionOptions(
                    max_features=50, scales=(1.0,), min_image_size=0
                ),
            ),
        ),
    }[change]
    report = build_index(folder, extractor, pca=options, work_folder=work)

    assert len(extracted) == 2
    expected = build_index(folder, extractor, pca=options)
    assert_same_index(report.index, expected.index)


def test_edited_photographs_are_extracted_again(
    folder, photographs, tiny_extractor, tmp_path
):
    """Features that were kept before an edit are not those of the file."""
    work = tmp_path / "work"
    build = functools.partial(
        build_index, folder, tiny_extractor, pca=PCA, work_folder=work
    )
    build()
    shutil.copy(
        photographs / "landmark_03_view_0.jpg", folder / "distractor_00.jpg"
    )
    report = build()

    assert report.extracted == 1
    (found, *_) = report.index.search(photographs / "landmark_03_view_0.jpg")
    assert found.name == "distractor_00.jpg" and found.num_inliers == 130
    digest = hashlib.sha256((folder / found.name).read_bytes()).digest()
    assert (
        report.index.database.segments[0].store.digests[0].tobytes() == digest
    )


def test_another_folder_does_not_reuse_features(
    folder, photographs, tiny_extractor, tmp_path
):
    """Though its photographs have the same names."""
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    shutil.copy(
        photographs / "landmark_03_view_0.jpg", other / "distractor_00.jpg"
    )
    work = tmp_path / "work"
    build_index(folder, tiny_extractor, pca=PCA, work_folder=work)
    report = build_index(other, tiny_extractor, pca=PCA, work_folder=work)

    assert report.extracted == 2
    best = report.index.search(photographs / "landmark_03_view_0.jpg")[0]
    assert best.path == other / "distractor_00.jpg"
    assert best.num_inliers == 130
