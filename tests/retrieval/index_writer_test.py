"""Changes of an index folder: one writer, all or nothing, versions."""

import json
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from delf_keras.retrieval import (
    ImageIndex,
    IndexLocked,
    compact_index,
    index_files,
    index_info,
    index_writer,
    verify_index,
)
from delf_keras.retrieval.index_writer import (
    IndexWriter,
    change_index,
    locked,
)
from delf_keras.retrieval.manifest import read_manifest
from delf_keras.retrieval.segment import Segment

CHANGES = Path(__file__).parent / "random_changes.py"


@pytest.fixture
def folder(write_index, make_photographs, tmp_path):
    return write_index(tmp_path / "index", make_photographs(12))


def names_of(folder):
    return ImageIndex.load(folder).database.names


def segments_of(folder):
    return sorted(path.name for path in (folder / "segments").iterdir())


def best_of(folder, features):
    return ImageIndex.load(folder).search(features)[0].name


def test_added_photographs_are_found(folder, make_photographs):
    new = make_photographs(5, seed=1)
    with change_index(folder) as writer:
        writer.add(new, [bytes([n]) * 32 for n in range(5)])
        assert len(ImageIndex.load(folder)) == 12
        writer.publish()

    assert index_info(folder)["version"] == 2
    assert index_info(folder)["segments"] == 2
    assert names_of(folder)[12:] == [name for name, _ in new]
    for name, features in new:
        assert best_of(folder, features) == name
    assert verify_index(folder) == {}


def test_segment_that_was_coded_elsewhere(folder, make_photographs):
    new = make_photographs(5, seed=1)
    with change_index(folder) as writer:
        writer.take(Segment.build(writer.learned, new, 12).save)
        writer.publish()
    assert names_of(folder)[12:] == [name for name, _ in new]
    for name, features in new:
        assert best_of(folder, features) == name
    with change_index(folder) as writer:
        again = Segment.build(writer.learned, new, 12)
        with pytest.raises(ValueError, match="numbered from 17 on. Received"):
            writer.take(again.save)
    assert verify_index(folder) == {}


def test_what_is_not_published_is_dropped(folder, make_photographs):
    with pytest.raises(KeyboardInterrupt), change_index(folder) as writer:
        writer.add(make_photographs(5, seed=1))
        raise KeyboardInterrupt
    assert index_info(folder)["version"] == 1
    # The next writer clears up.
    assert len([*(folder / "segments").iterdir()]) == 2
    with change_index(folder):
        assert len([*(folder / "segments").iterdir()]) == 1


def test_removed_photographs_are_not_found(folder, make_photographs):
    name, features = make_photographs(12)[3]
    with change_index(folder) as writer:
        writer.remove([3])
        writer.publish()

    assert name not in names_of(folder) and len(names_of(folder)) == 11
    assert best_of(folder, features) != name
    assert index_info(folder)["removed"] == 1
    compact_index(folder)
    info = index_info(folder)
    assert (info["removed"], info["photographs"]) == (0, 11)
    assert info["descriptors"] == 11 * 40
    assert best_of(folder, make_photographs(12)[4][1]) == "0/004.jpg"


def test_numbers_are_not_used_again(folder, make_photographs):
    with change_index(folder) as writer:
        writer.remove([11])
        writer.add(make_photographs(1, seed=1))
        writer.publish()
    numbers = ImageIndex.load(folder).database.numbers
    assert numbers.tolist() == [*range(11), 12]


def test_all_cannot_be_removed(folder):
    with pytest.raises(ValueError, match="at least one photograph"):
        with change_index(folder) as writer:
            writer.remove(range(12))
            writer.publish()
    assert len(names_of(folder)) == 12


def test_segment_of_which_nothing_is_left(folder, make_photographs):
    with change_index(folder) as writer:
        writer.add(make_photographs(3, seed=1))
        writer.remove([12, 13, 14])
        writer.publish()
        writer.merge_all()
        writer.publish()
    assert len(names_of(folder)) == 12
    with change_index(folder) as writer:
        writer.add(make_photographs(3, seed=2))
        writer.remove(range(12))
        writer.merge_alike()
        writer.publish()
    assert names_of(folder) == [f"2/{n:03d}.jpg" for n in range(3)]


