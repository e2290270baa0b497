"""The verb `index`, from photographs to a folder."""

import shutil

import pytest

from delf_keras.retrieval import ImageIndex

INTERRUPTED = (
    "delf-keras index: interrupted; the same command goes on from where it "
    "was.\n"
)


@pytest.fixture
def flags(small, tmp_path):
    """Flags that build an index of 16 dimensions as the folder `index`."""
    return (*small, "--pca_dimension=16", f"--output={tmp_path / 'index'}")


def test_index_and_report(built):
    assert built.out == (
        "copy.jpg has the same bytes as b.jpg.\n"
        f"{built.folder}: 4 photographs, 432 descriptors, faiss index Flat; "
        "1 photographs skipped.\n"
    )
    index = ImageIndex.load(built.folder)
    assert index.database.names == ["a.jpg", "b.jpg", "copy.jpg", "more/c.png"]
    assert index.root == built.photos
    assert index.database.dimension == 16
    assert index.extraction.scales == (1.0,)


def test_work_folder_is_gone(built):
    assert {path.name for path in built.folder.parent.iterdir()} == {
        "index",
        "photos",
    }


def test_interrupted_build_goes_on(
    command, flags, scenes, tmp_path, extractions
):
    arguments = ("index", f"--photos={scenes}", *flags)
    extractions.limit = 2
    finished = command(*arguments)
    assert finished.code == 130
    assert finished.err == INTERRUPTED
    assert [path.name for path in tmp_path.iterdir()] == ["index.partial"]

    extractions.limit = None
    finished = command(*arguments)
    assert finished.code == 0
    checked, fitted = finished.err.splitlines()[:2]
    assert checked.startswith("check: 2 of 2 in ")
    assert fitted.startswith("fit PCA: 1 of 1 in ")
    assert extractions == ["a.jpg", "b.jpg", "c.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
    assert len(ImageIndex.load(tmp_path / "index")) == 3


def test_preset_with_pca_keeps_it(command, fitted, scenes, tmp_path):
    output = tmp_path / "index"
    finished = command(
        "index",
        f"--photos={scenes}",
        f"--preset={fitted}",
        "--scales=1",
        "--factory=exact",
        f"--output={output}",
    )
    assert finished.code == 0
    assert "fit PCA" not in finished.err
    assert ImageIndex.load(output).database.dimension == 16


def test_factory_probes_and_no_pca(command, small, scenes, tmp_path):
    output = tmp_path / "index"
    finished = command(
        "index",
        f"--photos={scenes}",
        *small,
        "--pca_dimension=0",
        "--factory=IVF4,Flat",
        "--probes=3",
        f"--output={output}",
    )
    assert "faiss index IVF4,Flat;" in finished.out
    index = ImageIndex.load(output).database
    assert (index.dimension, index.probes) == (128, 3)


def test_existing_output(refused, flags, scenes, tmp_path, extractions):
    """It is no index: what is beside it belongs to somebody else."""
    (tmp_path / "index").mkdir()
    (tmp_path / "index.partial").mkdir()
    message = refused("index", f"--photos={scenes}", *flags)
    assert message.endswith(f"Received: {tmp_path / 'index'}")
    assert extractions == []
    assert list((tmp_path / "index").iterdir()) == []
    assert (tmp_path / "index.partial").is_dir()


def test_build_that_was_killed_at_its_end(
    command, refused, flags, scenes, tmp_path, extractions, monkeypatch
):
    """The index is there, and what it was made of is removed later."""
    from delf_keras.cli import index as verb

    arguments = ("index", f"--photos={scenes}", *flags)
    with monkeypatch.context() as patch:
        patch.setattr(verb, "shutil", None)
        assert command(*arguments).code != 0
    partial = tmp_path / "index.partial"
    assert partial.is_dir()
    message = refused(*arguments)
    assert message.endswith(f"Received: {tmp_path / 'index'}")
    assert not partial.exists()
    assert len(extractions) == len(ImageIndex.load(tmp_path / "index")) == 3


def test_wrong_factory(refused, fitted, flags, scenes, tmp_path, monkeypatch):
    from delf_keras.cli import index as verb

    monkeypatch.setattr(verb, "show_progress", lambda items, *_: items)
    arguments = ("index", f"--photos={scenes}", *flags, f"--preset={fitted}")
    assert "factory='Flut'" in refused(*arguments, "--factory=Flut")
    message = refused(*arguments, "--factory=IVF4096,Flat")
    assert "Received: 324 descriptors, factory='IVF4096,Flat'" in message
    assert not (tmp_path / "index").exists()


def test_no_feature_is_good_enough(command, flags, photos, caplog, tmp_path):
    shutil.rmtree(photos / "more")
    finished = command(
        "index", f"--photos={photos}", *flags, "--score_threshold=1e6"
    )
    assert finished.code == 1
    last = finished.err.splitlines()[-1]
    assert last.startswith("delf-keras index: ")
    assert "at least one photograph with features" in last
    assert (
        f"{photos / 'a.jpg'} has no feature with an attention score of at "
        "least 1e+06: lower the score threshold." in caplog.messages
    )
    assert not (tmp_path / "index").exists()


def test_broken_photographs_alone(command, flags, tmp_path, caplog):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(b"no image")
    finished = command("index", f"--photos={photos}", *flags)
    assert finished.code == 1
    assert "1 photographs, none of use" in finished.err
    assert str(photos / "a.jpg") in finished.err
    assert any(text.startswith("Skipped: ") for text in caplog.messages)


def test_no_photographs(refused, flags, tmp_path):
    missing = tmp_path / "missing"
    message = refused("index", f"--photos={missing}", *flags)
    assert message.endswith(f"Received: {missing}")
