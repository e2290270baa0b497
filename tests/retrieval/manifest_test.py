"""A manifest names all files of a version, and is replaced whole."""

import json
from dataclasses import replace

import pytest

from delf_keras.retrieval.manifest import (
    Manifest,
    check_digests,
    check_sizes,
    describe_files,
    digest_of,
    read_manifest,
)

# SHA-256 of "abc", from FIPS 180-2.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture
def manifest():
    return Manifest(
        version=3,
        fingerprint="0123456789abcdef",
        roots=["../photographs/ç", "/photographs/ç"],
        extraction={"max_features": 1000},
        factory="IVF8,PQ8x4",
        asmk={"alpha": 1.0, "num_words": None},
        augmentation=2,
        server="localhost:8500",
        next_number=9,
        segments=["000001", "000004"],
        removed=[2, 5],
        files={"learned/codebook.npy": [3, ABC]},
    )


@pytest.fixture
def described(tmp_path):
    """The files of a folder, and what a manifest says of them."""
    (tmp_path / "learned/global").mkdir(parents=True)
    (tmp_path / "learned/global/a.npy").write_text("abc")
    (tmp_path / "learned/b.npy").write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/c.npy").write_text("c")
    return describe_files(tmp_path, ["learned", "absent"])


def test_read_manifest_is_the_written_one(manifest, tmp_path):
    manifest.write(tmp_path)
    content = json.loads((tmp_path / "manifest.json").read_text())

    assert read_manifest(tmp_path) == manifest
    assert content["format_version"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_next_version_replaces_the_last(manifest, tmp_path):
    manifest.write(tmp_path)
    changed = replace(manifest, version=4, removed=[], server=None)
    changed.write(tmp_path)

    assert read_manifest(tmp_path) == changed


def test_failed_write_keeps_the_last_version(manifest, tmp_path, monkeypatch):
    def fail(content, file, **options):
        file.write("{")
        raise OSError("No space left")

    manifest.write(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(json, "dump", fail)
        with pytest.raises(OSError, match="No space left"):
            replace(manifest, version=4).write(tmp_path)

    assert read_manifest(tmp_path) == manifest
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize("version", [2, 4])
def test_other_format_is_refused(tmp_path, version):
    content = {"format_version": version, "root": "/photographs"}
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"format 3.*format {version} in"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {"learned/../../outside": [1, ABC]}},
        {"files": {"/etc/passwd": [1, ABC]}},
        {"files": {"manifest.json": [1, ABC]}},
        {"files": {"learned\\..\\outside": [1, ABC]}},
        {"files": {"": [1, ABC]}},
        {"segments": ["../000001"]},
        {"segments": [".."]},
        {"segments": [""]},
        {"segments": [1]},
    ],
)
def test_names_outside_of_the_folder_are_refused(manifest, tmp_path, changes):
    replace(manifest, **changes).write(tmp_path)
    with pytest.raises(ValueError, match="The manifest of an index is exp"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": True},
        {"version": None},
        {"roots": []},
        {"roots": ["..", 1]},
        {"extraction": []},
        {"server": 8500},
        {"segments": {"000001": 1}},
        {"segments": []},
        {"removed": 5},
        {"removed": [2.5]},
        {"files": []},
        {"files": {"learned/a.npy": 3}},
        {"files": {"learned/a.npy": [3]}},
        {"files": {"learned/a.npy": [ABC, 3]}},
    ],
)
def test_values_of_another_type_are_refused(manifest, tmp_path, changes):
    replace(manifest, **changes).write(tmp_path)
    with pytest.raises(ValueError, match="manifest of an index is expected"):
        read_manifest(tmp_path)


def test_changed_value_is_noticed(manifest, tmp_path):
    manifest.write(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace('"version": 3', '"version": 2', 1))
    with pytest.raises(ValueError, match="The manifest of an index"):
        read_manifest(tmp_path)


def test_no_manifest(tmp_path):
    with pytest.raises(FileNotFoundError, match="build the index with"):
        read_manifest(tmp_path)


def test_files_of_folders_are_described(described, tmp_path):
    """With their subfolders; a folder need not be there."""
    assert described == {
        "learned/b.npy": (0, digest_of(tmp_path / "learned/b.npy")),
        "learned/global/a.npy": (3, ABC),
    }
    check_sizes(tmp_path, described)
    check_digests(tmp_path, described)


def test_files_that_are_not_as_described(described, tmp_path):
    file = tmp_path / "learned/global/a.npy"
    file.write_text("abd")
    check_sizes(tmp_path, described)
    with pytest.raises(ValueError, match="a.npy has another checksum"):
        check_digests(tmp_path, described)

    file.write_text("ab")
    with pytest.raises(ValueError, match="a.npy has 2 bytes instead of 3"):
        check_sizes(tmp_path, described)

    file.unlink()
    with pytest.raises(ValueError, match="a.npy is missing"):
        check_sizes(tmp_path, described)