def test_few_segments_however_many_additions(folder, make_photographs):
    """Each at least twice as large as the next."""
    for seed in range(1, 21):
        with change_index(folder) as writer:
            writer.add(make_photographs(1, seed=seed))
            writer.merge_alike()
            writer.publish()
            sizes = [*map(len, writer.stores)]
        assert all(a >= 2 * b for a, b in zip(sizes, sizes[1:], strict=False))
    assert len(names_of(folder)) == 32 and len(sizes) <= 4
    # A number a photograph, in the order in which they came.
    assert (np.diff(ImageIndex.load(folder).database.numbers) == 1).all()


def test_segments_rank_as_one(folder, make_photographs):
    query = make_photographs(1, seed=50, features=60)[0][1]
    with change_index(folder) as writer:
        writer.add(make_photographs(12, seed=1))
        writer.publish()
    several = ImageIndex.load(folder).search(query, 24)
    compact_index(folder)
    one = ImageIndex.load(folder).search(query, 24)

    assert [each.name for each in several] == [each.name for each in one]
    for a, b in zip(several, one, strict=True):
        assert a.score == pytest.approx(b.score, rel=1e-5)


def test_reader_keeps_its_version(folder, make_photographs):
    """Its files stay while it has them open."""
    reader = ImageIndex.load(folder)
    query = make_photographs(12)[7][1]
    expected = [(each.name, each.score) for each in reader.search(query)]
    with change_index(folder) as writer:
        writer.add(make_photographs(12, seed=1))
        writer.remove([7])
        writer.merge_all()
        writer.publish()

    assert segments_of(folder) == ["000001", "000003"]
    assert [(e.name, e.score) for e in reader.search(query)] == expected
    assert best_of(folder, query) != "0/007.jpg"
    reader.save(folder.parent / "copy")
    assert names_of(folder.parent / "copy") == reader.database.names
    assert verify_index(folder.parent / "copy") == {}
    del reader
    with change_index(folder):
        assert segments_of(folder) == ["000003"]


def test_files_are_checked_while_a_writer_works(
    folder, make_photographs, monkeypatch
):
    """One that compacts takes away none of what is being checked."""
    check = index_files.check_digests
    changes = iter(range(3))

    def change_meanwhile(*arguments):
        if next(changes, None) is not None:
            with change_index(folder) as writer:
                writer.add(make_photographs(1, seed=next_seed()))
                writer.merge_all()
                writer.publish()
        check(*arguments)

    next_seed = iter(range(10, 20)).__next__
    monkeypatch.setattr(index_files, "check_digests", change_meanwhile)
    assert verify_index(folder) == {}
    assert index_info(folder)["version"] > 1


def test_links_are_refused_and_nothing_behind_them_removed(
    folder, make_photographs, tmp_path
):
    elsewhere = tmp_path / "elsewhere"
    (folder / "segments").rename(elsewhere)
    (elsewhere / "mine").mkdir()
    (elsewhere / "000007").mkdir()
    (folder / "segments").symlink_to(elsewhere)
    with pytest.raises(ValueError, match="not in one that is linked"):
        with change_index(folder):
            pass
    assert len([*elsewhere.iterdir()]) == 3
    assert len(names_of(folder)) == 12


def test_only_what_writers_make_is_removed(folder, tmp_path):
    notes = folder / "segments" / "notes"
    notes.mkdir()
    (tmp_path / "mine").mkdir()
    (folder / "segments" / "000009").symlink_to(tmp_path / "mine")
    (folder / ".writing-12ab34cd-x").mkdir()
    (folder / "segments" / "000005").mkdir()
    with change_index(folder):
        pass
    assert notes.is_dir() and (tmp_path / "mine").is_dir()
    assert segments_of(folder) == ["000001", "000009", "notes"]
    assert not (folder / ".writing-12ab34cd-x").exists()


def test_nothing_is_removed_from_a_damaged_index(folder):
    (folder / "segments" / "000002").mkdir()
    (folder / "segments" / "000001" / "scales.npy").unlink()
    with pytest.raises(ValueError, match="is damaged"), change_index(folder):
        pass
    assert segments_of(folder) == ["000001", "000002"]


