"""The verb `beam-index`, from photographs to a folder."""

import sys
from dataclasses import replace

import pytest

from delf_keras.retrieval.manifest import read_manifest
from delf_keras.retrieval.roots import find_root


@pytest.fixture
def beam():
    return pytest.importorskip("apache_beam")


@pytest.fixture
def flags(small, built, tmp_path):
    """Flags for the photographs of `built`."""
    return (
        f"--photos={built.photos}",
        *small,
        "--pca_dimension=16",
        f"--output={tmp_path / 'index'}",
    )


def test_as_index_says_it(beam, command, flags, built, tmp_path):
    finished = command("beam-index", *flags, "--", "--runner=DirectRunner")
    assert finished.code == 0
    index = tmp_path / "index"
    assert finished.out == built.out.replace(str(built.folder), str(index))
    received, expected = map(read_manifest, (index, built.folder))
    # Keras numbers the layers of all models that a process makes.
    for name in ("preset/model.weights.h5", "preset/preset.json"):
        del received.files[name], expected.files[name]
    assert find_root(index, received.roots) == built.photos
    assert replace(received, roots=expected.roots) == expected
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_interrupted_build_goes_on(
    beam, command, flags, extractions, tmp_path, monkeypatch
):
    from delf_keras.retrieval.distributed import listing

    monkeypatch.setattr(listing, "SHARD", 2)
    flags = (*flags, f"--work_dir={tmp_path / 'work'}")
    extractions.limit = 3
    finished = command("beam-index", *flags)
    assert finished.code == 130
    assert "the same command goes on from where it was" in finished.err
    assert not (tmp_path / "index").exists()

    extractions.limit = None
    assert command("beam-index", *flags).code == 0
    # The shard of the third photograph was not written.
    assert len(extractions) == 6
    # The work folder is kept: nothing is extracted again.
    finished = command("beam-index", *flags, f"--output={tmp_path / 'other'}")
    assert finished.code == 0
    assert len(extractions) == 6


def test_options_reach_beam(beam, refused, flags):
    message = refused("beam-index", *flags, "--", "--runner=Fortran")
    assert message.startswith("Unexpected pipeline runner: Fortran")


def test_saved_model(beam, command, small, scenes, tmp_path):
    base = tmp_path / "models"
    assert command("export", *small, f"--output={base}").code == 0
    finished = command(
        "beam-index",
        f"--photos={scenes}",
        f"--saved_model={base / '1'}",
        "--pca_dimension=0",
        f"--output={tmp_path / 'index'}",
    )
    assert finished.code == 0
    assert "3 photographs, 324 descriptors" in finished.out


def test_flag_that_the_export_fixed(beam, refused, scenes, tmp_path):
    message = refused(
        "beam-index",
        f"--photos={scenes}",
        f"--output={tmp_path / 'index'}",
        "--saved_model=models/delf/1",
        "--scales=1",
    )
    assert "was fixed when the model was exported" in message
    assert "--saved_model" in message


def test_existing_output(beam, refused, flags, tmp_path):
    (tmp_path / "index").mkdir()
    message = refused("beam-index", *flags)
    assert message.endswith(f"Received: {tmp_path / 'index'}")


def test_either_photos_or_tfrecords(refused, flags):
    message = refused("beam-index", *flags, "--tfrecords=train-*", code=2)
    assert "one of --photos and --tfrecords is expected" in message


def test_one_source(refused, flags):
    message = refused("beam-index", *flags, "--saved_model=x", code=2)
    assert "one of --preset, --server, --tfhub and --saved_model" in message


def test_without_beam(refused, flags, monkeypatch):
    for name in [*sys.modules]:
        if name.startswith("delf_keras.retrieval.distributed"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    message = refused("beam-index", *flags)
    assert 'pip install "delf-keras[beam]"' in message
