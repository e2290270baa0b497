"""All that may be done with an index folder, at once, while writers die."""

import json
import multiprocessing
import os
import random
import runpy
import sys
import time
from pathlib import Path

import pytest

from delf_keras.retrieval import index_info, verify_index
from delf_keras.retrieval.index_writer import change_index

pytestmark = [
    pytest.mark.large,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

# Ten minutes, or as long as one likes.
SECONDS = float(os.environ.get("DELF_SECONDS_AT_ONCE", 600))
# Bytes by which the memory of a process differs from moment to moment.
NOISE = 30e6


@pytest.fixture(scope="module")
def start():
    """A function that runs a script of this folder in a new process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["delf_keras.retrieval.changing"])

    def start(script, **variables):
        process = context.Process(
            target=runpy.run_path,
            args=(str(Path(__file__).parent / script), variables),
        )
        process.start()
        return process

    return start


def kill_writers(start, folder, readers):
    """Starts writers and kills them until the readers are done."""
    rng, kills = random.Random(0), 0
    while any(each.is_alive() for each in readers):
        writer = start(
            "random_changes.py", folder=folder, seed=kills, file_size=None
        )
        time.sleep(rng.uniform(0.1, 5))
        # Nothing else ends a writer.
        assert writer.exitcode is None
        writer.kill()
        writer.join()
        kills += 1
    return kills


def test_all_at_once(start, write_index, make_photographs, tmp_path):
    folder = write_index(tmp_path / "index", make_photographs(12))
    reports = [tmp_path / f"report-{number}.json" for number in range(3)]
    readers = [
        start(
            "random_reads.py",
            folder=folder,
            role=role,
            seconds=SECONDS,
            report=report,
        )
        for role, report in zip(
            ("search", "verify", "verify"), reports, strict=True
        )
    ]
    kills = kill_writers(start, folder, readers)

    assert [each.exitcode for each in readers] == [0, 0, 0]
    told = [json.loads(report.read_text()) for report in reports]
    print(kills, "writers killed, version", index_info(folder)["version"])
    print(*told, sep="\n")
    for each in told:
        early, late = each["early"], each["late"]
        assert late["files"] == early["files"]
        assert late["threads"] == early["threads"]
        assert late["bytes"] < early["bytes"] + NOISE
    # The next writer clears up what the dead ones have left.
    with change_index(folder) as writer:
        names = writer.manifest.segments
    assert sorted(os.listdir(folder / "segments")) == sorted(names)
    assert not [*tmp_path.rglob(".writing-*")]
    assert verify_index(folder) == {}