def test_lost_update_is_refused(folder, make_photographs):
    """Where locks do nothing, as on some file systems of a network."""
    slow, quick = IndexWriter(folder), IndexWriter(folder)
    quick.add(make_photographs(1, seed=1))
    quick.publish()
    slow.remove([3])
    with pytest.raises(IndexLocked, match="version 2 in place of 1"):
        slow.publish()

    slow = IndexWriter(folder)
    slow.add(make_photographs(2, seed=2))
    IndexWriter(folder)  # It takes what it does not know for a leftover.
    with pytest.raises(IndexLocked, match="whose files were removed"):
        slow.publish()
    assert len(names_of(folder)) == 13 and verify_index(folder) == {}


def test_index_that_was_removed_meanwhile_stays_so(folder):
    with pytest.raises(FileNotFoundError, match="Received: .*/index"):
        with change_index(folder) as writer:
            writer.remove([3])
            (folder / "manifest.json").unlink()
            writer.publish()
    assert not (folder / "manifest.json").exists()


def test_additions_need_few_open_files(
    folder, make_photographs, few_open_files
):
    """Each photograph a segment, and none merged before the end."""
    with change_index(folder) as writer, few_open_files():
        for seed in range(1, 40):
            writer.add(make_photographs(1, seed=seed))
        writer.merge_all()
        writer.publish()
    assert len(names_of(folder)) == 51 and verify_index(folder) == {}


def test_many_additions_are_merged_meanwhile(
    folder, make_photographs, monkeypatch
):
    monkeypatch.setattr(index_writer, "_MOST_SEGMENTS", 4)
    with change_index(folder) as writer:
        for seed in range(1, 12):
            writer.add(make_photographs(1, seed=seed))
            writer.merge_many()
            assert len(writer.stores) < 4
        writer.publish()
    assert (np.diff(ImageIndex.load(folder).database.numbers) == 1).all()
    assert len(names_of(folder)) == 23


def test_two_writers_cannot_meet(folder):
    with locked(folder):
        with pytest.raises(
            IndexLocked, match=f"process {os.getpid()} on .* since"
        ):
            with change_index(folder):
                pass
        # Readers go on.
        assert len(names_of(folder)) == 12
    with change_index(folder):
        pass


def test_lock_ends_with_its_process(folder):
    code = (
        "import sys, time; from pathlib import Path\n"
        "from delf_keras.retrieval.index_writer import locked\n"
        "with locked(Path(sys.argv[1])):\n"
        "    print('locked', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout.readline() == b"locked\n"
        with pytest.raises(IndexLocked, match=f"process {process.pid} on"):
            with change_index(folder):
                pass
        process.kill()
    with change_index(folder):
        pass


@pytest.fixture(scope="module")
def server():
    """A process that has imported everything, to fork others from."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["delf_keras.retrieval.changing"])
    return context


def start(server, folder, seed, file_size=None):
    process = server.Process(
        target=runpy.run_path,
        args=(
            str(CHANGES),
            {"folder": folder, "seed": seed, "file_size": file_size},
        ),
    )
    process.start()
    return process


def check(folder):
    """The index is one of the versions that were to be published, whole."""
    assert verify_index(folder) == {}
    names = names_of(folder)
    version = index_info(folder)["version"]
    if version > 1:
        expected = folder.parent / f"expected-{version}.json"
        assert sorted(names) == json.loads(expected.read_text())
    assert len({*names}) == len(names)
    return version


def wait_for(process, folder, version):
    """Waits until a process has published a version, however slow it is."""
    deadline = time.monotonic() + 120
    while read_manifest(folder).version < version:
        assert process.is_alive() and time.monotonic() < deadline
        time.sleep(0.01)


def kill_at_random(server, folder, kills):
    """Each in the midst of some change; none that was published is lost."""
    rng = np.random.default_rng(kills)
    version = 1
    for seed in range(kills):
        process = start(server, folder, seed)
        published = version + rng.integers(1, 3)
        wait_for(process, folder, published)
        time.sleep(rng.uniform(0, 0.3))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        version = check(folder)
        assert version >= published


def test_killed_writers_leave_a_version(server, folder):
    kill_at_random(server, folder, 6)


@pytest.mark.large
def test_hundred_killed_writers(server, folder):
    kill_at_random(server, folder, 100)


def test_full_disk_leaves_a_version(server, folder):
    """A limit on the size of files fails every write in its turn."""
    versions = set()
    for size in range(0, 60_000, 6_000):
        process = start(server, folder, size, file_size=size)
        process.join(60)
        # Nothing but what a full disk raises ends the process.
        assert process.exitcode == 0
        versions.add(check(folder))
    assert versions == {1}
