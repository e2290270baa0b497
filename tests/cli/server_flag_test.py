"""The flag --server: the same files, indexes and results as with --preset."""

import json

import numpy as np
import pytest

from delf_keras.features.files import load_features
from delf_keras.retrieval import ImageIndex
from delf_keras.serving.embedded.server import EmbeddedServer, ServerOptions


def serve(finish, preset, base):
    """Exports a preset, and returns a server of it that is started."""
    finished = finish(
        "export",
        f"--preset={preset}",
        f"--output={base}",
        "--scales=1",
        "--max_features=200",
        "--min_image_size=0",
    )
    assert finished.code == 0
    server = EmbeddedServer(base, ServerOptions(grpc_port=0, rest_port=0))
    server.start()
    return server


@pytest.fixture(scope="module")
def server(finish, fitted, tmp_path_factory):
    """A server of the preset `fitted`, which has a PCA to 16."""
    server = serve(finish, fitted, tmp_path_factory.mktemp("models") / "delf")
    yield server
    server.stop()


@pytest.fixture(params=["grpc", "rest"])
def address(server, request):
    if request.param == "grpc":
        return server.grpc_address
    return f"http://{server.rest_address}"


@pytest.fixture(scope="module")
def preset_flags(fitted):
    return (
        f"--preset={fitted}",
        "--scales=1",
        "--max_features=200",
        "--min_image_size=0",
    )


def test_extract(command, caplog, preset_flags, address, photos, tmp_path):
    """Bit for bit, and what is no photograph is skipped in the same way."""
    (photos / "broken.jpg").write_bytes(b"no image")
    flags = f"--photos={photos}", "--format=npz"
    finished = command(
        "extract", *flags, f"--server={address}", f"--output={tmp_path / 'a'}"
    )
    (skipped,) = caplog.messages
    expected = command(
        "extract", *flags, *preset_flags, f"--output={tmp_path / 'b'}"
    )

    assert finished.code == expected.code == 0
    assert "3 photographs extracted, 0 kept, 1 skipped" in finished.out
    assert skipped.startswith("Skipped: ") and "broken.jpg" in skipped
    for name in ("a.npz", "b.npz", "more/c.npz"):
        served = load_features(tmp_path / "a" / name)
        local = load_features(tmp_path / "b" / name)
        assert len(served) == len(local) > 0
        assert served.fingerprint == local.fingerprint
        assert served.image_size == local.image_size
        for attribute in ("locations", "descriptors", "scores", "scales"):
            np.testing.assert_array_equal(
                getattr(served, attribute), getattr(local, attribute)
            )


def search(command, index, view, folder, *flags):
    file = folder / "results.json"
    finished = command(
        "search",
        f"--index={index}",
        f"--query={view}",
        f"--json={file}",
        *flags,
    )
    assert finished.code == 0, finished.err
    return json.loads(file.read_text())["results"]


def test_index_and_search(
    command, refused, preset_flags, address, scenes, view, tmp_path
):
    """The results are the same, whoever extracted database and query."""
    served, local = tmp_path / "served", tmp_path / "local"
    photos = f"--photos={scenes}"
    server = f"--server={address}"
    assert command("index", photos, server, f"--output={served}").code == 0
    assert (
        command("index", photos, *preset_flags, f"--output={local}").code == 0
    )

    expected = search(command, local, view, tmp_path)
    assert expected[0]["path"].endswith("a.jpg")
    assert expected[0]["inliers"] > 20
    for index in (served, local):
        assert search(command, index, view, tmp_path, server) == expected
    # No preset came with the features.
    assert not (served / "preset").exists()
    message = refused("search", f"--index={served}", f"--query={view}")
    assert "search with --server" in message
    # It says which, with the protocol.
    assert message.endswith(address)
    copy = tmp_path / "copy"
    ImageIndex.load(served).save(copy)
    assert search(command, copy, view, tmp_path, server) == expected
    assert ImageIndex.load(copy).extractor_source == address


def test_build_that_goes_on_through_a_server(
    command, preset_flags, address, scenes, tmp_path, extractions
):
    """What was extracted here is not extracted there again."""
    flags = f"--photos={scenes}", f"--output={tmp_path / 'index'}"
    extractions.limit = 2
    assert command("index", *flags, *preset_flags).code == 130
    extractions.limit = None
    assert command("index", *flags, f"--server={address}").code == 0
    assert extractions == ["a.jpg", "b.jpg"]


def test_fingerprints_must_agree(refused, built, view, address):
    message = refused(
        "search",
        f"--index={built.folder}",
        f"--query={view}",
        f"--server={address}",
    )
    assert message.startswith("The query must be of the descriptor space")


def test_model_without_pca(
    command, refused, finish, tiny_preset, scenes, tmp_path
):
    """It is not indexed with a PCA that the server would not apply."""
    server = serve(finish, tiny_preset, tmp_path / "models")
    flags = (
        f"--photos={scenes}",
        f"--server={server.grpc_address}",
        f"--output={tmp_path / 'index'}",
    )
    try:
        message = refused("index", *flags)
        assert message.startswith("A PCA cannot be added to a model that is")
        assert "128-d descriptors" in message
        assert command("index", *flags, "--pca_dimension=0").code == 0
    finally:
        server.stop()


@pytest.mark.parametrize(
    "flag", ["--max_features=9", "--scales=1", "--batch_size=2", "--nopca"]
)
def test_flags_that_the_export_fixed(refused, scenes, tmp_path, flag):
    message = refused(
        "extract",
        "--server=localhost:1",
        flag,
        f"--photos={scenes}",
        f"--output={tmp_path / 'x'}",
    )
    assert "was fixed when the model was exported" in message


def test_either_preset_or_server(refused, scenes, tmp_path):
    for flags in ((), ("--preset=p", "--server=s")):
        message = refused(
            "index",
            *flags,
            f"--photos={scenes}",
            f"--output={tmp_path / 'x'}",
            code=2,
        )
        assert "one of --preset, --server and --tfhub" in message


def test_no_server(monkeypatch, refused, view, built):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    for address in ("127.0.0.1:1", "http://127.0.0.1:1"):
        message = refused(
            "search",
            f"--index={built.folder}",
            f"--query={view}",
            f"--server={address}",
        )
        assert message.startswith("The server does not answer: start it")
        assert address in message
