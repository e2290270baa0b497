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
    assert isinstance(stdout.error, BrokenPipeError)


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


def test_work_without_streams(
    small, photos, built, view, tmp_path, monkeypatch
):
    """Progress, warnings and listings have nowhere to go."""
    (photos / "broken.jpg").write_bytes(b"no image")
    verbs = [
        ["extract", *small, f"--photos={photos}", f"--output={tmp_path / 'a'}"],
        ["search", f"--index={built.folder}", f"--query={view}"],
        ["index-info", f"--index={built.folder}", "--verify"],
    ]
    for stream in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, stream, None)
    for arguments in verbs:
        assert main(arguments) == 0
    assert main(["search", f"--index={photos}", f"--query={view}"]) == 1


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


def test_files_come_before_the_listing(files_first, built, view, tmp_path):
    """A verb that is killed while it prints has written them."""
    json, picture = tmp_path / "written.json", tmp_path / "drawn.png"
    index = f"--index={built.folder}"
    with contextlib.redirect_stdout(files_first(json)) as listing:
        assert main(["index-info", index, f"--json={json}"]) == 0
    assert listing.getvalue()
    json.unlink()
    search = ["search", index, f"--query={view}"]
    with contextlib.redirect_stdout(files_first(json, picture)) as listing:
        assert main([*search, f"--json={json}", f"--picture={picture}"]) == 0
    assert listing.getvalue()


def run_to_a_full_disk(redirected, monkeypatch, tmp_path):
    """Returns the exit code of a verb that writes a file after a listing."""

    def run(flags, args):
        print("a listing", flush=True)
        print("progress", file=sys.stderr, flush=True)
        (tmp_path / "file").touch()
        return 0

    monkeypatch.setattr(presets, "run", run)
    with open("/dev/full", "w") as full, redirected(full):
        code = main(["presets"])
    assert (tmp_path / "file").exists()
    return code


def test_a_listing_that_does_not_fit_is_told(monkeypatch, tmp_path, capsys):
    """At the end: what the verb is for is done."""
    code = run_to_a_full_disk(contextlib.redirect_stdout, monkeypatch, tmp_path)
    assert code == 1
    progress, message = capsys.readouterr().err.splitlines()
    assert progress == "progress"
    assert message.startswith("delf-keras: the listing: ")
    assert "No space left" in message


def test_a_log_that_does_not_fit_stops_nothing(monkeypatch, tmp_path):
    code = run_to_a_full_disk(contextlib.redirect_stderr, monkeypatch, tmp_path)
    assert code == 0


def test_process_without_streams():
    """Its descriptors do not become those of other files."""
    command = f"{sys.executable} -m delf_keras.cli.main presets <&- >&- 2>&-"
    assert subprocess.run(command, shell=True).returncode == 0
