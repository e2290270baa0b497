"""Google Landmarks v2 in miniature, as it is published."""

import hashlib
import logging
import shutil

import pytest

from delf_keras.datasets.builders import GoogleLandmarksV2, google_landmarks_v2

# Of each archive: ids of its photographs.
ARCHIVES = (
    ("0123456789abcdef", "a" * 16, "b" * 16),
    ("00f3456789abcdef", "0123456789abcdee"),
)
TRAIN = """id,url,landmark_id
0123456789abcdef,http://a.org/1.jpg,7
aaaaaaaaaaaaaaaa,http://a.org/2.jpg,203093
bbbbbbbbbbbbbbbb,http://a.org/3.jpg,7
00f3456789abcdef,http://a.org/4.jpg,9
0123456789abcdee,http://a.org/5.jpg,203093
"""
CLEAN = """landmark_id,images
203093,0123456789abcdee aaaaaaaaaaaaaaaa
7,bbbbbbbbbbbbbbbb
"""
CATEGORIES = """landmark_id,category
7,http://commons.wikimedia.org/wiki/Category:Eiffel_Tower
203093,http://commons.wikimedia.org/wiki/Category:Ponte%20Vecchio
"""


@pytest.fixture
def bucket(tmp_path, write_photograph, pack):
    """The published files, in the folders of their addresses."""
    bucket = tmp_path / "google-landmark"
    metadata = bucket / "metadata"
    metadata.mkdir(parents=True)
    (metadata / "train.csv").write_text(TRAIN)
    (metadata / "train_clean.csv").write_text(CLEAN)
    (metadata / "train_label_to_category.csv").write_text(CATEGORIES)
    sums = bucket / "md5sum" / "train"
    sums.mkdir(parents=True)
    for number, ids in enumerate(ARCHIVES):
        folder = tmp_path / "extracted" / f"{number}"
        for seed, each in enumerate(ids):
            path = folder / each[0] / each[1] / each[2] / f"{each}.jpg"
            write_photograph(path, 10 * number + seed)
        archive = bucket / "train" / f"images_{number:03}.tar"
        pack(folder, archive)
        digest = hashlib.md5(archive.read_bytes()).hexdigest()
        (sums / f"md5.images_{number:03}.txt").write_text(
            f"{digest}  {archive.name}\n"
        )
    return bucket


@pytest.fixture
def manual(tmp_path, bucket):
    """Tables and archives in one folder."""
    folder = tmp_path / "manual"
    shutil.copytree(bucket / "metadata", folder)
    shutil.copytree(bucket / "train", folder, dirs_exist_ok=True)
    return folder


def check(builder, extracted, examples, expected):
    """Compares a data set with ids and labels, and with photographs."""
    found = {each["id"].decode(): each for each in examples(builder, "train")}
    labels = {each: int(found[each]["label"]) for each in found}
    assert labels == expected
    photographs = {path.stem: path for path in extracted.rglob("*.jpg")}
    for each, example in found.items():
        assert example["image"] == photographs[each].read_bytes()


FULL = {
    "0123456789abcdef": 0,
    "b" * 16: 0,
    "00f3456789abcdef": 1,
    "a" * 16: 2,
    "0123456789abcdee": 2,
}


def test_full(build, manual, examples, tmp_path):
    builder = build(GoogleLandmarksV2, manual, config="full")
    check(builder, tmp_path / "extracted", examples, FULL)
    assert builder.info.features["label"].names == [
        "7:Eiffel_Tower",
        "9",
        "203093:Ponte_Vecchio",
    ]
    landmarks = {
        int(each["label"]): int(each["landmark_id"])
        for each in examples(builder, "train")
    }
    assert landmarks == {0: 7, 1: 9, 2: 203093}


def test_a_shard_for_each_archive(build, manual):
    builder = build(GoogleLandmarksV2, manual)
    assert builder.info.splits["train"].shard_lengths == [3, 2]


def test_clean(build, manual, examples, tmp_path):
    builder = build(GoogleLandmarksV2, manual, config="clean")
    expected = {"b" * 16: 0, "a" * 16: 1, "0123456789abcdee": 1}
    check(builder, tmp_path / "extracted", examples, expected)
    assert builder.info.features["label"].num_classes == 2


def test_extracted(build, bucket, examples, tmp_path):
    manual = tmp_path / "manual"
    shutil.copytree(bucket / "metadata", manual / "metadata")
    for number in range(len(ARCHIVES)):
        shutil.copytree(
            tmp_path / "extracted" / f"{number}",
            manual / "train",
            dirs_exist_ok=True,
        )
    builder = build(GoogleLandmarksV2, manual)
    check(builder, tmp_path / "extracted", examples, FULL)
    # 0/0, 0/1, a/a and b/b.
    assert len(builder.info.splits["train"].shard_lengths) == 4


def test_workers_change_nothing(build, manual, examples, tmp_path):
    builder = build(GoogleLandmarksV2, manual, workers=3)
    check(builder, tmp_path / "extracted", examples, FULL)


def test_downloaded(build, bucket, examples, tmp_path, serve, monkeypatch):
    heard = []

    def progress(iterable, total, label):
        heard.append((label, total))
        return iterable

    monkeypatch.setattr(google_landmarks_v2, "NUM_ARCHIVES", 2)
    with serve(bucket) as url:
        monkeypatch.setattr(google_landmarks_v2, "URL", url)
        builder = build(GoogleLandmarksV2, progress=progress)
    check(builder, tmp_path / "extracted", examples, FULL)
    assert heard == [
        ("download", 2),
        ("download", 2),
        ("download", 2),
        ("check", 2),
        ("archives", 2),
    ]


def test_some_archives_give_their_photographs(
    build, manual, examples, tmp_path, caplog
):
    (manual / "images_000.tar").unlink()
    with caplog.at_level(logging.WARNING):
        builder = build(GoogleLandmarksV2, manual)
    expected = {"00f3456789abcdef": 1, "0123456789abcdee": 2}
    check(builder, tmp_path / "extracted", examples, expected)
    assert "2 of the 5 photographs" in caplog.text


def test_archives_of_something_else(build, manual):
    (manual / "train.csv").write_text(f"id,url,landmark_id\n{'c' * 16},u,7\n")
    with pytest.raises(ValueError, match="none of 1"):
        build(GoogleLandmarksV2, manual)


def test_checksums_at_hand_are_compared(build, manual, bucket):
    for path in (bucket / "md5sum" / "train").iterdir():
        shutil.copy(path, manual)
    with open(manual / "images_001.tar", "r+b") as file:
        file.seek(600)
        file.write(b"damage")
    with pytest.raises(ValueError, match="MD5.*images_001.tar") as caught:
        build(GoogleLandmarksV2, manual)
    assert "images_000.tar" not in str(caught.value)


def test_an_archive_that_is_cut_short(build, manual):
    with open(manual / "images_001.tar", "r+b") as file:
        file.truncate(700)
    with pytest.raises(ValueError, match="whole.*images_001.tar"):
        build(GoogleLandmarksV2, manual)


def test_nothing_is_left_of_a_failure(build, manual, tmp_path):
    (manual / "images_001.tar").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="images_001.tar"):
        build(GoogleLandmarksV2, manual)
    left = (tmp_path / "data" / "google_landmarks_v2").rglob("*.tfrecord*")
    assert not list(left)


def test_without_network_it_says_what_to_put_where(build, monkeypatch):
    monkeypatch.setattr(google_landmarks_v2, "URL", "http://127.0.0.1:9")
    with pytest.raises(ConnectionError, match="images_000.tar.*manual_dir"):
        build(GoogleLandmarksV2)
