"""What each method of retrieval adds, and what it costs, over several seeds.

Features are extracted once, without PCA. For each seed a PCA and codebooks
are learned on the database, and every method ranks it for every query:

    python benchmarks/retrieval_ablation.py --data=landmarks \
        --weights=resnet50_notop.h5 --work_dir=work --seeds=0,1,2,3,4

Prints the mean and the standard deviation over seeds of mAP E, M and H in
percent, and the seconds of a query. --settings measures other features in
place of the methods: their number, dimension, whitening; --scales=0.5,1 makes
them of other levels of the pyramid.
"""

import time
from pathlib import Path

import numpy as np
from absl import app, flags
from raw_features import KeptFeatures, raw_features

from delf_keras import Extractor
from delf_keras.benchmarking.recording import record
from delf_keras.datasets.benchmarks import open_benchmark
from delf_keras.retrieval import (
    AsmkOptions,
    PcaOptions,
    SearchOptions,
    build_index,
)

RESULTS = Path(__file__).parent / "results"
FLAGS = flags.FLAGS
flags.DEFINE_string("data", None, "Folder with jpg/ and gnd_*.pkl.")
flags.DEFINE_string("preset", "delf_resnet50_imagenet", "Preset.")
flags.DEFINE_string("weights", None, "ImageNet weights for the preset.")
flags.DEFINE_string("work_dir", None, "Where features are kept.")
flags.DEFINE_integer("image_size", 640, "Pixels of the longer side.")
flags.DEFINE_list(
    "scales", None, "Scales of the pyramid; the preset's if none."
)
flags.DEFINE_list("seeds", ["0"], "Seeds of PCA and codebooks.")
flags.DEFINE_multi_string(
    "method",
    None,
    "Method to measure, or setting, by its name; all if not given.",
)
flags.DEFINE_bool("settings", False, "Measure settings of the features.")
flags.DEFINE_string("json", None, "File to write the figures to.")

_PAPER = {
    "neighbors": 60,
    "vote_weighting": "count",
    "background": False,
    "first_score": "votes",
    "expansion": 0,
}
_VOTES = {"first_score": "votes", "expansion": 0}
# Options of each method, from the paper's to ours; then ours, but for one.
METHODS = {
    "votes of 60 neighbours, as in the paper": _PAPER | {"candidates": 0},
    "and affine, ranked by inliers, as in the paper": _PAPER
    | {"model": "affine", "ranking": "inliers", "putatives": "neighbors"},
    "votes by margin of 300 neighbours": _VOTES
    | {"candidates": 0, "background": False},
    "over their background": _VOTES | {"candidates": 0},
    "ASMK alone": {"first_score": "asmk", "candidates": 0, "expansion": 0},
    "ASMK* alone": {"first_score": "asmk", "candidates": 0, "expansion": 0},
    "votes over background, times ASMK": {"candidates": 0, "expansion": 0},
    "and verified, upright": {"expansion": 0},
    "and expanded (default)": {},
    "default, affine": {"model": "affine"},
    "default, homography": {"model": "homography"},
    "default, neighbours verified": {"putatives": "neighbors"},
    "default, ranked by inliers": {"ranking": "inliers"},
    "default, ASMK*": {},
    "default, no background": {"background": False},
    "global descriptor alone": {"first_score": "global", "candidates": 0},
    "global, alpha expansion": {
        "first_score": "global",
        "candidates": 0,
        "global_expansion": "alpha",
    },
    "default, global descriptor fused": {"global_weight": 1.0},
}
# Features, dimension, whitening, and how descriptors are kept.
SETTINGS = {
    "500 features": (500, 40, False, "int8"),
    "64 dimensions": (1000, 64, False, "int8"),
    "40 dimensions, whitened": (1000, 40, True, "int8"),
    "128 dimensions, whitened": (1000, 128, True, "int8"),
    "128 dimensions": (1000, 128, False, "int8"),
    "kept as float16": (1000, 40, False, "float16"),
}


