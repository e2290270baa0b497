"""Where should an index keep the features of its photographs?

Compares mapped arrays, which an index has, with a table of SQLite: seconds to
write photographs of 1000 features of 40 dimensions, to read those of 100
candidates, and bytes on disk. Files are in the page cache, for both.

    python benchmarks/store_speed.py --photographs=5000
"""

import sqlite3
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import app, flags

from delf_keras.benchmarking.recording import record
from delf_keras.features.local_features import LocalFeatures
from delf_keras.retrieval.image_store import ImageStore

RESULTS = Path(__file__).parent / "results"
FLAGS = flags.FLAGS
flags.DEFINE_integer("photographs", 5000, "Photographs in the store.")
flags.DEFINE_string("json", None, "File to write the figures to.")

FEATURES, DIMENSION = 1000, 40
CANDIDATES = 100
QUERIES = 20


class SqliteStore:
    """A row for each photograph, with its arrays as blobs."""

    def __init__(self, path):
        self._table = sqlite3.connect(path)

    def write(self, store):
        self._table.execute(
            "CREATE TABLE images (id INTEGER PRIMARY KEY, name TEXT, "
            "locations BLOB, scales BLOB, descriptors BLOB)"
        )
        with self._table:
            for image, name in enumerate(store.names):
                rows = slice(image * FEATURES, (image + 1) * FEATURES)
                arrays = store.locations, store.scales, store.descriptors
                self._table.execute(
                    "INSERT INTO images VALUES (?, ?, ?, ?, ?)",
                    (image, name, *(each[rows].tobytes() for each in arrays)),
                )

    def features_of(self, image):
        locations, scales, descriptors = self._table.execute(
            "SELECT locations, scales, descriptors FROM images WHERE id = ?",
            (int(image),),
        ).fetchone()
        return (
            np.frombuffer(locations, np.float32).reshape(-1, 2),
            np.frombuffer(scales, np.float32),
            np.frombuffer(descriptors, np.float16)
            .reshape(-1, DIMENSION)
            .astype(np.float32),
        )


def main(_):
    rng = np.random.default_rng(0)
    features = LocalFeatures(
        rng.uniform(0, 640, (FEATURES, 2)),
        rng.normal(0, 0.1, (FEATURES, DIMENSION)),
        np.ones(FEATURES),
        np.ones(FEATURES),
    )
    store = ImageStore.from_features(
        [(f"{number:07d}.jpg", features) for number in range(FLAGS.photographs)]
    )
    figures = {"photographs": FLAGS.photographs}
    with tempfile.TemporaryDirectory() as folder:
        arrays, table = Path(folder) / "arrays", Path(folder) / "table.sqlite"
        figures["arrays_write_seconds"] = seconds(lambda: store.save(arrays))
        figures["arrays_read_seconds"] = read_seconds(ImageStore.load(arrays))
        figures["arrays_bytes"] = sum(
            file.stat().st_size for file in arrays.iterdir()
        )
        sqlite = SqliteStore(table)
        figures["sqlite_write_seconds"] = seconds(lambda: sqlite.write(store))
        figures["sqlite_read_seconds"] = read_seconds(sqlite)
        figures["sqlite_bytes"] = table.stat().st_size
    for name, value in figures.items():
        print(f"{name:22} {value:.6g}")
    record("store_speed", figures, RESULTS, FLAGS.json)


def read_seconds(store):
    """Returns the median time to read the features of 100 photographs."""
    rng = np.random.default_rng(1)
    queries = rng.integers(0, FLAGS.photographs, (QUERIES, CANDIDATES))
    return float(
        np.median(
            [
                seconds(lambda images=each: [*map(store.features_of, images)])
                for each in queries
            ]
        )
    )


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == "__main__":
    app.run(main)
