"""How a search scales with cores, and what memory its processes share.

    python benchmarks/search_scaling.py --index=work/scale-1000000 \
        --data=landmarks --weights=resnet50_notop.h5 --work_dir=work

Searches an index that index_scale.py left (--keep) for features of real
photographs, by 1, 2, ... threads of one process, and by as many processes of
one thread each, up to twice the cores. For each: queries per second of all
together, and their memory: RSS counts what is shared once for each process,
PSS once in all.
"""

import json
import multiprocessing
import time
from pathlib import Path

from absl import app, flags
from index_scale import real_features

from delf_keras import ImageIndex
from delf_keras.benchmarking.recording import record
from delf_keras.parallel import usable_cores

RESULTS = Path(__file__).parent / "results"
FLAGS = flags.FLAGS
flags.DEFINE_string("index", None, "Folder of an index.")


def main(_):
    _, queries = real_features()
    queries = queries[: FLAGS.queries]
    for workers in range(1, 2 * usable_cores() + 1):
        report(f"{workers} threads", [workers], queries)
        report(f"{workers} processes", [1] * workers, queries)


def report(name, threads, queries):
    """Measures a process for each number of threads."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(len(threads)), context.Queue()
    processes = [
        context.Process(
            target=search, args=(FLAGS.index, queries, each, barrier, results)
        )
        for each in threads
    ]
    for process in processes:
        process.start()
    measured = [results.get() for _ in processes]
    for process in processes:
        process.join()
    seconds, rss, pss = zip(*measured, strict=True)
    row = {
        "index": Path(FLAGS.index).name,
        "workers": name,
        "queries_per_second": len(threads) * len(queries) / max(seconds),
        "rss_gb": sum(rss),
        "pss_gb": sum(pss),
    }
    print(json.dumps(row), flush=True)
    record("search_scaling", row, RESULTS)


def search(folder, queries, threads, barrier, results):
    """Searches for all queries while other processes do the same."""
    index = ImageIndex.load(folder)
    for _ in index.search_many(queries, workers=threads):
        pass
    barrier.wait()
    start = time.perf_counter()
    for _ in index.search_many(queries, workers=threads):
        pass
    seconds = time.perf_counter() - start
    barrier.wait()
    results.put((seconds, *memory()))
    # What is shared is shared as long as all are there.
    barrier.wait()


def memory():
    """Returns RSS and PSS of this process in GiB."""
    sizes = {}
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]:
        name, size, _ = line.split()
        sizes[name] = int(size) / 2**20
    return sizes["Rss:"], sizes["Pss:"]


if __name__ == "__main__":
    flags.mark_flags_as_required(["index", "data", "work_dir"])
    app.run(main)
