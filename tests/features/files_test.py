"""Feature files round trip, refuse what is damaged, and suit hloc."""

import dataclasses
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from delf_keras.features.files import (
    fingerprint_of_h5,
    load_features,
    made_of_h5,
    names_h5,
    open_h5,
    read_h5,
    remove_h5,
    save_features,
    write_h5,
)
from delf_keras.features.local_features import LocalFeatures


def make_features(
    count=5, dimension=40, fingerprint="delf-ü", seed=0, upright=False
):
    generator = np.random.default_rng(seed)
    return LocalFeatures(
        locations=generator.uniform(0, 480, (count, 2)),
        descriptors=generator.standard_normal((count, dimension)),
        scores=generator.uniform(0, 1, count),
        scales=generator.choice([0.25, 1.0, 2.0], count),
        image_size=(480, 640),
        fingerprint=fingerprint,
        upright=upright,
    )


def assert_same(features, expected):
    for field in dataclasses.fields(LocalFeatures):
        np.testing.assert_array_equal(
            getattr(features, field.name),
            getattr(expected, field.name),
            err_msg=field.name,
        )


@pytest.mark.parametrize("count", [0, 5])
def test_npz_keeps_every_attribute(tmp_path, count):
    path = tmp_path / "folder" / "photo.npz"
    features = make_features(count, upright=bool(count))
    features = dataclasses.replace(features, global_descriptor=[1, 2, 3])
    save_features(path, features)

    assert_same(load_features(path), features)
    assert os.listdir(path.parent) == ["photo.npz"]


def test_delf_keeps_what_each_feature_has(tmp_path):
    features = make_features()
    features = dataclasses.replace(features, global_descriptor=[1, 2, 3])
    save_features(str(tmp_path / "photo.delf"), features)

    arrays = ("locations", "descriptors", "scores", "scales")
    kept = {name: getattr(features, name) for name in arrays}
    assert_same(
        load_features(str(tmp_path / "photo.delf")), LocalFeatures(**kept)
    )


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.delf, \.npz\. Received: .*h5"):
        save_features(tmp_path / "photo.h5", make_features())
    with pytest.raises(ValueError, match=r"\.delf, \.npz\. Received: .*h5"):
        load_features(tmp_path / "photo.h5")


@pytest.mark.parametrize("suffix", [".delf", ".npz"])
def test_absent_file(tmp_path, suffix):
    with pytest.raises(FileNotFoundError):
        load_features(tmp_path / f"absent{suffix}")


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "photo.npz"
    save_features(path, make_features())

    def run_out_of_space(file, **arrays):
        file.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", run_out_of_space)
    with pytest.raises(OSError, match="No space left"):
        save_features(path, make_features(seed=1))

    assert_same(load_features(path), make_features())
    assert os.listdir(tmp_path) == ["photo.npz"]


@pytest.mark.parametrize("part", [0, 0.01, 0.5, 0.99])
def test_truncated_npz_is_refused(tmp_path, part):
    path = tmp_path / "photo.npz"
    save_features(path, make_features())
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])

    with pytest.raises(ValueError, match="photo.npz must be a whole .npz"):
        load_features(path)


def test_damaged_npz_is_refused(tmp_path):
    path = tmp_path / "photo.npz"
    save_features(path, make_features())
    data = bytearray(path.read_bytes())
    data[data.index(make_features().descriptors.tobytes())] ^= 1
    path.write_bytes(data)

    with pytest.raises(ValueError, match="Received: Bad CRC-32"):
        load_features(path)


def test_foreign_npz_is_refused(tmp_path):
    path = tmp_path / "foreign.npz"
    np.savez(path, mean=np.zeros(40))
    with pytest.raises(ValueError, match="Received: .*locations"):
        load_features(path)

    with open(path, "wb") as file:
        np.save(file, np.zeros(40))
    with pytest.raises(ValueError, match="foreign.npz must be a whole .npz"):
        load_features(path)


