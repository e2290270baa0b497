"""An index folder is written whole, moves, and says when it is damaged."""

import ctypes
import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from delf_keras.retrieval import (
    ImageIndex,
    PcaOptions,
    build_index,
    index_files,
    index_info,
    verify_index,
)
from delf_keras.retrieval.manifest import digest_of, read_manifest

SEGMENT = "segments/000001"
MAPPED = {
    f"{SEGMENT}/{name}.npy"
    for name in (
        "numbers",
        "offsets",
        "locations",
        "descriptors",
        "name_ends",
        "background",
        "asmk/residuals",
    )
} | {"learned/codebook.npy"}
FAISS = {"learned/descriptors.faiss", f"{SEGMENT}/descriptors.faiss"}
FILES = MAPPED | FAISS


@pytest.fixture
def index_folder(tiny_index_folder, tmp_path):
    """A copy of an index folder."""
    return Path(shutil.copytree(tiny_index_folder, tmp_path / "index"))


def search_all(index, photographs):
    return [
        (result.name, result.path, result.score, result.num_inliers)
        for path in sorted(photographs.iterdir())
        for result in index.search(path)
    ]


def test_loaded_index_is_the_saved_one(
    tiny_index, tiny_index_folder, photographs
):
    loaded = ImageIndex.load(str(tiny_index_folder))

    assert {path.name for path in tiny_index_folder.iterdir()} == {
        "learned",
        "manifest.json",
        "preset",
        "segments",
    }
    assert loaded.fingerprint == tiny_index.fingerprint
    assert loaded.extraction == tiny_index.extraction
    assert loaded.root == photographs
    assert loaded.extractor.fingerprint == tiny_index.fingerprint
    expected = search_all(tiny_index, photographs)
    for received, one in zip(
        search_all(loaded, photographs), expected, strict=True
    ):
        assert received[:2] == one[:2] and received[3] == one[3]
        assert received[2] == pytest.approx(one[2], rel=1e-5)


def test_loaded_index_can_be_saved(tiny_index_folder, tmp_path):
    ImageIndex.load(tiny_index_folder).save(tmp_path / "again")
    files = read_manifest(tiny_index_folder).files

    assert FILES < files.keys()
    for name, (_, digest) in files.items():
        assert digest_of(tmp_path / "again" / name) == digest
    assert verify_index(tmp_path / "again") == {}


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES])
def test_errors_of_the_system_are_not_damage(
    tiny_index_folder, monkeypatch, number
):
    def fail(*_):
        raise OSError(number, "of the system")

    monkeypatch.setattr("delf_keras.retrieval.segment.load_array", fail)
    for read in (ImageIndex.load, index_info):
        with pytest.raises(OSError, match="of the system") as raised:
            read(tiny_index_folder)
        assert raised.value.errno == number


def test_index_folder_can_be_moved(index_folder, photographs, tmp_path):
    moved = tmp_path / "far" / "away"
    moved.parent.mkdir()
    index_folder.rename(moved)
    (best, *_) = ImageIndex.load(moved).search(
        photographs / "landmark_01_view_0.jpg"
    )

    assert best.path == photographs / "landmark_01_view_0.jpg"


def test_features_can_be_searched_without_the_network(
    index_folder, tiny_index, photographs
):
    """The preset is read when a photograph is first searched for."""
    features = tiny_index.extractor.extract(
        photographs / "landmark_01_view_0.jpg"
    )
    loaded = ImageIndex.load(index_folder)
    shutil.rmtree(index_folder / "preset")

    assert loaded.search(features)[0].name == "landmark_01_view_0.jpg"


def test_facts(tiny_index_folder, tiny_index):
    info = index_info(tiny_index_folder)

    assert info["photographs"] == 6 and info["descriptors"] == 780
    assert info["faiss index"] == "Flat" and info["version"] == 1
    assert info["descriptor space"] == tiny_index.fingerprint
    assert info["bytes"] > 780 * 100


@pytest.mark.parametrize("empty", [True, False])
def test_existing_folder_is_kept(tiny_index, tmp_path, empty):
    if not empty:
        (tmp_path / "notes.txt").write_text("mine")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(FileExistsError, match=f"folder={tmp_path}"):
        tiny_index.save(tmp_path)

    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()]
)
@pytest.mark.parametrize(
    "step",
    [
        "delf_keras.retrieval.image_store.ImageStore.save",
        "delf_keras.retrieval.descriptor_index.DescriptorIndex.save",
        "delf_keras.models.presets.save_model",
        "delf_keras.retrieval.manifest.json.dump",
    ],
)
def test_failed_build_leaves_nothing(
    tiny_extractor, photographs, tmp_path, monkeypatch, step, error
):
    """Wherever it fails, and whatever was written by then."""

    def fail(*args, **kwargs):
        raise error

    work = tmp_path / "work"
    options = {"pca": PcaOptions(16), "work_folder": work}
    with monkeypatch.context() as patch:
        patch.setattr(step, fail)
        with pytest.raises(type(error)):
            build_index(
                photographs,
                tiny_extractor,
                output=tmp_path / "index",
                **options,
            )

    assert [*tmp_path.iterdir()] == [work]


@pytest.mark.parametrize("name", ["absent", "file", "empty"])
def test_no_index(tmp_path, name):
    (tmp_path / "file").write_text("This is no folder.")
    (tmp_path / "empty").mkdir()
    for read in (ImageIndex.load, verify_index, index_info):
        with pytest.raises(
            FileNotFoundError, match=f"manifest.json.*Received: .*/{name}$"
        ):
            read(tmp_path / name)


