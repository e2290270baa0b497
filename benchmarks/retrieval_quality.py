"""Retrieval quality and speed on a folder of photographs.

The folder holds `jpg/` and a ground truth `gnd_*.pkl` in the layout of
Revisited Oxford and Paris. Prints mAP of the easy, medium and hard protocol
for DELF, and for RootSIFT with exhaustive affine verification as a peer.

    python benchmarks/retrieval_quality.py --data=landmarks \
        --preset=delf_resnet50_imagenet --weights=resnet50_notop.h5
"""

import dataclasses
import time
from pathlib import Path

import keras
import numpy as np
import rootsift
from absl import app, flags
from tqdm import tqdm

from delf_keras import Delf, Extractor
from delf_keras.benchmarking.recording import record
from delf_keras.datasets.benchmark_files import find_ground_truth
from delf_keras.evaluation import (
    evaluate_revisited,
    format_revisited,
    load_revisited,
)
from delf_keras.features.files import names_h5, open_h5, read_h5, write_h5
from delf_keras.features.photographs import read_query
from delf_keras.retrieval import PcaOptions, SearchOptions, build_index

FLAGS = flags.FLAGS
flags.DEFINE_string("data", None, "Folder with jpg/ and gnd_*.pkl.")
flags.DEFINE_string("preset", "delf_resnet50_imagenet", "Preset.")
flags.DEFINE_string("weights", None, "ImageNet weights for the preset.")
flags.DEFINE_integer(
    "random_seed",
    None,
    "Seed of random weights for the preset's network: what training is "
    "measured against.",
)
flags.DEFINE_integer("max_image_size", 640, "Pixels of the longer side.")
flags.DEFINE_integer("max_features", 1000, "Features of a photograph.")
flags.DEFINE_string("precision", "float32", "float32 or bfloat16.")
flags.DEFINE_integer("pca_dimension", 40, "PCA of a preset without one.")
flags.DEFINE_bool("whiten", False, "Whether that PCA whitens.")
flags.DEFINE_string("factory", None, "faiss factory string.")
flags.DEFINE_integer("probes", None, "Inverted lists that are probed.")
flags.DEFINE_integer("neighbors", SearchOptions().neighbors, "Neighbours.")
flags.DEFINE_integer("candidates", SearchOptions().candidates, "Verified.")
flags.DEFINE_bool("rootsift", True, "Whether to measure RootSIFT as well.")
flags.DEFINE_string("work_dir", None, "Where features are kept between runs.")
flags.DEFINE_string("json", None, "File to write the figures to.")


def main(_):
    data = Path(FLAGS.data)
    ground_truth = load_revisited(find_ground_truth(data))
    database = [data / "jpg" / f"{n}.jpg" for n in ground_truth.image_names]
    queries = [
        read_query(data / "jpg" / f"{name}.jpg", box)
        for name, box in zip(
            ground_truth.query_names, ground_truth.boxes, strict=True
        )
    ]
    ranks, figures = rank_with_delf(database, queries)
    figures |= report("DELF", ground_truth, ranks)
    print(
        f"   {_shown(figures['seconds_per_image'])} s per image extracted and "
        f"indexed, {_shown(figures['seconds_per_query_extraction'])} s per "
        f"query extracted, {figures['seconds_per_query']:.3f} s searched"
    )
    if FLAGS.rootsift:
        start = time.perf_counter()
        ranks = rootsift.rank(database, queries, FLAGS.max_image_size)
        figures["rootsift"] = report("RootSIFT", ground_truth, ranks)
        seconds = (time.perf_counter() - start) / len(queries)
        figures["rootsift"]["seconds_per_query"] = seconds
        print(f"   {seconds:.3f} s per query, exhaustive")
    record("retrieval_quality", figures, FLAGS.json)


def rank_with_delf(database, queries):
    """Indexes the database and ranks it for each query."""
    extractor = Extractor.from_preset(
        FLAGS.preset,
        weights=FLAGS.weights,
        max_image_size=FLAGS.max_image_size,
        max_features=FLAGS.max_features,
        precision=FLAGS.precision,
    )
    if FLAGS.random_seed is not None:
        extractor = Extractor(
            random_model(extractor.model),
            options=dataclasses.replace(extractor.options, score_threshold=0),
        )
    start = time.perf_counter()
    report = build_index(
        database,
        extractor,
        pca=PcaOptions(FLAGS.pca_dimension, FLAGS.whiten),
        factory=FLAGS.factory,
        probes=FLAGS.probes,
        work_folder=FLAGS.work_dir,
        progress=lambda iterable, total, label: tqdm(
            iterable, label, total, disable=None
        ),
    )
    build_seconds = time.perf_counter() - start
    index = report.index
    print(
        f"{len(index)} images, {len(index.descriptor_index)} descriptors, "
        f"index {index.descriptor_index.factory}, "
        f"{index.descriptor_index.probes} lists probed"
    )
    start = time.perf_counter()
    features, kept = query_features(index.extractor, queries)
    query_seconds = None if kept else time.perf_counter() - start
    options = SearchOptions(
        neighbors=FLAGS.neighbors, candidates=FLAGS.candidates
    )
    start = time.perf_counter()
    ranks = np.stack([index.rank(each, options) for each in features], axis=1)
    search_seconds = time.perf_counter() - start
    figures = {
        # Features from an earlier run say nothing of this one's speed.
        "seconds_per_image": build_seconds / len(index)
        if report.extracted == len(index)
        else None,
        "seconds_per_query_extraction": query_seconds
        and query_seconds / len(queries),
        "seconds_per_query": search_seconds / len(queries),
        "preset": FLAGS.preset,
        "random_seed": FLAGS.random_seed,
        "precision": FLAGS.precision,
        "max_image_size": FLAGS.max_image_size,
        "max_features": FLAGS.max_features,
        "dimension": index.descriptor_index.dimension,
        "factory": index.descriptor_index.factory,
        "search": dataclasses.asdict(options),
    }
    return ranks, figures


def random_model(model):
    """Returns a network of the same shape that has learned nothing."""
    keras.utils.set_random_seed(FLAGS.random_seed)
    fresh = Delf.from_config(model.get_config())
    # Weights are drawn where a layer is built.
    if not fresh.built:
        fresh.build((None, None, None, 3))
    return fresh


def query_features(extractor, queries):
    """Returns the features of the queries, and whether they were kept."""
    if not FLAGS.work_dir:
        return extractor.extract(queries), False
    path = Path(FLAGS.work_dir) / f"queries-{extractor.cache_key}.h5"
    with open_h5(path, "a") as file:
        names = [f"{number:04d}" for number in range(len(queries))]
        kept = names_h5(file) == names
        if not kept:
            for name, each in zip(
                names, extractor.extract(queries), strict=True
            ):
                write_h5(file, name, each)
        return [read_h5(file, name) for name in names], kept


def report(name, ground_truth, ranks):
    """Prints and returns the mAP of E, M and H in percent."""
    results = evaluate_revisited(ground_truth, ranks)
    print(format_revisited(name, results), flush=True)
    return {
        protocol: 100 * result.mean_average_precision
        for protocol, result in results.items()
    }


def _shown(seconds):
    return "(kept from an earlier run)" if seconds is None else f"{seconds:.3f}"


if __name__ == "__main__":
    flags.mark_flag_as_required("data")
    app.run(main)
