"""The command itself: its verbs, exit codes and messages."""

import importlib
import os
import subprocess
import sys

import pytest
import tensorflow as tf
from absl import flags as absl_flags

import delf_keras
from delf_keras.cli import main as main_module
from delf_keras.cli import presets
from delf_keras.cli.main import VERBS


def flags_of(verb):
    flags = absl_flags.FlagValues()
    module = importlib.import_module(f"delf_keras.cli.{verb.replace('-', '_')}")
    module.define_flags(flags)
    return flags


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)])
def test_overview(command, arguments):
    finished = command(*arguments)
    assert finished.code == 0
    assert finished.err == ""
    first_words = [
        line.split()[0]
        for line in finished.out.splitlines()
        if line[:2] == "  "
    ]
    assert first_words == list(VERBS)


def test_arguments_of_the_process(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["delf-keras", "presets"])
    assert main_module.main() == 0
    assert "delf_resnet50_imagenet" in capsys.readouterr().out


def test_unknown_verb(command):
    finished = command("extarct", "--preset=x")
    assert finished.code == 2
    assert finished.out == ""
    (line,) = finished.err.splitlines()
    assert line.endswith("Received: extarct")
    assert all(verb in line for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help(command, verb):
    finished = command(verb, "--help")
    assert finished.code == 0
    assert finished.err == ""
    assert f"\n    delf-keras {verb}" in finished.out
    for flag in (*flags_of(verb), "traceback"):
        assert f"--{flag}:" in finished.out or f"--[no]{flag}:" in finished.out


@pytest.mark.parametrize("verb", VERBS)
def test_flags_are_its_own(command, verb):
    """It defines nothing where other verbs see it."""
    everywhere = set(absl_flags.FLAGS)
    command(verb, "--help")
    assert set(absl_flags.FLAGS) == everywhere


@pytest.mark.parametrize("verb", VERBS)
def test_unknown_flag(refused, verb):
    message = refused(verb, "--flavour=red", code=2)
    assert "'flavour'" in message
    assert message.endswith(f"delf-keras {verb} --help")


@pytest.mark.parametrize(
    ("verb", "required"),
    [
        ("extract", ("preset", "photos", "output")),
        ("index", ("preset", "photos", "output")),
        ("beam-index", ("output",)),
        ("fit-pca", ("preset", "photos", "output")),
        ("search", ("index", "query")),
        ("import", ("from", "output")),
        ("export", ("preset", "output")),
        ("serve", ("model",)),
        ("benchmark", ("preset", "dataset")),
    ],
)
def test_required_flags_are_named_in_one_line(refused, verb, required):
    message = refused(verb, code=2)
    assert all(f"--{name}" in message for name in required)


@pytest.mark.parametrize(
    ("verb", "flag"),
    [
        ("match", "--max_features=0"),
        ("match", "--precision=float16"),
        ("match", "--model=rigid"),
        ("match", "--scales=1,two"),
        ("search", "--top=0"),
        ("index", "--seed=one"),
    ],
)
def test_wrong_value(refused, verb, flag):
    name, value = flag.split("=")
    message = refused(verb, flag, code=2)
    assert name.removeprefix("--") in message
    assert value.split(",")[-1] in message


@pytest.mark.parametrize("verb", sorted({*VERBS} - {"match", "index-remove"}))
def test_stray_arguments(refused, verb):
    required = {
        "index-add": ("--index=x", "--photos=x"),
        "index-compact": ("--index=x",),
        "index-info": ("--index=x",),
        "milvus-fill": ("--index=x", "--uri=x.db"),
        "extract": ("--preset=p", "--photos=p", "--output=o"),
        "index": ("--preset=p", "--photos=p", "--output=o"),
        "beam-index": ("--preset=p", "--photos=p", "--output=o"),
        "fit-pca": ("--preset=p", "--photos=p", "--output=o"),
        "search": ("--index=i", "--query=q"),
        "import": ("--from=f", "--output=o"),
        "export": ("--preset=p", "--output=o"),
        "serve": ("--model=m",),
        "evaluate": ("--gnd=g", "--ranks=r"),
        "benchmark": ("--preset=p", "--dataset=d"),
        "train": ("--dataset=folder:p", "--stage=joint", "--output=o"),
    }
    message = refused(verb, *required.get(verb, ()), "stray")
    assert "Received: " in message and "stray" in message


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Expected more.\n\n  Received: less\n"),
        FileNotFoundError("Received: nowhere"),
        ImportError("pip install it"),
    ],
)
def test_bad_input_is_one_line(refused, monkeypatch, error):
    def run(flags, args):
        raise error

    monkeypatch.setattr(presets, "run", run)
    assert refused("presets") == " ".join(str(error).split())


@pytest.mark.parametrize(
    "error",
    [
        KeyError("a key"),
        RuntimeError("a\nkey"),
        MemoryError("a key"),
        tf.errors.AbortedError(None, None, "Node:\n\ta key\n"),
        tf.errors.ResourceExhaustedError(None, None, "a key"),
    ],
)
def test_other_errors_are_one_line_too(command, refused, monkeypatch, error):
    def run(flags, args):
        raise error

    monkeypatch.setattr(presets, "run", run)
    message = refused("presets")
    assert message.startswith(f"{type(error).__name__}: ")
    assert "a key" in message and "--traceback" in message
    finished = command("presets", "--traceback")
    assert finished.code == 1
    assert finished.err.startswith("Traceback")
    assert message in finished.err


@pytest.mark.parametrize("error", [ValueError(), TimeoutError(), KeyError()])
def test_errors_without_a_message(refused, monkeypatch, error):
    def run(flags, args):
        raise error

    monkeypatch.setattr(presets, "run", run)
    assert refused("presets").startswith(type(error).__name__)


def test_version(command):
    finished = command("--version")
    assert finished.out == f"delf-keras {delf_keras.__version__}\n"


def test_interruption(refused, monkeypatch):
    def run(flags, args):
        raise KeyboardInterrupt

    monkeypatch.setattr(presets, "run", run)
    assert refused("presets", code=130) == "interrupted."


def test_help_does_without_docstrings():
    """Python drops them where it optimizes."""
    program = [sys.executable, "-OO", "-m", "delf_keras.cli.main"]
    for arguments in (["--help"], ["search", "--help"]):
        finished = subprocess.run([*program, *arguments], capture_output=True)
        assert finished.returncode == 0
        assert b"Searches an index" in finished.stdout


def test_overview_is_quick():
    """It imports nothing large."""
    program = (
        "import sys; from delf_keras.cli.main import main; main(['--help']); "
        "print(*{'tensorflow', 'keras', 'faiss', 'h5py'} & {*sys.modules})"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.splitlines()[-1] == ""


def test_process_says_nothing_but_what_we_say(photos, small, tmp_path):
    """TensorFlow's own messages do not get through to the user."""
    (photos / "broken.jpg").write_bytes(b"no image")
    output = tmp_path / "features.h5"
    environment = {**os.environ}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "delf_keras.cli.main", "extract"),
            *small,
            f"--photos={photos}",
            "--format=h5",
            f"--output={output}",
        ],
        capture_output=True,
        text=True,
        env=environment,
    )
    skipped, progress = finished.stderr.splitlines()
    assert skipped.startswith("Skipped: ") and "broken.jpg" in skipped
    assert progress.startswith("extract: 4 of 4 in ")
    assert finished.stdout == (
        f"{output}: 3 photographs extracted, 0 kept, 1 skipped.\n"
    )
    assert finished.returncode == 0
