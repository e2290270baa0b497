"""Listings reach whoever reads them, and no reader stops a verb."""

import contextlib
import io
import os
import subprocess
import sys

import pytest

from delf_keras.cli import presets
from delf_keras.cli.main import VERBS, main
from delf_keras.cli.output import safe_streams


@pytest.fixture
def unread():
    """A stream to a pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stream:
        yield stream


def ascii_stream():
    return io.TextIOWrapper(io.BytesIO(), "ascii")


def test_a_pipe_that_is_closed_is_told_once(unread):
    with contextlib.redirect_stdout(unread), safe_streams() as stdout:
        for _ in range(3):
            print("a line", flush=True)
    assert stdout.closed_by_reader


def test_other_characters_than_those_of_the_encoding():
    stream = ascii_stream()
    with contextlib.redirect_stdout(stream), safe_streams():
        print("caf\xe9")
    stream.seek(0)
    assert stream.read() == "caf\\xe9\n"


def test_no_streams():
    with contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
        with safe_streams() as stdout:
            print("nothing", flush=True)
            print("nothing", file=sys.stderr)
            assert not stdout.isatty() and not sys.stderr.isatty()
        assert sys.stdout is None


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb(verb, unread):
    for stream, code in ((unread, 141), (ascii_stream(), 0), (None, 0)):
        with contextlib.redirect_stdout(stream):
            assert main([verb, "--help"]) == code


@pytest.mark.parametrize("verb", ["search", "index-info"])
def test_files_are_written_whoever_reads(verb, unread, built, view, tmp_path):
    file = tmp_path / "written.json"
    arguments = [verb, f"--index={built.folder}", f"--json={file}"]
    if verb == "search":
        arguments.append(f"--query={view}")
    with contextlib.redirect_stdout(unread):
        assert main(arguments) == 141
    assert file.stat().st_size


def test_files_come_before_the_listing(built, view, tmp_path):
    """A verb that is killed while it prints has written them."""
    file = tmp_path / "written.json"

    class Stream(io.StringIO):
        def write(self, text):
            assert file.exists()
            return super().write(text)

    for verb in (["search", f"--query={view}"], ["index-info"]):
        file.unlink(missing_ok=True)
        with contextlib.redirect_stdout(Stream()):
            arguments = [f"--index={built.folder}", f"--json={file}"]
            assert main([*verb, *arguments]) == 0


def test_errors_of_the_system_are_told(monkeypatch, capsys):
    def run(flags, args):
        print("a listing")
        return 0

    monkeypatch.setattr(presets, "run", run)
    with open("/dev/full", "w") as full, contextlib.redirect_stdout(full):
        assert main(["presets"]) == 1
    assert "No space left" in capsys.readouterr().err


def test_process_without_streams():
    """Its descriptors do not become those of other files."""
    command = f"{sys.executable} -m delf_keras.cli.main presets <&- >&- 2>&-"
    assert subprocess.run(command, shell=True).returncode == 0
