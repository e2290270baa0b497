"""Oxford5k in miniature, as its authors publish it."""

import dataclasses
import shutil

import pytest

from delf_keras.datasets.builders import Oxford5k

QUERY = {
    "query": "oxc1_all_souls_000013 3.5 4 20 21.25\n",
    "good": "all_souls_000026\n",
    "ok": "all_souls_000013\n",
    "junk": "christ_church_000179\n",
}


@pytest.fixture
def contents(tmp_path, write_photograph):
    """Bytes of the photographs of jpg/, beside them gt_files_170407/."""
    folder = tmp_path / "contents"
    names = ("christ_church_000179", "all_souls_000026", "all_souls_000013")
    for seed, name in enumerate(names):
        write_photograph(folder / "jpg" / f"{name}.jpg", seed)
    (folder / "gt_files_170407").mkdir()
    for kind, text in QUERY.items():
        path = folder / "gt_files_170407" / f"all_souls_1_{kind}.txt"
        path.write_text(text)
    return folder


@pytest.fixture
def archives(tmp_path, contents, pack):
    """The archives, which have no folders in them."""
    folder = tmp_path / "archives"
    pack(contents / "jpg", folder / "oxbuild_images-v1.tgz")
    pack(contents / "gt_files_170407", folder / "gt_files_170407.tgz")
    return folder


@pytest.fixture
def published(monkeypatch):
    """A function that moves the published files to another address."""

    def published(url):
        for name in ("PHOTOGRAPHS", "GROUND_TRUTH"):
            files = dataclasses.replace(getattr(Oxford5k, name), url=url)
            monkeypatch.setattr(Oxford5k, name, files)

    return published


def check(builder, contents, examples):
    """What all ways to the data set must give."""
    database = examples(builder, "database")
    names = [example["name"].decode() for example in database]
    assert names == [
        "all_souls_000013",
        "all_souls_000026",
        "christ_church_000179",
    ]
    for name, example in zip(names, database, strict=True):
        expected = (contents / "jpg" / f"{name}.jpg").read_bytes()
        assert example["image"] == expected
        assert example["box"].tolist() == [0, 0, 40, 30]
        assert example["query"] == b"" and not len(example["positives"])
    (query,) = examples(builder, "query")
    assert query["query"] == b"all_souls_1"
    assert query["name"] == b"all_souls_000013"
    assert query["image"] == database[0]["image"]
    assert query["box"].tolist() == [3.5, 4, 20, 21.25]
    assert query["positives"].tolist() == [
        b"all_souls_000013",
        b"all_souls_000026",
    ]
    assert query["junk"].tolist() == [b"christ_church_000179"]


def test_from_archives(build, archives, contents, examples):
    check(build(Oxford5k, archives), contents, examples)


def test_from_folders(build, contents, examples):
    check(build(Oxford5k, contents), contents, examples)


def test_photographs_are_decoded(build, contents):
    example = next(iter(build(Oxford5k, contents).as_dataset("database")))
    assert example["image"].shape == (30, 40, 3)
    assert example["image"].dtype == "uint8"


def test_downloaded(build, archives, contents, examples, serve, published):
    with serve(archives) as url:
        published(url)
        builder = build(Oxford5k)
    check(builder, contents, examples)
    # What was downloaded is kept, and serves without a network.
    shutil.rmtree(builder.data_dir)
    check(build(Oxford5k), contents, examples)


def test_some_files_at_hand_and_the_others_downloaded(
    build, archives, contents, examples, serve, published, tmp_path
):
    manual = tmp_path / "manual"
    manual.mkdir()
    (archives / "gt_files_170407.tgz").rename(manual / "gt_files_170407.tgz")
    with serve(archives) as url:
        published(url)
        check(build(Oxford5k, manual), contents, examples)


def test_without_network_it_says_what_to_put_where(build, published):
    # Nobody listens there.
    published("http://127.0.0.1:9")
    with pytest.raises(ConnectionError) as caught:
        build(Oxford5k)
    message = str(caught.value)
    assert "\n" not in message
    assert "oxbuild_images-v1.tgz" in message
    assert "gt_files_170407.tgz" in message
    assert "manual_dir" in message
    assert message.endswith("http://127.0.0.1:9/oxbuild_images-v1.tgz")


def test_a_file_that_is_not_published(build, tmp_path, serve, published):
    with serve(tmp_path) as url:
        published(url)
        with pytest.raises(ConnectionError, match="404.*manual_dir"):
            build(Oxford5k)


def test_photographs_that_are_missing(build, contents):
    (contents / "jpg" / "all_souls_000013.jpg").unlink()
    with pytest.raises(ValueError, match="names 1 .*all_souls_000013.jpg"):
        build(Oxford5k, contents)


def test_a_photograph_that_is_none(build, contents):
    (contents / "jpg" / "all_souls_000026.jpg").write_text("<html>302 Found")
    with pytest.raises(ValueError, match="JPEG.*all_souls_000026.jpg"):
        build(Oxford5k, contents)


def test_ground_truth_that_is_missing(build, contents):
    shutil.rmtree(contents / "gt_files_170407")
    (contents / "gt_files_170407").mkdir()
    with pytest.raises(FileNotFoundError, match="_query.txt"):
        build(Oxford5k, contents)
