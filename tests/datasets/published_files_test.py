"""Published files in miniature: put somewhere, downloaded, or missing."""

import contextlib
import dataclasses
import functools
import hashlib
import http.server
import tarfile
import threading

import pytest

from delf_keras.datasets import published
from delf_keras.datasets.benchmarks import learning_photographs, open_benchmark
from delf_keras.datasets.published_files import provide_files

ARCHIVES = ("paris_1-v1.tgz", "paris_2-v1.tgz", "paris_120310.tgz")


def pack(archive, folder, paths):
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as file:
        for path in paths:
            file.add(path, f"{folder}{path.name}")


@pytest.fixture
def site(oxford_set, revisited_set, tmp_path):
    """A folder of files as their authors publish them."""
    site = tmp_path / "site"
    photographs = sorted((oxford_set / "jpg").iterdir())
    texts = sorted((oxford_set / "gt_files").iterdir())
    pack(site / "oxbuild_images-v1.tgz", "", photographs)
    pack(site / "gt_files_170407.tgz", "", texts)
    pack(site / "paris_1-v1.tgz", "paris/one/", photographs[:9])
    pack(site / "paris_2-v1.tgz", "paris/two/", photographs[9:])
    pack(site / "paris_120310.tgz", "paris_120310/", texts)
    gnd = (revisited_set / "gnd_tiny.pkl").read_bytes()
    for name in ("roxford5k", "rparis6k"):
        (site / f"gnd_{name}.pkl").write_bytes(gnd)
    for part, path in enumerate(photographs[:3], start=1):
        pack(site / f"revisitop1m.{part}.tar.gz", f"{part:03x}/", [path])
    (site / "revisitop1m.txt").write_text(
        "".join(
            f"{part:03x}/{path.name}\n"
            for part, path in enumerate(photographs[:3], start=1)
        )
    )
    return site


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """A function that moves all published files to another address.

    Without a call nobody listens there.
    """
    for name in published.PHOTOGRAPH_COUNTS:
        monkeypatch.setitem(published.PHOTOGRAPH_COUNTS, name, 22)

    def move(url):
        for table in (published.PHOTOGRAPHS, published.GROUND_TRUTH):
            for name, files in table.items():
                # Three archives stand for the hundred.
                names = files.names[:3]
                moved = dataclasses.replace(
                    files, url=url, names=names, md5=(None,) * len(names)
                )
                monkeypatch.setitem(table, name, moved)

    move("http://127.0.0.1:9")
    return move


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def online(site, offline):
    """A context manager in which the site is online."""

    @contextlib.contextmanager
    def online():
        handler = functools.partial(_Quiet, directory=site)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            offline(f"http://127.0.0.1:{server.server_port}")
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
            offline("http://127.0.0.1:9")

    return online


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("place", ["data", "data/paris6k"])
def test_archives_at_hand(site, tmp_path, oxford_set, place):
    folder = tmp_path / place
    folder.mkdir(parents=True)
    for name in ARCHIVES:
        (site / name).rename(folder / name)
    benchmark = open_benchmark("paris6k", tmp_path / "data")
    expected = open_benchmark(oxford_set)
    assert benchmark.image_names == expected.image_names
    assert benchmark.ground_truth == expected.ground_truth
    # What somebody put there remains.
    assert {*ARCHIVES} <= {*names_in(folder)}
    again = open_benchmark("paris6k", tmp_path / "data")
    assert again.image_paths == benchmark.image_paths


