"""An index folder is written whole, moves, and says when it is damaged."""

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from delf_keras.retrieval import ImageIndex

FILES = {
    "asmk",
    "background.npy",
    "descriptors.npy",
    "images.json",
    "index.faiss",
    "locations.npy",
    "manifest.json",
    "offsets.npy",
    "preset",
    "scales.npy",
    "sizes.npy",
}
ARRAYS = FILES - {"asmk", "manifest.json", "preset"} | {"asmk/residuals.npy"}


@pytest.fixture
def index_folder(tiny_index_folder, tmp_path):
    """A copy of an index folder."""
    return Path(shutil.copytree(tiny_index_folder, tmp_path / "index"))


def edit_manifest(folder, **changes):
    """Changes values of the manifest, or removes those that are None."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text()) | changes
    kept = {key: value for key, value in manifest.items() if value is not None}
    path.write_text(json.dumps(kept))


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

    assert {path.name for path in tiny_index_folder.iterdir()} == FILES
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

    for name in FILES - {"asmk", "preset"}:
        expected = (tiny_index_folder / name).read_bytes()
        assert (tmp_path / "again" / name).read_bytes() == expected


def test_index_of_an_earlier_version(index_folder, tiny_index):
    """It says nothing of a server."""
    edit_manifest(index_folder, server=None)
    loaded = ImageIndex.load(index_folder)
    assert loaded.extractor.fingerprint == tiny_index.fingerprint


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
        "delf_keras.retrieval.index_files.json.dumps",
    ],
)
def test_failed_save_leaves_nothing(
    tiny_index, tmp_path, monkeypatch, step, error
):
    """Wherever it fails, and whatever was written by then."""

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(step, fail)
    with pytest.raises(type(error)):
        tiny_index.save(tmp_path / "index")

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["absent", "file", "empty"])
def test_no_index(tmp_path, name):
    (tmp_path / "file").write_text("This is no folder.")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        FileNotFoundError, match=f"manifest.json.*Received: .*/{name}$"
    ):
        ImageIndex.load(tmp_path / name)


@pytest.mark.parametrize("name", sorted(ARRAYS | {"preset/config.json"}))
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


@pytest.mark.parametrize("name", sorted(ARRAYS))
def test_overwritten_file(index_folder, name):
    """Its size is right and its content is not."""
    file = index_folder / name
    file.write_bytes(b"x" * file.stat().st_size)

    with pytest.raises(ValueError, match="is damaged: build it again"):
        ImageIndex.load(index_folder)


def test_files_of_two_indexes(index_folder):
    names = json.loads((index_folder / "images.json").read_text())
    changes = {"num_images": len(names) + 1}
    edit_manifest(index_folder, **changes)

    with pytest.raises(ValueError, match="it has 6 images, 780 descriptors"):
        ImageIndex.load(index_folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "{}", "\x00\x01"])
def test_damaged_manifest(index_folder, text):
    (index_folder / "manifest.json").write_text(text)

    with pytest.raises(
        ValueError, match="The manifest of an index is expected"
    ):
        ImageIndex.load(index_folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"root": None},
        {"fingerprint": None},
        {"file_sizes": None},
        {"file_sizes": []},
        {"num_images": None},
        {"extraction": {"max_features": 0}},
        {"extraction": {"unknown": 1}},
    ],
)
def test_manifest_with_other_values(index_folder, changes):
    edit_manifest(index_folder, **changes)

    with pytest.raises(ValueError, match="is damaged: build it again"):
        ImageIndex.load(index_folder)


def test_newer_format(index_folder):
    """It is named even if nothing else of the manifest is as it was."""
    (index_folder / "manifest.json").write_text('{"format_version": 3}')

    with pytest.raises(ValueError, match="reads index format 2.*format 3 in"):
        ImageIndex.load(index_folder)


def test_replaced_network(index_folder, tiny_index, photographs, make_model):
    """Its features would be compared with those of another."""
    from delf_keras.features.extractor import Extractor

    preset = index_folder / "preset"
    shutil.rmtree(preset)
    other = Extractor(make_model(seed=1), options=tiny_index.extraction)
    other.save_to_preset(preset)
    edit_manifest(index_folder, file_sizes={})

    index = ImageIndex.load(index_folder)
    with pytest.raises(
        ValueError, match=f"{index.fingerprint}. Received: {other.fingerprint}"
    ):
        index.search(photographs / "landmark_00_view_0.jpg")


def test_wrong_fingerprint(index_folder, tiny_index, photographs):
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
    store = ImageIndex.load(tiny_index_folder).store

    assert isinstance(store.descriptors, np.memmap)
    assert isinstance(store.locations, np.memmap)
