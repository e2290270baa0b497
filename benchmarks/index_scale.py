"""How an index grows: time, memory and recall over the number of descriptors.

    python benchmarks/index_scale.py --sizes=1000000,10000000,100000000 \
        --data=landmarks --weights=resnet50_notop.h5 --work_dir=work \
        --json=scale.json

Features of real photographs are extracted once, resampled and perturbed to
databases of the given sizes (see scaled_descriptors.py), and searched for
those of real queries. Each size is built in a process of its own, and
searched in another, whose peaks of memory are measured. For each size:

- seconds to train, to add and to finish; bytes on disk for each descriptor;
- 60-recall against exact search of all descriptors, and against the same
  codes in all lists, which tells what probing few lists loses;
- seconds of a query of about 1000 descriptors, searched and voted (with
  visual words), how much of them are faiss's own, and those of verifying 100
  candidates; queries per second one by one and in batches.
"""

import dataclasses
import json
import multiprocessing
import shutil
import time
from pathlib import Path

import faiss
import numpy as np
from absl import app, flags
from raw_features import KeptFeatures, raw_features
from scaled_descriptors import ScaledDatabase
from tqdm import tqdm

from delf_keras import Extractor, ImageIndex
from delf_keras.benchmarking.recording import record
from delf_keras.datasets.benchmarks import open_benchmark
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.pca_fitting import PcaOptions, fit_pca_on_features
from delf_keras.retrieval import SearchOptions, index_info
from delf_keras.retrieval.faiss_training import inverted_file
from delf_keras.retrieval.index_files import create_index
from delf_keras.retrieval.index_filling import fill_index
from delf_keras.retrieval.index_training import learn
from delf_keras.retrieval.neighbors import keys_of_images

RESULTS = Path(__file__).parent / "results"
FLAGS = flags.FLAGS
flags.DEFINE_list("sizes", ["1000000"], "Numbers of descriptors.")
flags.DEFINE_string("data", None, "Folder with jpg/ and gnd_*.pkl.")
flags.DEFINE_string("preset", "delf_resnet50_imagenet", "Preset.")
flags.DEFINE_string("weights", None, "ImageNet weights for the preset.")
flags.DEFINE_integer("image_size", 640, "Pixels of the longer side.")
flags.DEFINE_string("work_dir", None, "Where features are kept.")
flags.DEFINE_string("factory", None, "faiss factory string; by size if none.")
flags.DEFINE_float("recall", 0.95, "Recall that probes are calibrated for.")
flags.DEFINE_integer("queries", 20, "Query photographs.")
flags.DEFINE_bool("keep", False, "Whether to keep the indexes.")
flags.DEFINE_bool("reuse", False, "Whether to search indexes that were kept.")
flags.DEFINE_string("json", None, "File to write the rows to.")

# Photographs of a shard, and those that quantizers are trained on.
SHARD = 1000
SAMPLE = 4096
NEIGHBORS = 60
# Descriptors whose neighbours are found exactly.
EXACT_QUERIES = 200
EXACT_BLOCK = 1 << 20


def main(_):
    work = Path(FLAGS.work_dir)
    database, queries = real_features()
    rows = []
    for size in map(int, FLAGS.sizes):
        folder = work / f"scale-{size}"
        row = {"size": size}
        arguments = folder, size, database, queries
        if not (FLAGS.reuse and folder.exists()):
            shutil.rmtree(folder, ignore_errors=True)
            row |= in_process(build, *arguments)
        row |= in_process(search, *arguments)
        row["peak_rss_gb"] = max(
            row[name] for name in row if name.endswith("_rss_gb")
        )
        print(json.dumps(row, indent=1), flush=True)
        rows.append(row)
        record("index_scale", row, RESULTS)
        if FLAGS.json:
            Path(FLAGS.json).write_text(json.dumps(rows, indent=1))
        if not FLAGS.keep:
            shutil.rmtree(folder)


def real_features():
    """Returns features of the database and of the queries, with PCA."""
    benchmark = open_benchmark(FLAGS.data)
    extractor = Extractor.from_preset(
        FLAGS.preset,
        weights=FLAGS.weights,
        pca=False,
        max_image_size=FLAGS.image_size,
        min_image_size=FLAGS.image_size,
        global_power=3.0,
    )
    database, queries = raw_features(benchmark, extractor, FLAGS.work_dir)
    sample = [*database.values()]
    pca = fit_pca_on_features(sample, PcaOptions(), extractor.model_fingerprint)
    extractor = KeptFeatures(extractor.with_pca(pca), database)
    return (
        [without_global(extractor.project(each)) for each in sample],
        [without_global(extractor.project(each)) for each in queries],
    )


def without_global(features):
    return dataclasses.replace(features, global_descriptor=None)


