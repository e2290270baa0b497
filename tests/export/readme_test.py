"""The requests of the deployer's README are answered, its tables true."""

import json
import re
import shutil
import subprocess

import pytest

from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.extractor import Extractor
from delf_keras.serving import contract
from delf_keras.serving.embedded.server import EmbeddedServer, ServerOptions
from delf_keras.serving.exporting import export


@pytest.fixture(scope="module")
def readme(export_folder):
    return (export_folder / "README.md").read_text()


@pytest.fixture(scope="module")
def server(tiny_model, tmp_path_factory):
    """An `EmbeddedServer` of a tiny export, on ports that are free."""
    options = ExtractionOptions(max_features=20, scales=(1.0,))
    base = tmp_path_factory.mktemp("served") / "delf"
    export(Extractor(tiny_model, options=options), base, 1)
    options = ServerOptions(grpc_port=0, rest_port=0)
    with EmbeddedServer(base, options) as server:
        yield server


@pytest.fixture
def example(readme, server, photographs, tmp_path, monkeypatch):
    """A function that returns an example to be run in the current folder.

    It asks the server of this test, about the photograph that is there.
    """
    photograph = next(photographs.rglob("*.jpg"))
    shutil.copy(photograph, tmp_path / "photograph.jpg")
    monkeypatch.chdir(tmp_path)

    def example(language, word):
        blocks = re.findall(rf"```{language}\n(.*?)```", readme, re.DOTALL)
        (block,) = (block for block in blocks if word in block)
        return block.replace("localhost:8500", server.grpc_address).replace(
            "localhost:8501", server.rest_address
        )

    return example


@pytest.mark.skipif(
    not (shutil.which("bash") and shutil.which("curl")),
    reason="The example is one of bash and curl",
)
def test_curl(example):
    finished = subprocess.run(
        ["bash", "-c", example("bash", "curl")],
        capture_output=True,
        timeout=60,
        check=True,
    )
    outputs = json.loads(finished.stdout)["outputs"]
    assert outputs["status"] == [contract.OK]
    assert outputs["num_features"] == [20]


@pytest.mark.parametrize("word", ["PredictRequest", "Client"])
def test_python(example, word):
    names = {}
    exec(compile(example("python", word), "README.md", "exec"), names)
    assert names["descriptors"].shape == (20, 128)


def names_of_table(readme, first_heading):
    """Returns the names in the first column of a table."""
    table = re.search(
        rf"^\| {first_heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)",
        readme,
        re.MULTILINE,
    )[1]
    columns = [row.split("|")[1] for row in table.splitlines()]
    return set(re.findall(r"`([\w.-]+)`", " ".join(columns)))


def test_tables_name_what_is_served(readme, server):
    with server.versions.use() as (_, servable):
        signatures = servable.signatures

    assert names_of_table(readme, "signature") == set(signatures)
    assert names_of_table(readme, "output") == set(
        signatures[contract.EXTRACT].outputs
    )
    assert names_of_table(readme, "status") == set(contract.STATUSES)


def test_files_are_all_described(readme, export_folder):
    files = {path.name for path in export_folder.iterdir() if path.is_file()}
    assert names_of_table(readme, "file") == files - {"README.md"}
