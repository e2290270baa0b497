"""The verb that copies an index into Milvus, and searching it there."""

import importlib.util
import json
import shutil
import socket

import pytest

from delf_keras.retrieval import remove_photographs

has_milvus = importlib.util.find_spec("milvus_lite") is not None
needs_milvus = pytest.mark.skipif(not has_milvus, reason="needs Milvus Lite")


@needs_milvus
def test_search_is_that_of_the_index(command, built, view, tmp_path):
    uri = tmp_path / "milvus.db"
    fill = ("milvus-fill", f"--index={built.folder}", f"--uri={uri}")
    filled = command(*fill, "--index_type=FLAT")
    assert filled.code == 0
    assert filled.out == (
        f"{uri}: 432 descriptors of 4 photographs copied; the collection delf "
        "has 432.\n"
    )
    assert command(*fill).out == filled.out

    search = ("search", f"--index={built.folder}", f"--query={view}")
    expected = command(*search)
    found = command(*search, f"--milvus={uri}")
    assert found.code == expected.code == 0
    assert found.out == expected.out
    assert found.out.splitlines()[1].endswith("a.jpg")


@needs_milvus
def test_removed_photographs_are_removed_there(command, built, view, tmp_path):
    index = shutil.copytree(built.folder, tmp_path / "index")
    uri = tmp_path / "milvus.db"
    fill = ("milvus-fill", f"--index={index}", f"--uri={uri}")
    command(*fill)
    remove_photographs(index, ["a.jpg"])
    assert "324 descriptors of 3 photographs" in command(*fill).out

    file = tmp_path / "results.json"
    found = command(
        "search",
        f"--index={index}",
        f"--query={view}",
        f"--milvus={uri}",
        f"--json={file}",
    )
    assert found.code == 0
    assert "a.jpg" not in json.dumps(json.loads(file.read_text()))


@needs_milvus
def test_refusals(refused, built, view, tmp_path):
    search = ("search", f"--index={built.folder}", f"--query={view}")
    uri = tmp_path / "absent.db"
    assert str(uri) in refused(*search, f"--milvus={uri}")
    fill = ("milvus-fill", f"--index={built.folder}")
    message = refused(*fill, f"--uri={uri}", "--index_type=IVF_PQ")
    assert message.endswith("IVF_SQ8. Received: index_type=IVF_PQ")
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}"
    assert closed in refused(*fill, f"--uri={closed}")


@pytest.mark.skipif(has_milvus, reason="Milvus Lite is there")
def test_missing_package_is_named(refused, built, tmp_path):
    message = refused(
        "milvus-fill", f"--index={built.folder}", f"--uri={tmp_path / 'm.db'}"
    )
    assert 'pip install "delf-keras[milvus]"' in message
