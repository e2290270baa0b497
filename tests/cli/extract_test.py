"""The verb `extract`, from photographs to files of features."""

import errno
import os
import shutil

import numpy as np
import pytest

from delf_keras.features.extractor import Extractor
from delf_keras.features.files import (
    load_features,
    names_h5,
    open_h5,
    read_h5,
)
from delf_keras.retrieval import manifest

NAMES = ("a.jpg", "b.jpg", "more/c.png")


def _read(output, file_format, name):
    if file_format == "h5":
        with open_h5(output) as file:
            return read_h5(file, name)
    return load_features((output / name).with_suffix(f".{file_format}"))


def _summary(output, extracted=0, kept=0, skipped=0):
    return (
        f"{output}: {extracted} photographs extracted, {kept} kept, "
        f"{skipped} skipped.\n"
    )


@pytest.fixture
def extract(command, small, tmp_path):
    """A function that runs the verb into the folder `features`."""

    def extract(photos, *flags):
        output = tmp_path / "features"
        return command(
            "extract",
            *small,
            f"--photos={photos}",
            f"--output={output}",
            *flags,
        )

    return extract


@pytest.fixture(scope="module")
def expected(scenes, tiny_preset):
    """What the library extracts."""
    extractor = Extractor.from_preset(
        tiny_preset, scales=(1.0,), max_features=200, min_image_size=0
    )
    return extractor.extract([scenes / name for name in NAMES])


@pytest.mark.parametrize("file_format", ["npz", "delf", "h5"])
def test_formats(extract, scenes, expected, tmp_path, extractions, file_format):
    """The file holds what the library extracts, and is left alone then."""
    output = tmp_path / "features"
    first = extract(scenes, f"--format={file_format}")
    assert first.code == 0
    assert first.out == _summary(output, extracted=3)
    assert extractions == ["a.jpg", "b.jpg", "c.png"]

    second = extract(scenes, f"--format={file_format}")
    assert second.code == 0
    assert second.out == _summary(output, kept=3)
    assert second.err == ""
    assert len(extractions) == 3

    for name, features in zip(NAMES, expected, strict=True):
        found = _read(output, file_format, name)
        assert len(found) == len(features) > 100
        for attribute in ("locations", "descriptors", "scores", "scales"):
            np.testing.assert_array_equal(
                getattr(found, attribute), getattr(features, attribute)
            )
        if file_format != "delf":
            assert found.image_size == (144, 192)
            assert found.fingerprint == features.fingerprint


def test_interrupted_run_goes_on(extract, scenes, tmp_path, extractions):
    extractions.limit = 2
    finished = extract(scenes, "--format=h5")
    assert finished.code == 130
    assert finished.err == (
        "delf-keras extract: interrupted; the same command goes on from where "
        "it was.\n"
    )
    extractions.limit = None

    finished = extract(scenes, "--format=h5")
    assert finished.out == _summary(tmp_path / "features", extracted=1, kept=2)
    assert extractions == ["a.jpg", "b.jpg", "c.png"]


def test_what_other_options_left_is_not_written(
    extract, photos, tmp_path, extractions
):
    extractions.limit = 2
    assert extract(photos, "--format=h5").code == 130
    extractions.limit = None
    (photos / "b.jpg").unlink()
    assert extract(photos, "--format=h5", "--max_features=5").code == 0
    with open_h5(tmp_path / "features") as file:
        assert names_h5(file) == ["a.jpg", "more/c.png"]


def test_new_photographs_are_added(extract, photos, tmp_path):
    output = tmp_path / "features"
    extract(photos, "--format=h5")
    shutil.copy(photos / "a.jpg", photos / "d.jpg")
    finished = extract(photos, "--format=h5")
    assert finished.out == _summary(output, extracted=1, kept=3)
    with open_h5(output) as file:
        assert names_h5(file) == ["a.jpg", "b.jpg", "d.jpg", "more/c.png"]


