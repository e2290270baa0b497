"""Photographs are added, replaced and removed by what they are."""

import errno
import os
import shutil

import numpy as np
import pytest

from delf_keras.retrieval import (
    ImageIndex,
    add_photographs,
    addition,
    build_index,
    compact_index,
    index_info,
    remove_photographs,
    verify_index,
)
from delf_keras.retrieval.index_writer import IndexWriter

FIRST = ["distractor_00.jpg", "landmark_00_view_0.jpg"]
LATER = ["landmark_01_view_0.jpg", "landmark_02_view_0.jpg"]


@pytest.fixture
def photos(photographs, tmp_path):
    """A folder of two photographs."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name in FIRST:
        shutil.copy(photographs / name, folder)
    return folder


@pytest.fixture
def index(photos, tiny_index, tmp_path):
    """The folder of an index of the two."""
    build_index(
        photos,
        tiny_index.extractor,
        output=tmp_path / "index",
    )
    return tmp_path / "index"


@pytest.fixture
def add(tiny_index):
    """`add_photographs`, without loading the preset each time."""

    def add(index, photographs, **options):
        return add_photographs(
            index, photographs, tiny_index.extractor, **options
        )

    return add


@pytest.fixture
def best_of(tiny_index):
    """A function that returns the name of what a search finds."""

    def best(index, photograph):
        query = tiny_index.extractor.extract(photograph)
        return ImageIndex.load(index).search(query)[0].name

    return best


@pytest.fixture
def more(photos, photographs):
    """The folder with two more photographs."""
    for name in LATER:
        shutil.copy(photographs / name, photos)
    return photos


def test_new_photographs_are_added(index, best_of, add, more):
    report = add(index, more)

    assert report.added == LATER
    assert report.known == {name: name for name in FIRST}
    assert (report.removed, report.skipped, report.version) == ([], {}, 2)
    for name in FIRST + LATER:
        assert best_of(index, more / name) == name
    again = add(index, more)
    assert again.added == [] and len(again.known) == 4 and again.version == 2


def test_copies_and_other_folders(
    index, tiny_index, add, photos, photographs, tmp_path
):
    """Known by their bytes, and by their place from the indexed folder."""
    copy = shutil.copy(photographs / FIRST[0], tmp_path / "copy.jpg")
    new = shutil.copy(photographs / LATER[0], tmp_path / "new.jpg")
    report = add(index, [copy, new])

    assert report.known == {"../copy.jpg": FIRST[0]}
    assert report.added == ["../new.jpg"]
    query = tiny_index.extractor.extract(new)
    result = ImageIndex.load(index).search(query)[0]
    assert result.path.resolve() == tmp_path / "new.jpg"


def test_index_and_photographs_have_moved(
    index, best_of, add, more, photographs, tmp_path
):
    new = tmp_path / "new"
    new.mkdir()
    index = index.rename(new / "index")
    photos = more.rename(new / "photographs")
    assert ImageIndex.load(index).root == photos
    assert add(index, photos / LATER[0]).added == LATER[:1]
    # It was found beside the index, and is known by its place from now on.
    index = index.rename(tmp_path / "alone")
    assert ImageIndex.load(index).root == photos

    photos = photos.rename(tmp_path / "elsewhere")
    assert ImageIndex.load(index, photos).root == photos
    report = add(index, photos / LATER[0], root=photos)
    assert report.known == {LATER[0]: LATER[0]}
    assert ImageIndex.load(index).root == photos
    with pytest.raises(FileNotFoundError, match="Received: root=.*gone"):
        add(index, photos, root=tmp_path / "gone")

    # A copy knows its own way to them.
    ImageIndex.load(index).save(tmp_path / "deep/er/copy")
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    tmp_path.rename(moved)
    assert ImageIndex.load(moved / "deep/er/copy").root == moved / "elsewhere"


def test_index_of_a_bucket(index, edit_manifest, add, photos):
    edit_manifest(index, roots=["gs://bucket/photographs"])
    with pytest.raises(ValueError, match="an index of gs://bucket"):
        add(index, photos)
    assert ImageIndex.load(index).root == "gs://bucket/photographs"
    assert len(add(index, photos, root=photos).known) == 2


def test_single_photograph(index, more):
    report = add_photographs(index, str(more / LATER[0]))
    assert report.added == LATER[:1]


def test_changed_photograph_is_skipped_or_replaces(
    index, tiny_index, add, photos, photographs
):
    shutil.copy(photographs / LATER[0], photos / FIRST[0])
    report = add(index, photos)
    assert report.added == [] and "replace it" in report.skipped[FIRST[0]]

    report = add(index, photos, replace=True)
    assert (report.added, report.removed) == (FIRST[:1], FIRST[:1])
    assert len(ImageIndex.load(index)) == 2
    query = tiny_index.extractor.extract(photographs / LATER[0])
    found = ImageIndex.load(index).search(query)[0]
    assert found.name == FIRST[0] and found.num_inliers == 130


def test_content_that_is_there_replaces_as_well(
    index, best_of, add, photos, photographs
):
    """Under another name: the name decides."""
    shutil.copy(photos / FIRST[1], photos / FIRST[0])
    report = add(index, photos)
    assert "replace it" in report.skipped[FIRST[0]]
    report = add(index, photos, replace=True)

    assert (report.added, report.removed) == (FIRST[:1], FIRST[:1])
    found = ImageIndex.load(index).database
    assert sorted(found.names) == FIRST
    digests = np.concatenate([each.store.digests for each in found.segments])
    assert (digests[-1] == digests[-2]).all()


def test_nothing_is_lost_where_contents_change_places(
    index, best_of, add, photos, photographs
):
    """New names that sort before and after have what is replaced."""
    for name in ("0.jpg", "z.jpg"):
        shutil.copy(photos / FIRST[0], photos / name)
        shutil.copy(photographs / LATER[0], photos / FIRST[0])
        report = add(index, photos, replace=True)
        assert sorted(report.added) == sorted([name, FIRST[0]])
        assert best_of(index, photographs / LATER[0]) == FIRST[0]
        assert best_of(index, photos / name) == name
        (photos / name).unlink()
        remove_photographs(index, [name])
        shutil.copy(photographs / FIRST[0], photos / FIRST[0])
        add(index, photos, replace=True)


def test_copy_of_a_new_photograph_replaces(index, best_of, add, more):
    """What had its name goes, though its content has another name now."""
    shutil.copy(more / LATER[0], more / "0.jpg")
    shutil.copy(more / LATER[0], more / FIRST[1])
    report = add(index, [more / "0.jpg", more / FIRST[1]], replace=True)
    assert report.added == ["0.jpg", FIRST[1]]
    assert report.removed == [FIRST[1]]


def test_two_ways_to_one_photograph(index, add, more, tmp_path):
    (tmp_path / "link").symlink_to(more)
    report = add(index, [tmp_path / "link" / LATER[0], more / LATER[0]])
    assert report.added == LATER[:1] and report.known == {}


def test_equal_photographs_of_one_addition(index, add, more):
    """Only the first of them; and each once, however its path is written."""
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(more / LATER[0], more / name)
    (more / "x").mkdir()
    report = add(index, [more / "a.jpg", more / "b.jpg", more / LATER[0]])
    assert report.added == ["a.jpg"]
    assert report.known == {"b.jpg": "a.jpg", LATER[0]: "a.jpg"}
    report = add(index, [more / LATER[1], more / "x" / ".." / LATER[1]])
    assert report.added == LATER[1:]


def test_renamed_photograph_gets_its_new_path(index, best_of, add, photos):
    (photos / FIRST[0]).rename(photos / "new.jpg")
    report = add(index, photos)

    assert (report.added, report.removed) == (["new.jpg"], FIRST[:1])
    assert best_of(index, photos / "new.jpg") == "new.jpg"
    assert len(ImageIndex.load(index)) == 2
    assert add(index, photos).added == []


def test_edit_between_check_and_extraction(
    index, add, more, photographs, monkeypatch
):
    """The digest is that of the bytes that were extracted."""
    check = addition.digest_of

    def edited(path):
        digest = check(path)
        if path.name == LATER[0]:
            shutil.copy(photographs / LATER[1], path)
        return digest

    monkeypatch.setattr(addition, "digest_of", edited)
    add(index, more / LATER[0])
    last = ImageIndex.load(index).database.segments[-1].store
    assert last.digests[-1].tobytes().hex() == check(photographs / LATER[1])


def test_bad_photograph_is_skipped(index, add, more, caplog):
    (more / "broken.jpg").write_text("This is no photograph.")
    report = add(index, more)

    assert report.added == LATER
    assert [*report.skipped] == ["broken.jpg"]
    assert "broken.jpg" in caplog.text


def test_photograph_that_cannot_be_read_is_skipped(
    index, add, more, monkeypatch
):
    """But none where it is the system that fails."""
    check = addition.digest_of
    error = PermissionError(errno.EACCES, "Permission denied")

    def fail(path):
        if path.name == LATER[0]:
            raise error
        return check(path)

    monkeypatch.setattr(addition, "digest_of", fail)
    report = add(index, more)
    assert report.added == LATER[1:]
    assert f"{LATER[0]} (Permission denied)" in report.skipped[LATER[0]]

    error = OSError(errno.EMFILE, "Too many open files")
    with pytest.raises(OSError, match=f"Too many open files.*{LATER[0]}"):
        add(index, more)
    assert index_info(index)["version"] == 2


def test_interrupted_addition_goes_on(index, add, more, monkeypatch):
    monkeypatch.setattr(addition, "_SHARD", 1)

    def interrupted(iterable, total, label):
        if label == "check":
            yield from iterable
            return
        yield next(iter(iterable))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add(index, more, progress=interrupted)
    assert len(ImageIndex.load(index)) == 3
    report = add(index, more)
    assert report.added == LATER[1:] and len(report.known) == 3


def test_removed_by_name(index, best_of, add, more):
    add(index, more)
    report = remove_photographs(index, [FIRST[0], LATER[1], LATER[1]])

    assert report.removed == [FIRST[0], LATER[1]]
    assert ImageIndex.load(index).database.names == [FIRST[1], LATER[0]]
    # And may be added again.
    assert add(index, more).added == [FIRST[0], LATER[1]]
    assert best_of(index, more / FIRST[0]) == FIRST[0]


def test_removed_by_path_of_photographs_that_have_moved(index, photos):
    moved = photos.rename(photos.parent / "moved")
    path = moved / FIRST[0]
    with pytest.raises(ValueError, match=f"Received: {path}$"):
        remove_photographs(index, [path])
    report = remove_photographs(index, [path], root=moved)
    assert report.removed == FIRST[:1]


def test_removed_by_path_as_it_is_printed(index, photos, add):
    """Bytes that are no UTF-8 are printed as escapes."""
    name = os.fsdecode(b"b\xe9.jpg")
    (photos / FIRST[1]).rename(photos / name)
    add(index, photos)
    report = remove_photographs(index, [photos / "b\\udce9.jpg"])
    assert report.removed == [name]


def test_unknown_name_removes_nothing(index):
    with pytest.raises(ValueError, match="Received: absent.jpg, also.jpg$"):
        remove_photographs(index, [FIRST[0], "absent.jpg", "also.jpg"])
    assert index_info(index)["version"] == 1


def test_compacted_index_is_the_same(index, tiny_index, add, more):
    add(index, more)
    remove_photographs(index, FIRST[:1])
    query = tiny_index.extractor.extract(more / LATER[0])
    before = [r.name for r in ImageIndex.load(index).search(query)]
    assert compact_index(index).version == 4
    info = index_info(index)
    assert (info["segments"], info["removed"]) == (1, 0)
    after = [r.name for r in ImageIndex.load(index).search(query)]
    assert after == before
    # There is nothing left to do.
    assert compact_index(index).version == 4


def test_compacted_copy_is_whole_or_not_there(
    index, add, more, monkeypatch, tmp_path
):
    add(index, more / LATER[0])
    output = tmp_path / "deep" / "copy"

    def fail(writer):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(IndexWriter, "merge_all", fail)
        with pytest.raises(OSError, match="No space left"):
            compact_index(index, output)
    assert [*output.parent.iterdir()] == []

    assert compact_index(index, output).version == 3
    assert index_info(output)["segments"] == 1
    assert verify_index(output) == {}
    assert ImageIndex.load(output).root == more
    assert (index_info(index)["segments"], index_info(index)["version"]) == (
        2,
        2,
    )
    with pytest.raises(FileExistsError, match="Received: folder=.*copy"):
        compact_index(index, output)


def test_extractor_of_another_space(index, photos, tiny_extractor, tiny_index):
    with pytest.raises(ValueError, match="descriptor space of the index"):
        add_photographs(index, photos, tiny_extractor)
    report = add_photographs(index, photos, tiny_index.extractor)
    assert len(report.known) == 2


def test_absent_photograph(index, photos):
    with pytest.raises(FileNotFoundError, match="absent.jpg"):
        add_photographs(index, [photos / "absent.jpg"])
    assert index_info(index)["version"] == 1