def test_npz_runs_no_pickled_code(tmp_path):
    path = tmp_path / "photo.npz"
    np.savez(path, locations=np.array([print], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_features(path)


def test_h5_round_trip(tmp_path):
    photos = {
        "db/b.jpg": make_features(3, seed=1),
        "db/nested/a.jpg": make_features(4, seed=2),
        "none.jpg": make_features(0),
    }
    path = tmp_path / "folder" / "features.h5"
    with open_h5(path, "w") as file:
        for name, features in photos.items():
            write_h5(file, name, features)

    with open_h5(path) as file:
        assert names_h5(file) == sorted(photos)
        for name, features in photos.items():
            again = read_h5(file, name)
            assert_same(again, features)
            assert again.descriptors.flags.c_contiguous


def test_damaged_h5_is_refused(tmp_path):
    """Checksums tell damage of all that is not an array."""
    path = tmp_path / "features.h5"
    with open_h5(path, "w") as file:
        write_h5(file, "a.jpg", make_features(3, 4))
    whole = path.read_bytes()

    for name in (b"delf-", b"descriptors", b"image_size", b"upright"):
        path.write_bytes(whole.replace(name, name.upper()))
        with (
            pytest.raises(ValueError, match="must be a whole HDF5 file"),
            open_h5(path) as file,
        ):
            for name in names_h5(file):
                read_h5(file, name)


def test_h5_layout_is_that_of_hloc(tmp_path):
    features = make_features(7, 40)
    with open_h5(tmp_path / "features.h5", "a") as file:
        write_h5(file, "db/a.jpg", features)

    with h5py.File(tmp_path / "features.h5", "r") as file:
        group = file["db/a.jpg"]
        # hloc makes a float tensor of each dataset that it finds.
        arrays = {
            key: value.__array__().astype(np.float32)
            for key, value in group.items()
        }
        # And an image of the size of the photograph, channels first.
        assert tuple(group["image_size"])[::-1] == (480, 640)
        assert group["image_size"].dtype.kind == "i"
        assert fingerprint_of_h5(file) == features.fingerprint
        assert not file.attrs["upright"]
    x, y = arrays["keypoints"].T
    np.testing.assert_array_equal(y, features.locations[:, 0])
    np.testing.assert_array_equal(x, features.locations[:, 1])
    assert arrays["descriptors"].shape == (40, 7)
    np.testing.assert_array_equal(
        arrays["descriptors"][:, 2], features.descriptors[2]
    )
    np.testing.assert_array_equal(arrays["scores"], features.scores)
    np.testing.assert_array_equal(arrays["scales"], features.scales)


def test_h5_file_continues(tmp_path):
    path = tmp_path / "features.h5"
    for seed, name in enumerate(["a.jpg", "b.jpg"]):
        with open_h5(path, "a") as file:
            write_h5(file, name, make_features(seed=seed))

    with open_h5(path) as file:
        assert names_h5(file) == ["a.jpg", "b.jpg"]
        assert_same(read_h5(file, "a.jpg"), make_features(seed=0))


def test_h5_features_are_replaced(tmp_path):
    with open_h5(tmp_path / "features.h5", "a") as file:
        write_h5(file, "folder/a.jpg", make_features(5, seed=0))
        write_h5(file, "folder/a.jpg", make_features(8, seed=1))
        assert names_h5(file) == ["folder/a.jpg"]
        assert_same(read_h5(file, "folder/a.jpg"), make_features(8, seed=1))
        for _ in range(2):
            remove_h5(file, "folder/a.jpg")
            assert names_h5(file) == []


def test_h5_names_that_are_no_text(tmp_path):
    """Of a file name that is not UTF-8; hloc sees an escape in its place."""
    name = "folder/caf\udce9.jpg"
    with open_h5(tmp_path / "features.h5", "a") as file:
        write_h5(file, name, make_features(), "bytes")
        assert names_h5(file) == [name]
        assert made_of_h5(file) == {name: "bytes"}
        assert_same(read_h5(file, name), make_features())
        assert list(file["folder"]) == ["caf\\udce9.jpg"]


@pytest.mark.parametrize("fingerprint", ["other", ""])
def test_h5_refuses_another_fingerprint(tmp_path, fingerprint):
    with open_h5(tmp_path / "features.h5", "a") as file:
        write_h5(file, "a.jpg", make_features())
        with pytest.raises(ValueError, match="'delf-ü'. Received: .*b.jpg"):
            write_h5(file, "b.jpg", make_features(fingerprint=fingerprint))
        assert names_h5(file) == ["a.jpg"]


def test_h5_refuses_photographs_that_are_not_upright_alike(tmp_path):
    with open_h5(tmp_path / "features.h5", "a") as file:
        write_h5(file, "a.jpg", make_features(upright=True))
        with pytest.raises(ValueError, match="upright .*True.* Received: upr"):
            write_h5(file, "b.jpg", make_features(upright=False))
        assert read_h5(file, "a.jpg").upright is True


def test_h5_file_of_hloc_has_no_fingerprint(tmp_path):
    with open_h5(tmp_path / "features.h5", "a") as file:
        file["a.jpg/keypoints"] = np.zeros((2, 2))
        with pytest.raises(ValueError, match="fingerprint ''"):
            write_h5(file, "b.jpg", make_features())
        write_h5(file, "b.jpg", make_features(fingerprint=""))
        assert names_h5(file) == ["b.jpg"]


@pytest.mark.parametrize("dataset", ["keypoints", "descriptors", "image_size"])
def test_h5_interrupted_write_is_not_listed(tmp_path, dataset):
    with open_h5(tmp_path / "features.h5", "a") as file:
        write_h5(file, "a.jpg", make_features())
        write_h5(file, "b.jpg", make_features())
        del file["a.jpg"][dataset]

        assert names_h5(file) == ["b.jpg"]
        with pytest.raises(ValueError, match="must hold .*name='a.jpg'"):
            read_h5(file, "a.jpg")
        write_h5(file, "a.jpg", make_features(seed=1))
        assert_same(read_h5(file, "a.jpg"), make_features(seed=1))


def test_h5_on_a_full_disk(tmp_path, full_disk):
    """HDF5 that finds it would end the process."""
    path = tmp_path / "features.h5"
    with open_h5(path, "a") as file:
        write_h5(file, "a.jpg", make_features())
    with (
        full_disk(30_000),
        pytest.raises(OSError, match="File too large"),
        open_h5(path, "a") as file,
    ):
        for number in range(200):
            write_h5(file, f"{number}.jpg", make_features(2))


def test_h5_has_one_writer(tmp_path):
    path = tmp_path / "features.h5"
    with open_h5(path, "a") as file:
        write_h5(file, "a.jpg", make_features())
        for mode in ("r", "a", "w"):
            with pytest.raises(BlockingIOError), open_h5(path, mode):
                pass
    with open_h5(path) as one, open_h5(path) as other:
        assert names_h5(one) == names_h5(other) == ["a.jpg"]


def test_h5_started_anew(tmp_path):
    path = tmp_path / "features.h5"
    for name, count in ("a.jpg", 500), ("b.jpg", 5):
        with open_h5(path, "w") as file:
            write_h5(file, name, make_features(count))
    with open_h5(path) as file:
        assert names_h5(file) == ["b.jpg"]
    assert path.stat().st_size < 50_000


def test_h5_survives_a_killed_writer(tmp_path):
    program = """
import os, sys
import numpy as np
from delf_keras.features.files import open_h5, write_h5
from delf_keras.features.local_features import LocalFeatures

features = LocalFeatures(*map(np.ones, [(9, 2), (9, 40), 9, 9]))
with open_h5(sys.argv[1], "a") as file:
    write_h5(file, "a.jpg", features)
    write_h5(file, "b.jpg", features)
    file.create_group("c.jpg")["keypoints"] = np.ones((9, 2))
    os._exit(7)
"""
    path = tmp_path / "features.h5"
    writer = subprocess.run(
        [sys.executable, "-c", program, path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert writer.returncode == 7
    with open_h5(path, "a") as file:
        assert names_h5(file) == ["a.jpg", "b.jpg"]
        assert read_h5(file, "b.jpg").descriptors.sum() == 9 * 40


@pytest.mark.parametrize("name", ["absent.jpg", "folder", "a.jpg/scores"])
def test_h5_absent_name(tmp_path, name):
    with open_h5(tmp_path / "features.h5", "a") as file:
        write_h5(file, "a.jpg", make_features())
        write_h5(file, "folder/b.jpg", make_features())
        with pytest.raises(ValueError, match=f"Received: name='{name}'"):
            read_h5(file, name)


def test_h5_absent_file(tmp_path):
    with pytest.raises(FileNotFoundError), open_h5(tmp_path / "absent.h5"):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("mode", ["r", "a"])
def test_h5_damaged_file_is_refused(tmp_path, mode):
    path = tmp_path / "features.h5"
    with open_h5(path, "a") as file:
        write_h5(file, "a.jpg", make_features())
    data = path.read_bytes()
    for damaged in (data[: len(data) // 2], b"not HDF5"):
        path.write_bytes(damaged)
        with (
            pytest.raises(ValueError, match="must be a whole HDF5 file"),
            open_h5(path, mode),
        ):
            pass
        assert path.read_bytes() == damaged