@pytest.mark.parametrize("file_format", ["npz", "delf", "h5"])
def test_edited_photographs_are_extracted_again(
    extract, photos, tmp_path, file_format
):
    output = tmp_path / "features"
    extract(photos, f"--format={file_format}")
    shutil.copyfile(photos / "b.jpg", photos / "a.jpg")
    # Its time says nothing: it may have been moved there.
    os.utime(photos / "a.jpg", (0, 0))
    finished = extract(photos, f"--format={file_format}")
    assert finished.out == _summary(output, extracted=1, kept=2)
    a, b = (_read(output, file_format, name) for name in ("a.jpg", "b.jpg"))
    np.testing.assert_array_equal(a.descriptors, b.descriptors)


@pytest.mark.parametrize("file_format", ["npz", "delf", "h5"])
def test_photograph_that_broke_loses_its_features(
    extract, photos, tmp_path, extractions, file_format
):
    """Whether they are finished or are those of an interrupted run."""
    flag = f"--format={file_format}"
    extract(photos, flag)
    whole = (photos / "more/c.png").read_bytes()
    (photos / "more/c.png").write_bytes(b"no image")
    output = tmp_path / "features"
    assert extract(photos, flag).out == _summary(output, kept=2, skipped=1)
    with pytest.raises((FileNotFoundError, ValueError)):
        _read(output, file_format, "more/c.png")

    (photos / "more/c.png").write_bytes(whole)
    shutil.copy(photos / "b.jpg", photos / "d.jpg")
    extractions.clear()
    extractions.limit = 1
    assert extract(photos, flag).code == 130
    extractions.limit = None
    (photos / "d.jpg").write_bytes(b"no image")
    finished = extract(photos, flag)
    assert finished.out == _summary(output, extracted=1, kept=2, skipped=1)
    with pytest.raises((FileNotFoundError, ValueError)):
        _read(output, file_format, "d.jpg")


def test_killed_writer_leaves_what_is_known(extract, photos, tmp_path):
    """The record of a folder ends in half a line."""
    extract(photos, "--format=npz")
    record = tmp_path / "features/.made_of.jsonl"
    record.write_bytes(record.read_bytes()[:-9])
    finished = extract(photos, "--format=npz")
    assert finished.out == _summary(tmp_path / "features", extracted=1, kept=2)
    finished = extract(photos, "--format=npz")
    assert finished.out == _summary(tmp_path / "features", kept=3)


