"""An index that is built with Beam is that of a build on one machine."""

import shutil

import pytest

pytest.importorskip("apache_beam")

from delf_keras.retrieval import PcaOptions, build_index
from delf_keras.retrieval import building as local_building
from delf_keras.retrieval.distributed import build_index_with_beam, listing
from delf_keras.retrieval.manifest import read_manifest

PCA = PcaOptions(16)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Shards and segments do not end at the same photographs."""
    monkeypatch.setattr(local_building, "SHARD", 3)
    monkeypatch.setattr(listing, "SHARD", 2)


@pytest.fixture(scope="module")
def folder(photographs, tmp_path_factory):
    """7 photographs, one of them a copy, and a file that is none."""
    folder = tmp_path_factory.mktemp("distributed") / "photographs"
    shutil.copytree(photographs, folder)
    (folder / "sub").mkdir()
    shutil.copy(folder / "distractor_01.jpg", folder / "sub" / "copy.jpg")
    (folder / "broken.jpg").write_bytes(b"no image")
    return folder


def test_same_as_local(folder, tiny_extractor, tmp_path):
    local = build_index(
        folder, tiny_extractor, pca=PCA, output=tmp_path / "local"
    )
    report = build_index_with_beam(
        folder,
        tiny_extractor,
        pca=PCA,
        output=tmp_path / "index",
        work_folder=tmp_path / "work",
    )
    assert read_manifest(tmp_path / "index") == read_manifest(
        tmp_path / "local"
    )
    assert report.skipped == local.skipped
    assert report.copies == local.copies
    assert report.extracted == local.extracted