def test_files_that_are_missing_are_named_in_one_line(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        open_benchmark("paris6k", tmp_path)
    assert str(caught.value) == (
        "Files are missing: put paris_1-v1.tgz and paris_2-v1.tgz (or the "
        f"photographs, in jpg) into {tmp_path}/paris6k, paris_120310.tgz (or "
        f"the files, in paris_120310) into {tmp_path}/paris6k; or they are "
        f"downloaded with --download. Received: data_dir={tmp_path}"
    )
    assert not names_in(tmp_path)


def test_many_files_that_are_missing(tmp_path):
    message = (
        "revisitop1m.1.tar.gz and 2 more like it .*"
        f"gnd_roxford5k.pkl into {tmp_path}/roxford5k, "
        f"revisitop1m.txt into {tmp_path}/revisitop1m; "
    )
    with pytest.raises(FileNotFoundError, match=message):
        open_benchmark("roxford5k+1m", tmp_path)


def test_one_archive_of_two_is_missing(site, tmp_path):
    data = tmp_path / "data" / "paris6k"
    data.mkdir(parents=True)
    for name in ARCHIVES[::2]:
        (site / name).rename(data / name)
    message = "put paris_2-v1.tgz .or the photographs, in jpg. into [^,]*;"
    with pytest.raises(FileNotFoundError, match=message):
        open_benchmark("paris6k", tmp_path / "data")


@pytest.mark.parametrize(
    "name", ["oxford5k", "paris6k", "roxford5k", "rparis6k+1m"]
)
def test_downloaded(online, tmp_path, oxford_set, revisited_set, name):
    with online():
        benchmark = open_benchmark(name, tmp_path / "data", download=True)
    own = open_benchmark(revisited_set if name[0] == "r" else oxford_set)
    more = 3 if name.endswith("1m") else 0
    assert len(benchmark.image_names) == len(own.image_names) + more
    for path, expected in zip(
        benchmark.image_paths, own.image_paths, strict=False
    ):
        assert path.read_bytes() == expected.read_bytes()
    # What was downloaded serves offline, and its archives are gone.
    again = open_benchmark(name, tmp_path / "data")
    assert again.image_paths == benchmark.image_paths
    assert not [*(tmp_path / "data").rglob("*gz")]
    assert [*(tmp_path / "data").rglob("*.md5")]


def test_only_what_is_missing_is_downloaded(online, site, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (site / "oxbuild_images-v1.tgz").rename(data / "oxbuild_images-v1.tgz")
    with online():
        open_benchmark("roxford5k", data, download=True)
    assert (data / "oxbuild_images-v1.tgz").is_file()


def test_ground_truth_is_not_needed_to_learn(online, tmp_path):
    with online():
        learning_photographs("paris6k", tmp_path / "data", download=True)
    names = names_in(tmp_path / "data" / "paris6k")
    assert names == ["jpg", "paris_1-v1.tgz.md5", "paris_2-v1.tgz.md5"]


def test_offline(tmp_path):
    with pytest.raises(ConnectionError) as caught:
        open_benchmark("oxford5k", tmp_path, download=True)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("oxbuild_images-v1.tgz cannot be")
    assert f"put it into {tmp_path}/oxford5k. " in str(caught.value)


def test_a_damaged_archive_is_downloaded_anew(online, site, tmp_path):
    archive = site / "oxbuild_images-v1.tgz"
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    data = tmp_path / "data"
    with online():
        with pytest.raises(ValueError, match="oxbuild_images-v1.tgz"):
            open_benchmark("oxford5k", data, download=True)
        assert names_in(data / "oxford5k") == ["jpg"]
        archive.write_bytes(whole)
        open_benchmark("oxford5k", data, download=True)


def test_a_damaged_archive_at_hand_remains(site, tmp_path):
    for name in ARCHIVES:
        content = (site / name).read_bytes()
        (tmp_path / name).write_bytes(content[:-9])
    with pytest.raises(ValueError, match=f"Received: {tmp_path}/paris_1-v1"):
        open_benchmark("paris6k", tmp_path)
    assert {*ARCHIVES} <= {*names_in(tmp_path)}


def test_a_file_with_another_checksum(online, tmp_path, monkeypatch, site):
    content = (site / "gnd_roxford5k.pkl").read_bytes()
    right, wrong = hashlib.md5(content).hexdigest(), "0" * 32
    data, table = tmp_path / "data", published.GROUND_TRUTH
    with online():
        for md5 in (wrong, right):
            files = dataclasses.replace(table["roxford5k"], md5=(md5,))
            monkeypatch.setitem(table, "roxford5k", files)
            arguments = data, [], ["roxford5k"], True, lambda x, *_: x
            if md5 == wrong:
                with pytest.raises(ValueError, match=f"MD5 checksum {wrong}"):
                    provide_files(*arguments)
            else:
                provide_files(*arguments)
    assert names_in(data / "roxford5k") == ["gnd_roxford5k.pkl"]
