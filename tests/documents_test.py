"""Every block of code in the documents runs, and what they name exists.

The words of a command are checked, but what it does is tested elsewhere.
"""

import ast
import contextlib
import importlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from absl import flags as absl_flags

from delf_keras.cli.main import VERBS
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.extractor import Extractor
from delf_keras.serving import contract
from delf_keras.serving.embedded.server import EmbeddedServer, ServerOptions
from delf_keras.serving.exporting import export

HOME = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path.relative_to(HOME)
    for pattern in ("*.md", "docs/*.md", "export/*.md")
    for path in HOME.glob(pattern)
)
# Commands of others, which are not run.
FOREIGN = {"base64", "bazel", "curl", "kubectl", "tar", "tr", "wget"}
# Has the shell say which commands it would run, and run none.
SHELL = """
set -eu
PATH=/nowhere
command_not_found_handle() {
    # In one piece: commands of a pipe run at once.
    printf -v words '%q ' "$@"
    printf '%s\n' "$words" >&3
}
exec 3>&1
"""


def blocks(languages):
    """Returns a `pytest.param` of the text of each block of languages."""
    params = []
    for document in DOCUMENTS:
        text = (HOME / document).read_text()
        for match in re.finditer(r"```(\w*)\n(.*?)```", text, re.DOTALL):
            if match[1] in languages:
                line = text[: match.start()].count("\n") + 1
                params.append(pytest.param(match[2], id=f"{document}:{line}"))
    return params


def spans(pattern):
    """Returns what a pattern finds in code between two backticks."""
    texts = [(HOME / document).read_text() for document in DOCUMENTS]
    return sorted(
        {
            found
            for text in texts
            for span in re.findall(r"(?<!`)`([^`\n]+)`", text)
            for found in re.findall(pattern, span)
        }
    )


def test_languages_are_known():
    known = blocks({"", "bash", "dockerfile", "python"})
    fences = sum((HOME / path).read_text().count("```") for path in DOCUMENTS)
    assert 2 * len(known) == fences