def main(_):
    benchmark = open_benchmark(FLAGS.data)
    options = {}
    if FLAGS.scales:
        options["scales"] = tuple(map(float, FLAGS.scales))
    extractor = Extractor.from_preset(
        FLAGS.preset,
        weights=FLAGS.weights,
        pca=False,
        max_image_size=FLAGS.image_size,
        min_image_size=FLAGS.image_size,
        global_power=3.0,
        **options,
    )
    database, queries = raw_features(benchmark, extractor, FLAGS.work_dir)
    scales = " ".join(f"{each:g}" for each in extractor.options.scales)
    measured = {}
    for seed in map(int, FLAGS.seeds):
        rows = (
            measure_settings(benchmark, extractor, database, queries, seed)
            if FLAGS.settings
            else measure_methods(benchmark, extractor, database, queries, seed)
        )
        for name, figures in rows:
            print(f"seed {seed}, {name}: {shown([figures])}", flush=True)
            measured.setdefault(name, []).append(figures)
    print()
    for name, figures in measured.items():
        print(f"{name:46} {shown(figures)}")
    record(
        "retrieval_ablation",
        {name: summary(figures) for name, figures in measured.items()}
        | {
            "seeds": len(FLAGS.seeds),
            "image_size": FLAGS.image_size,
            "scales": scales,
        },
        RESULTS,
        FLAGS.json,
    )


def measure_methods(benchmark, extractor, database, queries, seed):
    """Yields the name of each method and its E, M, H and seconds."""
    kept = KeptFeatures(extractor, database)
    pca = PcaOptions(seed=seed)
    indexes = {}
    # Those of ASMK* come last, so that only one index is in memory.
    for name in sorted(FLAGS.method or METHODS, key=has_signs):
        binary = has_signs(name)
        if binary not in indexes:
            options = AsmkOptions(binary=binary)
            indexes = {binary: build(benchmark, kept, pca, seed, options)}
        index = indexes[binary]
        projected = [index.extractor.project(each) for each in queries]
        yield name, measure(benchmark, index, projected, METHODS[name])


def has_signs(name):
    return "ASMK*" in name


def measure_settings(benchmark, extractor, database, queries, seed):
    """Yields the name of each setting and its E, M, H and seconds."""
    for name in FLAGS.method or SETTINGS:
        count, dimension, whiten, kind = SETTINGS[name]
        kept = KeptFeatures(extractor, database, count)
        pca = PcaOptions(dimension, whiten, seed)
        index = build(benchmark, kept, pca, seed, descriptor_type=kind)
        projected = [index.extractor.project(each) for each in queries]
        yield name, measure(benchmark, index, projected, {})


def build(benchmark, kept, pca, seed, asmk=None, **options):
    """Returns the `ImageIndex` of the database."""
    return build_index(
        benchmark.image_paths, kept, pca=pca, seed=seed, asmk=asmk, **options
    ).index


def measure(benchmark, index, queries, options):
    """Returns E, M and H in percent and the seconds of a query."""
    options = SearchOptions(**options)
    start = time.perf_counter()
    ranks = np.stack([index.rank(query, options) for query in queries], axis=1)
    seconds = (time.perf_counter() - start) / len(queries)
    results = benchmark.evaluate(ranks)
    means = [100 * each.mean_average_precision for each in results.values()]
    return *means, seconds


def shown(figures):
    """Returns one line of text."""
    means, spreads = np.mean(figures, axis=0), np.std(figures, axis=0)
    shares = " / ".join(
        f"{mean:.1f} ± {spread:.1f}" if len(figures) > 1 else f"{mean:.2f}"
        for mean, spread in zip(means[:-1], spreads[:-1], strict=True)
    )
    return f"{shares}   {means[-1]:.3f} s"


def summary(figures):
    """Returns a dict of the means, and of the spreads where there are some."""
    names = ("E", "M", "H", "seconds_per_query")
    means, spreads = np.mean(figures, axis=0), np.std(figures, axis=0)
    result = dict(zip(names, map(float, means), strict=False))
    if len(figures) > 1:
        result["spread"] = dict(zip(names, map(float, spreads), strict=False))
    return result


if __name__ == "__main__":
    flags.mark_flags_as_required(["data", "work_dir"])
    app.run(main)
