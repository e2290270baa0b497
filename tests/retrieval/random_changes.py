"""Changes an index over and over, as a process that a test ends.

Before a version is published, the names that it has are written to a file
beside the index. The test sets `folder`, `seed` and `file_size`: with a limit
on the size of files, the process ends at the first full disk.
"""

import json
import os
import resource

import numpy as np

from delf_keras.features.local_features import LocalFeatures
from delf_keras.retrieval.index_writer import change_index


def photographs(rng, count):
    named = []
    for _ in range(count):
        descriptors = rng.normal(0, 1, (40, 16))
        descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
        named.append(
            (
                f"{rng.integers(2**60)}.jpg",
                LocalFeatures(
                    rng.uniform(0, 400, (40, 2)),
                    descriptors,
                    np.ones(40),
                    np.ones(40),
                ),
            )
        )
    return named


def present(writer):
    """Returns a dict of number to name."""
    return {
        int(number): name
        for store in writer.stores
        for number, name in zip(store.numbers, store.names, strict=True)
        if number not in writer.removed
    }


def change(writer, rng):
    names = present(writer)
    if len(names) > 40 or (len(names) > 8 and rng.random() < 0.5):
        writer.remove(rng.choice([*names], 5, replace=False))
    if len(names) < 40 or rng.random() < 0.7:
        writer.add(photographs(rng, rng.integers(1, 6)))
    if rng.random() < 0.2:
        writer.merge_all()
    else:
        writer.merge_alike()


def write_expected(writer):
    version = writer.manifest.version + 1
    path = folder.parent / f"expected-{version}.json"  # noqa: F821
    temporary = path.with_suffix(".partial")
    temporary.write_text(json.dumps(sorted(present(writer).values())))
    os.replace(temporary, path)


def run(rng, file_size):
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    while True:
        with change_index(folder) as writer:  # noqa: F821
            change(writer, rng)
            write_expected(writer)
            if file_size is not None:
                limit = (file_size, resource.RLIM_INFINITY)
                resource.setrlimit(resource.RLIMIT_FSIZE, limit)
                writer.add(photographs(rng, 100))
                writer.merge_all()
            writer.publish()


try:
    run(np.random.default_rng(seed), file_size)  # noqa: F821
except OSError:
    if file_size is None:  # noqa: F821
        raise
