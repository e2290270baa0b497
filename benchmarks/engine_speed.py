"""From what size on is which search engine the right one?

    python benchmarks/engine_speed.py --sizes=100000,1000000 \
        --data=landmarks --weights=resnet50_notop.h5 --work_dir=work

Real features, resampled to databases of the given numbers of descriptors (see
scaled_descriptors.py), are searched for those of real queries, of 1000
descriptors each: by faiss, in the index that this size has by default, and by
Milvus, for each of --index_types. For each: seconds to train and add (Milvus:
to add, index and load), seconds of a query image for its 300 nearest, recall
of the 60 nearest against exact search, bytes on disk of a descriptor, and
the peak of memory. --uri=http://host:port measures a server in place of the
embedded Milvus Lite; its memory and disk are not seen then.
"""

import json
import shutil
import time
from pathlib import Path

import numpy as np
from absl import app, flags
from index_scale import exact_rows, in_process, real_features, shared
from scaled_descriptors import ScaledDatabase

from delf_keras.benchmarking.recording import record
from delf_keras.retrieval.descriptor_index import DescriptorIndex
from delf_keras.retrieval.milvus import MilvusIndex
from delf_keras.retrieval.milvus_collections import CollectionOptions
from delf_keras.retrieval.neighbors import Neighbors, keys_of_images
from delf_keras.search_options import SearchOptions

RESULTS = Path(__file__).parent / "results"
FLAGS = flags.FLAGS
flags.DEFINE_string("uri", None, "Milvus server; Milvus Lite if not given.")
flags.DEFINE_list("index_types", ["IVF_SQ8"], "Indexes of Milvus to measure.")

SAMPLE = 1_000_000
NEAREST = 60
EXACT_QUERIES = 200


def main(_):
    database, queries = real_features()
    scaled = ScaledDatabase(database)
    queries = [each.descriptors for each in queries[: FLAGS.queries]]
    work = Path(FLAGS.work_dir)
    for size in map(int, FLAGS.sizes):
        descriptors, keys = make_database(scaled, size)
        some = np.random.default_rng(0).permutation(np.concatenate(queries))
        some = some[:EXACT_QUERIES]
        exact = keys[exact_rows(descriptors, some)]
        asked = (queries, some, exact)
        report(keys, "faiss", faiss_engine, work, descriptors, keys, *asked)
        for index_type in FLAGS.index_types:
            report(
                keys,
                f"Milvus {index_type}",
                milvus_engine,
                work,
                descriptors,
                keys,
                *asked,
                index_type,
                FLAGS.uri,
            )


def report(keys, engine, step, *arguments):
    """Measures an engine in a process of its own."""
    row = {"size": len(keys), "engine": engine}
    row |= in_process(step, *arguments)
    print(json.dumps(row, indent=1), flush=True)
    record("engine_speed", row, RESULTS)


def make_database(scaled, size):
    """Returns float16 descriptors `[N, D]` and their keys."""
    shard = scaled.shard(1, round(size / scaled.features_per_photograph))
    parts = [each.descriptors.astype(np.float16) for _, each in shard]
    offsets = np.cumsum([0, *map(len, parts)])
    return np.concatenate(parts), keys_of_images(np.arange(len(parts)), offsets)


def faiss_engine(_, work, descriptors, keys, *asked):
    """Measures the faiss index that so many descriptors have by default."""
    folder = work / "engine"
    folder.mkdir()
    start = time.perf_counter()
    vectors = descriptors.astype(np.float32)
    trained = DescriptorIndex.train(
        vectors[:SAMPLE],
        Neighbors.from_keys(None, keys[:SAMPLE]).images,
        count=len(keys),
    )
    trained.with_descriptors(vectors, keys).save(folder)
    built = time.perf_counter() - start
    index = DescriptorIndex.load(folder, trained.factory)
    figures = {"factory": trained.factory, "build_seconds": built}
    figures |= measure(index, *asked)
    figures["bytes_per_descriptor"] = size_of(folder) / len(keys)
    shutil.rmtree(folder)
    return figures


def milvus_engine(_, work, descriptors, keys, *asked):
    """Measures a collection of Milvus."""
    *asked, index_type, server = asked
    file = work / "engine.db"
    uri = server or file
    options = CollectionOptions(index_type)
    start = time.perf_counter()
    with MilvusIndex.create(
        uri, "engine_speed", descriptors.shape[1], "", options
    ) as index:
        index.add(descriptors, keys)
        index.finish()
    # Milvus Lite indexes what it has on opening.
    with MilvusIndex.open(uri, "engine_speed", "") as index:
        index.search(descriptors[:1], 1)
        figures = {"build_seconds": time.perf_counter() - start}
        figures |= measure(index, *asked)
    if server is None:
        figures["bytes_per_descriptor"] = size_of(file) / len(keys)
        shutil.rmtree(file)
    return figures


def measure(index, queries, some, exact):
    """Returns seconds of a query image, and recall of the nearest 60."""
    index.search(queries[0], SearchOptions().neighbors)
    seconds = []
    for query in queries:
        start = time.perf_counter()
        index.search(query, SearchOptions().neighbors)
        seconds.append(time.perf_counter() - start)
    found = index.search(some, NEAREST).keys
    return {
        "query_seconds": float(np.median(seconds)),
        "recall_60_exact": shared(found, exact),
    }


def size_of(path):
    """Returns the bytes of a folder's files."""
    return sum(each.stat().st_size for each in path.rglob("*"))


if __name__ == "__main__":
    flags.mark_flags_as_required(["data", "work_dir"])
    app.run(main)
