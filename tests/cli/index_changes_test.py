"""The verbs that change an index folder, and the one that describes it."""

import json
import shutil

import pytest

from delf_keras.retrieval import ImageIndex


@pytest.fixture
def index(built, tmp_path):
    """A copy of the index of a.jpg, b.jpg, copy.jpg and more/c.png."""
    return shutil.copytree(built.folder, tmp_path / "index")


def names_of(index):
    return ImageIndex.load(index).database.names


def test_photographs_are_added_and_removed(command, index, built, view):
    added = command("index-add", f"--index={index}", f"--photos={view}")
    assert added.code == 0
    assert added.out == (
        f"{index}: 1 photographs added, 0 of them in place of others; 0 are "
        "there already, 0 skipped; version 2.\n"
    )
    assert names_of(index)[-1].endswith("view.jpg")

    again = command("index-add", f"--index={index}", f"--photos={built.photos}")
    assert "0 photographs added" in again.out and "4 are there" in again.out

    removed = command("index-remove", f"--index={index}", "b.jpg", "copy.jpg")
    assert removed.out == f"{index}: 2 photographs removed; version 3.\n"
    assert names_of(index)[:2] == ["a.jpg", "more/c.png"]

    compacted = command("index-compact", f"--index={index}")
    assert compacted.out == f"{index}: compacted; version 3.\n"
    assert len(names_of(index)) == 3


def test_photographs_have_moved(command, index, built, view, tmp_path):
    moved = shutil.copytree(built.photos, tmp_path / "moved")
    flags = (f"--index={index}", f"--root={moved}")
    added = command("index-add", *flags, f"--photos={moved}")
    assert "0 photographs added" in added.out and "4 are there" in added.out
    assert ImageIndex.load(index).root == moved

    back = f"--root={built.photos}"
    found = command("search", f"--index={index}", back, f"--query={view}")
    assert f"  {built.photos / 'a.jpg'}" in found.out


def test_paths_that_search_prints(command, index, built, view):
    root = f"--root={built.photos}"
    added = command("index-add", f"--index={index}", root, f"--photos={view}")
    assert added.code == 0
    found = command("search", f"--index={index}", f"--query={view}").out
    paths = [line.split(maxsplit=3)[3] for line in found.splitlines()[1:]]
    assert str(view) in paths
    removed = command("index-remove", f"--index={index}", *paths[:2])
    assert removed.out == f"{index}: 2 photographs removed; version 4.\n"
    again = command("search", f"--index={index}", f"--query={view}").out
    assert not any(path in again for path in paths[:2])


def test_what_is_left_is_counted(command, refused, index):
    assert command("index-remove", f"--index={index}", "b.jpg").code == 0
    names = names_of(index)
    message = refused("index-remove", f"--index={index}", *names)
    assert f"Received: {len(names)} photographs" in message


def test_names_that_are_not_there(refused, index):
    message = refused("index-remove", f"--index={index}", "absent.jpg")
    assert message.endswith("Received: absent.jpg")
    assert "takes the names" in refused("index-remove", f"--index={index}")


def test_facts(command, index, tmp_path):
    file = tmp_path / "info.json"
    finished = command(
        "index-info", f"--index={index}", "--verify", f"--json={file}"
    )
    assert finished.code == 0
    assert "photographs          4\n" in finished.out
    assert finished.out.endswith("All files are as they were written.\n")
    assert json.loads(file.read_text())["descriptors"] == 432


def test_damage_is_found(command, index):
    file = index / "segments/000001/locations.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    finished = command("index-info", f"--index={index}", "--verify")
    assert finished.code == 1
    assert finished.out == (
        "Damaged: segments/000001/locations.npy: "
        "segments/000001/locations.npy has another checksum\n"
    )


def test_compacted_copy(command, refused, index, tmp_path):
    output = tmp_path / "new"
    flags = ("index-compact", f"--index={index}", f"--output={output}")
    assert command(*flags).code == 0
    assert names_of(output) == names_of(index)
    assert str(output) in refused(*flags)


@pytest.mark.parametrize("verb", ["index-add", "index-compact", "index-info"])
def test_no_index(refused, scenes, tmp_path, verb):
    flags = [f"--index={tmp_path}"]
    if verb == "index-add":
        flags.append(f"--photos={scenes}")
    assert str(tmp_path) in refused(verb, *flags)
