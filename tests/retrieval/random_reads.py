"""Reads an index over and over, as a process of a test.

The test sets `folder`, `seconds`, `role` and `report`, a file for the open
files, threads and bytes of memory of this process, early and at its end.
"""

import gc
import json
import os
import resource
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from delf_keras.features.local_features import LocalFeatures
from delf_keras.retrieval import ImageIndex, index_info, verify_index

# Of the time, until a process is as large as it should get.
_WARM_UP = 0.3


def load():
    """Opens the present version, whose writer has told its photographs."""
    index = ImageIndex.load(folder, root=folder)  # noqa: F821
    version, names = index.version.manifest.version, index.database.names
    if version > 1:
        expected = folder.parent / f"expected-{version}.json"  # noqa: F821
        assert sorted(names) == json.loads(expected.read_text())
    assert len({*names}) == len(names)
    return index


def search(number):
    """Finds a photograph by its own features."""
    index = load()
    image = number % len(index)
    locations, scales, descriptors = index.database.features_of(image)
    ones = np.ones(len(scales))
    query = LocalFeatures(
        locations,
        descriptors,
        ones,
        scales,
        fingerprint=index.fingerprint,
    )
    alone = index.search(query, top=1)
    (among_others,) = index.search_many([query], top=1, workers=2)
    for (best,) in (alone, among_others):
        assert best.name == index.database.name_of(image)


def verify(number):
    """Checks the present version, and now and then a copy of it."""
    assert verify_index(folder) == {}  # noqa: F821
    assert index_info(folder)["photographs"]  # noqa: F821
    index = load()
    if number % 5 == 0:
        copy = folder.parent / f"copy-{os.getpid()}-{number}"  # noqa: F821
        index.save(copy)
        assert verify_index(copy) == {}
        copied = ImageIndex.load(copy, root=copy)
        assert copied.database.names == index.database.names
        shutil.rmtree(copy)


def repeat(work, number, until):
    count = 0
    while time.monotonic() < until:
        work(number)
        number += 7
        count += 1
    return count


def usage():
    gc.collect()
    pages = Path("/proc/self/statm").read_text().split()[1]
    return {
        "files": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "bytes": int(pages) * resource.getpagesize(),
    }


def run(work, threads):
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    start, counts, used = time.monotonic(), [], []
    for share in (_WARM_UP, 1):
        until = start + share * seconds  # noqa: F821
        with ThreadPoolExecutor(threads) as pool:
            counts += pool.map(
                repeat,
                [work] * threads,
                range(threads),
                [until] * threads,
            )
        used.append(usage())
    report.write_text(  # noqa: F821
        json.dumps({"count": sum(counts), "early": used[0], "late": used[1]})
    )


run(*{"search": (search, 4), "verify": (verify, 1)}[role])  # noqa: F821
