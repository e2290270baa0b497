"""Features are kept whatever becomes of the process that extracts them."""

import hashlib
import multiprocessing
import os
import signal

import numpy as np
import pytest

from delf_keras.features.decoding import EncodedPhotograph, ImageError
from delf_keras.features.feature_cache import (
    extract_encoded,
    extract_files,
    open_cache,
    remove_cache,
)
from delf_keras.features.local_features import LocalFeatures


def make_features(seed=0):
    rng = np.random.default_rng(seed)
    return LocalFeatures(
        rng.uniform(0, 99, (5, 2)),
        rng.normal(size=(5, 8)),
        rng.uniform(size=5),
        np.ones(5),
        (100, 120),
        "space",
    )


class Source:
    """Stands in for an extractor; of "bad" photographs it has nothing."""

    def extract_each(self, photographs, batch_size):
        for photograph in photographs:
            if photograph.contents == b"bad":
                yield photograph, ImageError("bad")
            else:
                yield photograph, photograph.contents


def test_features_come_back(tmp_path):
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    with open_cache(tmp_path / "new" / "features.db") as cache:
        cache.write(name, "digest", make_features(0))
        cache.write("b.jpg", "old", make_features(1))
        cache.write("b.jpg", "new", make_features(2))
    with open_cache(tmp_path / "new" / "features.db") as cache:
        assert cache.made_of() == {name: "digest", "b.jpg": "new"}
        cache.remove("absent.jpg")
        for each, seed in ((name, 0), ("b.jpg", 2)):
            found, expected = cache.read(each), make_features(seed)
            np.testing.assert_array_equal(
                found.descriptors, expected.descriptors
            )
            assert found.image_size == (100, 120)
            assert found.fingerprint == "space"
        cache.remove(name)
        assert [*cache.made_of()] == ["b.jpg"]


def _write_until_killed(path, started):
    with open_cache(path) as cache:
        for number in range(10**6):
            cache.write(f"{number}.jpg", "digest", make_features(number))
            if number == 20:
                started.set()


@pytest.mark.parametrize("first", [True, False])
def test_killed_writer(tmp_path, first):
    """At its first photograph, and in the middle of its work."""
    path = tmp_path / "features.db"
    context = multiprocessing.get_context("fork")
    started = context.Event()
    writer = context.Process(target=_write_until_killed, args=(path, started))
    writer.start()
    while first and not path.exists():
        pass
    first or started.wait(60)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    with open_cache(path) as cache:
        names = cache.made_of()
        assert first or len(names) > 20
        for number in range(len(names)):
            np.testing.assert_array_equal(
                cache.read(f"{number}.jpg").scores, make_features(number).scores
            )
        cache.write("next.jpg", "digest", make_features())


def test_one_process_at_a_time(tmp_path):
    with open_cache(tmp_path / "a.db") as cache:
        cache.write("a.jpg", "digest", make_features())
        with pytest.raises(OSError, match="locked.*Received: .*a.db"):
            with open_cache(tmp_path / "a.db"):
                pass


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "a.db"
    path.write_bytes(b"This is no database." * 100)
    with pytest.raises(ValueError, match="Received: .*a.db"):
        with open_cache(path):
            pass


def test_nothing_is_left_of_a_removed_file(tmp_path):
    with open_cache(tmp_path / "a.db") as cache:
        cache.write("a.jpg", "digest", make_features())
    remove_cache(tmp_path / "a.db")
    assert os.listdir(tmp_path) == []


def test_digests_are_of_what_was_decoded(tmp_path):
    for name, contents in (("a", b"A"), ("b", b""), ("c", b"bad"), ("d", b"D")):
        (tmp_path / name).write_bytes(contents)
    results = extract_files(Source(), [tmp_path / name for name in "axbcdy"])
    digests, features = zip(*results, strict=True)

    a, d = (hashlib.sha256(each).hexdigest() for each in (b"A", b"D"))
    assert digests == (a, None, None, None, d, None)
    assert features[0] == b"A" and features[4] == b"D"
    reasons = [str(features[i]) for i in (1, 2, 3, 5)]
    for reason, part in zip(
        reasons, ("cannot be read", "is empty", "bad", "cannot"), strict=True
    ):
        assert part in reason


def test_what_could_not_be_read_keeps_its_place():
    error = ImageError("no")
    photographs = [error, EncodedPhotograph("a", b"A"), error]
    results = [result for _, result in extract_encoded(Source(), photographs)]
    assert results == [error, b"A", error]