def in_process(step, *arguments):
    """Runs a step in a process of its own and returns what it measured."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    options = {name: FLAGS[name].value for name in ("factory", "recall")}
    options |= {"queries": FLAGS.queries}
    process = context.Process(
        target=run_step, args=(sender, step, options, *arguments)
    )
    process.start()
    sender.close()
    try:
        return receiver.recv()
    finally:
        process.join()


def run_step(sender, step, options, *arguments):
    figures = step(options, *arguments)
    sender.send({f"{step.__name__}_rss_gb": peak_rss()} | figures)


def peak_rss():
    """Returns the peak of resident memory in GiB, mapped files included."""
    # getrusage tells the parent's peak, where that is higher.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 2**20, 2)


def build(options, folder, size, features, _):
    """Writes an index of so many descriptors."""
    scaled = ScaledDatabase(features)
    photographs = round(size / scaled.features_per_photograph)
    start = time.perf_counter()
    sample = [each for _, each in scaled.shard(0, min(photographs, SAMPLE))]
    sampled = time.perf_counter()
    learned = learn(
        sample, size, factory=options["factory"], recall=options["recall"]
    )
    del sample
    trained = time.perf_counter()
    made = 0.0

    def shards():
        nonlocal made
        numbers = range(0, photographs, SHARD)
        for number in tqdm(numbers, f"add {size:,}", disable=None):
            begin = time.perf_counter()
            count = min(SHARD, photographs - number)
            named_features = scaled.shard(1 + number, count)
            made += time.perf_counter() - begin
            yield named_features, None
        nonlocal added
        added = time.perf_counter()

    added = 0.0
    manifest = create_index(
        folder,
        "localhost:0",
        features[0].fingerprint,
        ["/"],
        ExtractionOptions(),
        learned,
    )
    fill_index(folder, manifest, shards())
    return {
        "train_seconds": trained - sampled,
        "add_seconds": added - trained - made,
        "finish_seconds": time.perf_counter() - added,
        "build_seconds": time.perf_counter() - start - made,
    }


def search(options, folder, size, features, queries):
    """Searches the index for real queries."""
    info = index_info(folder)
    index = ImageIndex.load(folder)
    (segment,) = index.database.segments
    searcher = segment.descriptor_index.searcher
    queries = queries[: options["queries"]]
    search_options = SearchOptions()
    hundred = SearchOptions(candidates=100)
    timed = {"query": [], "faiss": [], "verify": [], "expand": []}
    for turn in range(2):
        for query in queries:
            start = time.perf_counter()
            searcher.search(query.descriptors, search_options.neighbors)
            searched = time.perf_counter()
            first = index.first_scores(query, search_options)
            scored = time.perf_counter()
            verified = index.verify(query, first, hundred)
            checked = time.perf_counter()
            index.final_scores(query, first, verified, search_options)
            if turn:
                timed["faiss"].append(searched - start)
                timed["query"].append(scored - searched)
                timed["verify"].append(checked - scored)
                timed["expand"].append(time.perf_counter() - checked)
    medians = {name: float(np.median(values)) for name, values in timed.items()}
    figures = {
        "factory": info["faiss index"],
        "probes": info["probes"],
        "photographs": info["photographs"],
        "descriptors": info["descriptors"],
        "bytes_per_descriptor": info["bytes per descriptor"],
        "code_bytes_per_descriptor": code_bytes(folder) / info["descriptors"],
        "query_seconds": medians["query"],
        "faiss_seconds": medians["faiss"],
        "own_share": medians["query"] / medians["faiss"] - 1,
        "verify_100_seconds": medians["verify"],
        "expand_seconds": medians["expand"],
    }
    figures |= batch_rates(index, queries)
    # Exact search, which no user does, reads all descriptors.
    figures["search_rss_gb"] = peak_rss()
    return figures | recalls(segment, queries)


def code_bytes(folder):
    """Returns the size of what faiss keeps, in bytes."""
    return sum(
        file.stat().st_size
        for file in folder.glob("segments/*/descriptors.*")
        if file.suffix != ".npy"
    )


def batch_rates(index, queries):
    """Returns queries per second, one after the other and many at once."""
    start = time.perf_counter()
    for query in queries:
        index.search(query)
    middle = time.perf_counter()
    for _ in index.search_many(queries):
        pass
    single = len(queries) / (middle - start)
    batch = len(queries) / (time.perf_counter() - middle)
    return {
        "queries_per_second": single,
        "batch_queries_per_second": batch,
        "batch_ratio": batch / single,
    }


def recalls(segment, queries):
    """Returns what share of the 60 nearest a search finds.

    recall_60 is against the same codes, of all inverted lists; the other
    against the descriptors themselves.
    """
    rng = np.random.default_rng(0)
    descriptors = np.concatenate([each.descriptors for each in queries])
    descriptors = rng.permutation(descriptors)[:EXACT_QUERIES]
    searcher = segment.descriptor_index.searcher
    found = searcher.search(descriptors, NEIGHBORS)[1]
    keys = keys_of_images(segment.store.numbers, segment.store.offsets)
    exact = keys[exact_rows(segment.store, descriptors)]
    figures = {"recall_60_exact": shared(found, exact)}
    inverted = inverted_file(searcher)
    if inverted:
        probes, inverted.nprobe = inverted.nprobe, inverted.nlist
        # A few at a time: each has distances to all centroids.
        every = [
            searcher.search(each[None], NEIGHBORS)[1][0] for each in descriptors
        ]
        inverted.nprobe = probes
        figures["recall_60"] = shared(found, np.stack(every))
    return figures


def exact_rows(store, queries):
    heap = faiss.ResultHeap(len(queries), NEIGHBORS)
    for start in range(0, len(store.descriptors), EXACT_BLOCK):
        block = store.vectors(slice(start, start + EXACT_BLOCK))
        distances, rows = faiss.knn(queries, block, NEIGHBORS)
        heap.add_result(distances, rows + start)
    heap.finalize()
    return heap.I


def shared(found, expected):
    """Returns the mean share of the expected that was found."""
    hits = [
        len(np.intersect1d(a, b)) for a, b in zip(found, expected, strict=True)
    ]
    return float(np.mean(hits) / expected.shape[1])


if __name__ == "__main__":
    flags.mark_flags_as_required(["data", "work_dir"])
    app.run(main)