@pytest.mark.parametrize("name", sorted(FILES | {"preset/config.json"}))
@pytest.mark.parametrize("damage", ["missing", "truncated", "empty"])
def test_damaged_file(index_folder, name, damage):
    file = index_folder / name
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(
            content[: len(content) // 2 if damage[0] == "t" else 0]
        )

    with pytest.raises(
        ValueError, match="is damaged: build it again"
    ) as raised:
        ImageIndex.load(index_folder)
    message = str(raised.value)
    assert f"Received: {index_folder}" in message and name in message
    assert "\n" not in message
    assert [*verify_index(index_folder)] == [name]


@pytest.mark.parametrize("name", sorted(FILES))
def test_overwritten_file(index_folder, name):
    """Its size is right and its content is not."""
    file = index_folder / name
    file.write_bytes(b"x" * file.stat().st_size)

    with pytest.raises(ValueError, match="is damaged: build it again"):
        ImageIndex.load(index_folder)
    assert "another checksum" in verify_index(index_folder)[name]


@pytest.mark.parametrize("name", sorted(FAISS))
def test_faiss_reads_nothing_that_was_changed(index_folder, name):
    """A single byte might crash it."""
    file = index_folder / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    with pytest.raises(ValueError, match=f"{name} has another checksum"):
        ImageIndex.load(index_folder)


def test_changed_array_is_found(index_folder):
    """Opening an index does not read all of it; checking does."""
    file = index_folder / SEGMENT / "descriptors.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)

    assert len(ImageIndex.load(index_folder)) == 6
    assert [*verify_index(index_folder)] == [f"{SEGMENT}/descriptors.npy"]


def test_system_that_fails_is_no_damage(index_folder, monkeypatch):
    """But for a disk that cannot read a file."""
    number = errno.EIO

    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(index_files, "check_digests", fail)
    files = read_manifest(index_folder).files
    assert verify_index(index_folder).keys() == files.keys()
    number = errno.EMFILE
    with pytest.raises(OSError, match="Too many open files"):
        verify_index(index_folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "{}", "\x00\x01"])
def test_damaged_manifest(index_folder, text):
    (index_folder / "manifest.json").write_text(text)

    for read in (ImageIndex.load, verify_index):
        with pytest.raises(
            ValueError, match="The manifest of an index is expected"
        ):
            read(index_folder)


def test_changed_manifest(index_folder):
    path = index_folder / "manifest.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(ValueError, match="its checksum is another"):
        ImageIndex.load(index_folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"roots": None},
        {"fingerprint": None},
        {"factory": None},
        {"unknown": 1},
    ],
)
def test_manifest_with_other_values(index_folder, edit_manifest, changes):
    edit_manifest(index_folder, **changes)
    with pytest.raises(
        ValueError, match="The manifest of an index is expected"
    ):
        ImageIndex.load(index_folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {"learned/absent": [1, "0"]}},
        {"segments": ["000002"]},
        {"extraction": {"max_features": 0}},
        {"extraction": {"unknown": 1}},
        {"asmk": {"alpha": 0}},
    ],
)
def test_manifest_of_another_folder(index_folder, edit_manifest, changes):
    edit_manifest(index_folder, **changes)
    with pytest.raises(ValueError, match="is damaged: build it again"):
        ImageIndex.load(index_folder)


def test_other_format(index_folder):
    """It is named even if nothing else of the manifest is as it was."""
    (index_folder / "manifest.json").write_text('{"format_version": 4}')

    with pytest.raises(ValueError, match="reads index format 3.*format 4 in"):
        ImageIndex.load(index_folder)


def test_replaced_network(
    index_folder, tiny_index, photographs, make_model, edit_manifest
):
    """Its features would be compared with those of another."""
    from delf_keras.features.extractor import Extractor

    preset = index_folder / "preset"
    shutil.rmtree(preset)
    other = Extractor(make_model(seed=1), options=tiny_index.extraction)
    other.save_to_preset(preset)
    edit_manifest(index_folder, files={})

    index = ImageIndex.load(index_folder)
    with pytest.raises(
        ValueError, match=f"{index.fingerprint}. Received: {other.fingerprint}"
    ):
        index.search(photographs / "landmark_00_view_0.jpg")


def test_wrong_fingerprint(
    index_folder, tiny_index, photographs, edit_manifest
):
    """Neither the network of the folder nor what it gives is taken."""
    edit_manifest(index_folder, fingerprint="0123456789abcdef")
    index = ImageIndex.load(index_folder)
    query = photographs / "landmark_00_view_0.jpg"

    for each in (query, tiny_index.extractor.extract(query)):
        with pytest.raises(
            ValueError,
            match=f"0123456789abcdef. Received: {tiny_index.fingerprint}",
        ):
            index.search(each)


def test_arrays_are_mapped(tiny_index_folder):
    """An index may be larger than memory."""
    (segment,) = ImageIndex.load(tiny_index_folder).database.segments

    for array in (segment.store.descriptors, segment.asmk.residuals):
        assert isinstance(array.base, ctypes.Array)


def test_manifest_is_json_with_all_files(tiny_index_folder):
    content = json.loads((tiny_index_folder / "manifest.json").read_text())
    files = {
        path.relative_to(tiny_index_folder).as_posix()
        for path in tiny_index_folder.rglob("*")
        if path.is_file()
    }
    assert content["files"].keys() == files - {"manifest.json"}
