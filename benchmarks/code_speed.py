"""Which codes of a faiss index are fast, and what recall do they leave?

    python benchmarks/code_speed.py --size=1000000

Random clustered unit vectors of 40 dimensions, one thread, the same trained
lists for all codes. For each, and for each number of probes: recall of the 60
nearest against exact search, and seconds for 1000 queries. Codes of 4 bits
are searched as they are, and repacked for fast scanning.
"""

import time
from pathlib import Path

import faiss
import numpy as np
from absl import app, flags

from delf_keras.benchmarking.recording import record

RESULTS = Path(__file__).parent / "results"
FLAGS = flags.FLAGS
flags.DEFINE_integer("size", 1_000_000, "Vectors in the index.")
flags.DEFINE_integer("lists", 4096, "Inverted lists.")
flags.DEFINE_list("codes", ["PQ20x8", "PQ40x4", "PQ20x4", "SQ4"], "Codes.")
flags.DEFINE_list("probes", ["16", "64"], "Lists that are probed.")
flags.DEFINE_string("json", None, "File to write the figures to.")

DIMENSION = 40
CLUSTERS = 20_000
NEIGHBORS = 60
QUERIES = 1000
EXACT_QUERIES = 100


def main(_):
    faiss.omp_set_num_threads(1)
    vectors, queries = make_vectors(FLAGS.size, 1), make_vectors(QUERIES, 2)
    _, exact = faiss.knn(queries[:EXACT_QUERIES], vectors, NEIGHBORS)
    quantizer = faiss.IndexHNSWFlat(DIMENSION, 32)
    trained = faiss.IndexIVFFlat(quantizer, DIMENSION, FLAGS.lists)
    trained.train(vectors[: 64 * FLAGS.lists])
    _, lists = quantizer.search(vectors, 1)
    figures = {"size": FLAGS.size, "lists": FLAGS.lists}
    for code in FLAGS.codes:
        index = make_index(code, quantizer, vectors, lists)
        figures[code] = measure(code, index, queries, exact)
        if code.endswith("x4"):
            fast = faiss.IndexIVFPQFastScan(index)
            name = f"{code}, fast scan"
            figures[name] = measure(name, fast, queries, exact)
    record("code_speed", figures, RESULTS, FLAGS.json)


def make_vectors(count, seed):
    """Returns unit vectors around centres that are the same for all seeds."""
    centres = np.random.default_rng(0).standard_normal(
        (CLUSTERS, DIMENSION), np.float32
    )
    rng = np.random.default_rng(seed)
    vectors = centres[rng.integers(0, CLUSTERS, count)]
    vectors += 0.5 * rng.standard_normal(vectors.shape, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def make_index(code, quantizer, vectors, lists):
    index = faiss.index_factory(DIMENSION, f"IVF{FLAGS.lists}_HNSW32,{code}")
    index.quantizer = quantizer
    index.own_fields = False
    if hasattr(index, "do_polysemous_training"):
        index.do_polysemous_training = False
    index.train(vectors[: 64 * FLAGS.lists])
    keys = np.arange(len(vectors))
    index.add_core(
        len(vectors), *map(faiss.swig_ptr, (vectors, keys, lists.ravel()))
    )
    return index


def measure(name, index, queries, exact):
    """Returns recall and seconds for each number of probes."""
    figures = {}
    for probes in map(int, FLAGS.probes):
        index.nprobe = probes
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            _, found = index.search(queries, NEIGHBORS)
            seconds.append(time.perf_counter() - start)
        pairs = zip(found, exact, strict=False)
        recall = np.mean([len(np.intersect1d(*pair)) for pair in pairs])
        figures[f"{probes} probes"] = {
            "recall_60": float(recall / NEIGHBORS),
            "seconds": min(seconds),
        }
        print(
            f"{name:20} {probes:4} probes: recall {recall / NEIGHBORS:.3f}, "
            f"{min(seconds):.3f} s",
            flush=True,
        )
    return figures


if __name__ == "__main__":
    app.run(main)