def test_photograph_that_cannot_be_compared_is_read_again(
    extract, photos, tmp_path, monkeypatch
):
    """Where it cannot be read at all, it is skipped like any other."""
    extract(photos, "--format=h5")

    def forbidden(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(manifest, "digest_of", forbidden)
    (photos / "b.jpg").write_bytes(b"")
    finished = extract(photos, "--format=h5")
    assert finished.out == _summary(
        tmp_path / "features", extracted=2, skipped=1
    )


@pytest.mark.parametrize("file_format", ["npz", "h5"])
def test_other_options_are_extracted_again(
    extract, scenes, tmp_path, file_format
):
    extract(scenes, f"--format={file_format}")
    finished = extract(scenes, f"--format={file_format}", "--max_features=5")
    assert finished.out == _summary(tmp_path / "features", extracted=3)
    assert len(_read(tmp_path / "features", file_format, "a.jpg")) == 5


def test_overwrite(extract, scenes, tmp_path):
    output = tmp_path / "features"
    extract(scenes, "--max_features=5")
    finished = extract(scenes, "--max_features=3", "--overwrite")
    assert finished.out == _summary(output, extracted=3)
    assert len(_read(output, "npz", "a.jpg")) == 3


def test_pca_of_the_preset(extract, scenes, tmp_path, fitted):
    output = tmp_path / "features"
    extract(scenes, f"--preset={fitted}")
    assert _read(output, "npz", "a.jpg").dimension == 16
    extract(scenes, f"--preset={fitted}", "--pca=false", "--overwrite")
    assert _read(output, "npz", "a.jpg").dimension == 128


def test_other_descriptors_do_not_enter_an_h5_file(
    extract, photos, small, fitted, refused, tmp_path
):
    extract(photos, "--format=h5")
    shutil.copy(photos / "a.jpg", photos / "d.jpg")
    message = refused(
        "extract",
        *small,
        f"--preset={fitted}",
        f"--photos={photos}",
        "--format=h5",
        f"--output={tmp_path / 'features'}",
    )
    assert "fingerprint" in message


def test_photographs_that_differ_in_their_suffix(
    extract, refused, small, photos, tmp_path
):
    """In folders they would share a file; an HDF5 file holds both."""
    shutil.copy(photos / "more" / "c.png", photos / "a.png")
    output = tmp_path / "features"
    message = refused(
        "extract", *small, f"--photos={photos}", f"--output={output}"
    )
    assert "Received: a.jpg and a.png" in message
    assert not output.exists()
    assert extract(photos, "--format=h5").out == _summary(output, extracted=4)


@pytest.mark.parametrize("file_format", ["npz", "delf", "h5"])
def test_odd_names(extract, scenes, tmp_path, caplog, file_format):
    """One that is not UTF-8, and one that leaves no room for .delf."""
    photos = tmp_path / "photos"
    photos.mkdir()
    odd, long = "caf\udce9.jpg", "x" * 251 + ".jpg"
    for name in (odd, long):
        shutil.copy(scenes / "a.jpg", photos / name)
    flag = f"--format={file_format}"
    skipped = int(file_format == "delf")
    finished = extract(photos, flag)

    output = tmp_path / "features"
    assert finished.out == _summary(output, 2 - skipped, 0, skipped)
    assert len(_read(output, file_format, odd)) > 0
    messages = [record.getMessage() for record in caplog.records]
    assert any(f"Received: {long}" in m for m in messages) == bool(skipped)
    again = extract(photos, flag)
    assert again.out == _summary(output, 0, 2 - skipped, skipped)


def test_broken_photograph_is_skipped(extract, photos, tmp_path, caplog):
    (photos / "a.jpg").write_bytes(b"no image")
    finished = extract(photos)
    assert finished.code == 0
    assert finished.out == _summary(
        tmp_path / "features", extracted=2, skipped=1
    )
    (message,) = caplog.messages
    assert message.startswith("Skipped: ")
    assert str(photos / "a.jpg") in message
    assert not (tmp_path / "features" / "a.npz").exists()


@pytest.mark.parametrize("file_format", ["npz", "h5"])
def test_nothing_usable(extract, tmp_path, file_format):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(b"no image")
    finished = extract(photos, f"--format={file_format}")
    assert finished.code == 1
    assert finished.out == _summary(tmp_path / "features", skipped=1)


def test_no_photographs(refused, small, tmp_path):
    flags = ("extract", *small, f"--output={tmp_path / 'features'}")
    missing = tmp_path / "missing"
    assert str(missing) in refused(*flags, f"--photos={missing}")
    assert "which has none" in refused(*flags, f"--photos={tmp_path}")


def test_bad_presets(refused, scenes, tiny_preset, tmp_path):
    flags = ("extract", f"--photos={scenes}", f"--output={tmp_path / 'out'}")
    message = refused(*flags, "--preset=delf_resnet51")
    assert "delf_resnet50_imagenet" in message
    assert message.endswith("Received: preset='delf_resnet51'")

    damaged = shutil.copytree(tiny_preset, tmp_path / "damaged")
    (damaged / "model.weights.h5").write_bytes(b"no weights")
    assert "model.weights.h5" in refused(*flags, f"--preset={damaged}")


def test_preset_whose_weights_are_of_another_model(
    refused, scenes, tiny_preset, tmp_path
):
    """Keras says so in several lines, we in one."""
    preset = shutil.copytree(tiny_preset, tmp_path / "preset")
    config = preset / "config.json"
    text = config.read_text()
    assert '"width": 8' in text
    config.write_text(text.replace('"width": 8', '"width": 16'))
    message = refused(
        "extract",
        f"--preset={preset}",
        f"--photos={scenes}",
        f"--output={tmp_path / 'out'}",
    )
    assert "could not be loaded" in message