def commands(script, folder):
    """Returns the commands of a script of the shell, as lists of words."""
    finished = subprocess.run(
        [shutil.which("bash"), "-c", SHELL + script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return [shlex.split(line) for line in finished.stdout.splitlines()]


def flags_of(verb):
    flags = absl_flags.FlagValues()
    name = f"delf_keras.cli.{verb.replace('-', '_')}"
    importlib.import_module(name).define_flags(flags)
    return flags


def check_verb(verb, *arguments):
    """Fails where a verb does not take arguments."""
    _, *rest = flags_of(verb)([verb, *arguments])
    if verb == "match":
        assert len(rest) == 2
    elif verb == "index-remove":
        assert rest
    elif verb != "beam-index":
        assert not rest


def check_target(*names):
    makefile = (HOME / "Makefile").read_text()
    for name in names:
        assert re.search(rf"^{name.split('=')[0]}( \?=|:)", makefile, re.M)


def check_installation(verb, *requirements):
    assert verb == "install"
    project = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]
    for requirement in requirements:
        match = re.match(r"(?:\.|delf-keras)\[([\w,]+)\]$", requirement)
        extras = set(match[1].split(",")) if match else set()
        assert extras <= set(project["optional-dependencies"])


def check_containers(*arguments):
    """Docker composes a file that is here."""
    assert arguments[:2] == ("compose", "--file")
    assert (HOME / arguments[2]).is_file()


CHECKS = {
    "delf-keras": check_verb,
    "docker": check_containers,
    "make": check_target,
    "pip": check_installation,
}


@pytest.mark.skipif(not shutil.which("bash"), reason="They are of bash")
@pytest.mark.parametrize("block", blocks({"", "bash", "dockerfile"}))
def test_shell(block, tmp_path, monkeypatch):
    """Each command of ours is one that the verb, or make, or pip takes."""
    (tmp_path / "photograph.jpg").touch()
    monkeypatch.chdir(HOME)  # Files of flags are named from here.
    block = re.sub(r"^(FROM|COPY) .*|^RUN ", "", block, flags=re.MULTILINE)
    received = commands(block, tmp_path)

    assert received
    for name, *arguments in received:
        if name not in FOREIGN:
            CHECKS[name](*arguments)


def test_verbs_and_flags_in_the_text():
    """Such as `index-info --verify`, with or without the command's name."""
    named = spans(rf"^(?:delf-keras )?({'|'.join(VERBS)})((?: --\S+)+)$")
    named += [(verb, "") for verb in spans(r"^delf-keras ([\w-]+)")]

    assert len(named) > 10
    for verb, arguments in named:
        names = re.findall(r"--(\w+)", arguments)
        assert set(names) <= set(flags_of(verb))


def test_targets_and_files_in_the_text():
    check_target(*spans(r"^make ([\w-]+)"))
    paths = spans(r"^((?:benchmarks|delf_keras|docs|export|tests)/\S+)")
    assert paths
    for path in paths:
        assert (HOME / path).exists(), path


def test_flags_of_benchmarks_in_the_text():
    """Scripts share some of their flags."""
    defined = "".join(map(Path.read_text, (HOME / "benchmarks").glob("*.py")))
    named = spans(r"^benchmarks/\w+\.py (.*)$")
    assert named
    for arguments in named:
        for name in re.findall(r"--(\w+)", arguments):
            assert f'"{name}"' in defined, name


@pytest.fixture(scope="module")
def server(tiny_model, tmp_path_factory):
    """An `EmbeddedServer` of a tiny export, on ports that are free."""
    options = ExtractionOptions(
        max_features=20, scales=(1.0,), min_image_size=0
    )
    base = tmp_path_factory.mktemp("served") / "delf"
    export(Extractor(tiny_model, options=options), base, 1)
    options = ServerOptions(grpc_port=0, rest_port=0)
    with EmbeddedServer(base, options) as server:
        yield server


@pytest.fixture
def folder(photographs, tiny_index_folder, tmp_path, monkeypatch):
    """The current folder, with the files that the blocks name."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(photographs, "photographs")
    shutil.copytree(tiny_index_folder, "my_index")
    a, b, new, *_ = sorted(photographs.rglob("*.jpg"))
    Path("new_photographs").mkdir()
    shutil.copy(new, "new_photographs")
    for name in ("a", "photograph", "query"):
        shutil.copy(a, f"{name}.jpg")
    shutil.copy(b, "b.jpg")
    return tmp_path


@pytest.fixture
def milvus(monkeypatch):
    """No collection of Milvus: an index without an engine searches itself."""
    from delf_keras.retrieval.milvus import MilvusIndex

    monkeypatch.setattr(
        MilvusIndex,
        "open",
        lambda uri, collection, fingerprint: contextlib.nullcontext(),
    )


@pytest.fixture
def beam(monkeypatch, tiny_report):
    """A pipeline that is not run; Beam is not in every environment."""
    name = "delf_keras.retrieval.distributed"
    source = HOME / name.replace(".", "/") / "building.py"
    (function,) = (
        node
        for node in ast.parse(source.read_text()).body
        if getattr(node, "name", "") == "build_index_with_beam"
    )
    known = {argument.arg for argument in function.args.kwonlyargs}

    def build_index_with_beam(photographs, extractor, **options):
        assert options.keys() <= known
        return tiny_report

    module = ModuleType(name)
    module.TfRecords = str
    module.build_index_with_beam = build_index_with_beam
    monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def names(tiny_model, tiny_extractor):
    """What blocks take as given."""
    rng = np.random.default_rng(0)
    return {
        "delf": tiny_model,
        "extractor": tiny_extractor,
        "images": rng.uniform(0, 255, (2, 64, 64, 3)).astype(np.float32),
        "labels": np.array([0, 1]),
        "num_classes": 2,
        "queries": ["query.jpg"],
    }


@pytest.mark.parametrize("block", blocks({"python"}))
def test_python(block, folder, names, milvus, beam, tiny_preset, server):
    """With small data and a small network, for which nothing is downloaded."""
    replaced = {
        "delf_resnet50_imagenet": str(tiny_preset),
        "epochs=10": "epochs=1, verbose=0",
        "localhost:8500": server.grpc_address,
    }
    for text, other in replaced.items():
        block = block.replace(text, other)
    if 'save("my_index")' in block:
        shutil.rmtree("my_index")
    exec(compile(block, "block", "exec"), names)


@pytest.mark.skipif(
    not (shutil.which("bash") and shutil.which("curl")),
    reason="The example is one of bash and curl",
)
def test_curl(folder, server):
    (block,) = (param.values[0] for param in blocks({"bash"}))
    finished = subprocess.run(
        ["bash", "-c", block.replace("localhost:8501", server.rest_address)],
        capture_output=True,
        timeout=60,
        check=True,
    )
    outputs = json.loads(finished.stdout)["outputs"]
    assert outputs["status"] == [contract.OK]
    assert outputs["num_features"] == [20]


def names_of_table(first_heading):
    """Returns the names in the first column of a table of export/."""
    table = re.search(
        rf"^\| {first_heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)",
        (HOME / "export/README.md").read_text(),
        re.MULTILINE,
    )[1]
    columns = [row.split("|")[1] for row in table.splitlines()]
    return set(re.findall(r"`([\w.-]+)`", " ".join(columns)))


def test_tables_name_what_is_served(server):
    with server.versions.use() as (_, servable):
        signatures = servable.signatures

    assert names_of_table("signature") == set(signatures)
    assert names_of_table("output") == set(signatures[contract.EXTRACT].outputs)
    assert names_of_table("status") == set(contract.STATUSES)


def test_files_of_export_are_all_described():
    files = {path.name for path in (HOME / "export").glob("*.*")}
    assert names_of_table("file") == files - {"README.md"}
