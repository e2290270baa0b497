"""A build whose photographs and work folder are reached by URL only."""

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

from delf_keras.datasets.tfrecords import RecordKeys
from delf_keras.features.decoding import ImageError
from delf_keras.features.photographs import find_photographs
from delf_keras.retrieval import PcaOptions, build_index
from delf_keras.retrieval.distributed import TfRecords, build_index_with_beam
from delf_keras.retrieval.distributed.listing import list_records
from delf_keras.retrieval.distributed.stored_photographs import (
    list_folder,
    read_photographs,
)
from delf_keras.retrieval.distributed.work_folder import WorkFolder
from delf_keras.retrieval.manifest import read_manifest

PCA = PcaOptions(16)


@pytest.fixture(scope="module", autouse=True)
def bucket():
    """Beam knows a file system by its class."""
    path = Path(__file__).with_name("bucket.py")
    spec = importlib.util.spec_from_file_location("bucket", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def url(path):
    return f"bucket:/{path}"


def test_same_as_local(folder, tiny_extractor, write_records, tmp_path):
    build_index(folder, tiny_extractor, pca=PCA, output=tmp_path / "local")
    write_records(tmp_path / "train-0", folder, find_photographs(folder))
    report = build_index_with_beam(
        TfRecords(url(tmp_path / "train-*")),
        tiny_extractor,
        pca=PCA,
        output=tmp_path / "index",
        work_folder=url(tmp_path / "work"),
        root=folder,
    )
    expected = read_manifest(tmp_path / "local")
    assert read_manifest(tmp_path / "index") == expected
    (reason,) = report.skipped.values()
    assert f"broken.jpg in {url(tmp_path / 'train-0')}" in reason
    written = (path.name for path in (tmp_path / "work").rglob("*"))
    assert not any("writing" in name for name in written)


def test_folder(folder, tiny_extractor, tmp_path):
    report = build_index_with_beam(
        url(folder),
        tiny_extractor,
        pca=PcaOptions(0),
        output=tmp_path / "index",
        work_folder=tmp_path / "work",
    )
    assert read_manifest(tmp_path / "index").roots == [url(folder)]
    assert report.copies == {"sub/copy.jpg": "distractor_01.jpg"}
    assert len(report.index) == 7


def test_hidden_files_and_others_are_left_out(folder, tmp_path):
    for name in (".hidden/a.jpg", "b/.c.jpg", "notes.txt", "b/d.PNG"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (photograph,) = list_folder(url(tmp_path))
    assert photograph.name == "b/d.PNG"
    assert photograph.path == url(tmp_path / "b/d.PNG")
    with pytest.raises(ValueError, match="which has none"):
        list_folder(url(tmp_path / "missing"))


def test_files_that_change_are_told_apart(folder, tmp_path, write_records):
    """Features of what was there before are not taken for theirs."""
    shutil.copytree(folder, tmp_path / "photographs")
    for place in (str, url):
        photos = place(tmp_path / "photographs")
        before = list_folder(photos)
        assert list_folder(photos) == before
        path = tmp_path / "photographs" / before[1].name
        os.utime(path, (1, 1 + os.stat(path).st_mtime))
        after = list_folder(photos)
        assert [a == b for a, b in zip(before, after, strict=True)] == [
            number != 1 for number in range(len(before))
        ]

    names = find_photographs(folder)
    work = WorkFolder(str(tmp_path / "work"))
    records = tmp_path / "train-0"
    for chosen in (names[:2], names[2:5]):
        write_records(records, folder, chosen)
        located = list_records(str(records), work, RecordKeys(), [])
        assert [each.name for each in located] == chosen


def test_empty_photograph_is_skipped(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "b.jpg").write_bytes(b"b")
    empty, other = read_photographs(list_folder(url(tmp_path)))
    assert isinstance(empty, ImageError) and "a.jpg" in str(empty)
    assert other.contents == b"b" and str(other) == url(tmp_path / "b.jpg")


def test_file_that_is_not_finished_is_not_there(tmp_path):
    work = WorkFolder(url(tmp_path / "work"))
    assert work.names("stage") == set()
    with pytest.raises(KeyboardInterrupt), work.new_file("stage/a") as path:
        path.write_text("half")
        raise KeyboardInterrupt
    assert not work.has("stage/a")
    work.write_json("stage/a", [1])
    assert work.names("stage") == {"a"}
    assert work.read_json("stage/a") == [1]
