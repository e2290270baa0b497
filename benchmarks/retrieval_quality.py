"""Retrieval quality and speed on a folder of photographs, beside RootSIFT.

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
import rootsift
from absl import app, flags
from tqdm import tqdm

from delf_keras import Delf, Extractor
from delf_keras.benchmarking.recording import record
from delf_keras.benchmarking.report import (
    figures_of,
    result_lines,
    settings_of,
)
from delf_keras.benchmarking.running import BenchmarkOptions, run_benchmark
from delf_keras.datasets.benchmarks import open_benchmark
from delf_keras.evaluation import format_revisited
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.photographs import read_query
from delf_keras.retrieval import PcaOptions, SearchOptions

RESULTS = Path(__file__).parent / "results"
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
_EXTRACTION = {
    "max_image_size": "Pixels to which a longer side is shrunk.",
    "min_image_size": "Pixels to which a longer side is enlarged.",
    "max_features": "Features of a photograph.",
}
for _name, _text in _EXTRACTION.items():
    flags.DEFINE_integer(_name, getattr(ExtractionOptions, _name), _text)
flags.DEFINE_string(
    "precision", ExtractionOptions.precision, "float32 or bfloat16."
)
flags.DEFINE_integer("pca_dimension", 40, "PCA of a preset without one.")
flags.DEFINE_bool("whiten", False, "Whether that PCA whitens.")
flags.DEFINE_string("factory", None, "faiss factory string.")
flags.DEFINE_integer("probes", None, "Inverted lists that are probed.")
flags.DEFINE_integer("neighbors", SearchOptions().neighbors, "Neighbours.")
flags.DEFINE_integer("candidates", SearchOptions().candidates, "Verified.")
flags.DEFINE_integer("seed", 0, "Of PCA and codebooks.")
flags.DEFINE_bool("rootsift", True, "Whether to measure RootSIFT as well.")
flags.DEFINE_string("work_dir", None, "Where every stage is kept.")
flags.DEFINE_string("json", None, "File to write the figures to.")


def main(_):
    benchmark = open_benchmark(FLAGS.data)
    options = BenchmarkOptions(
        pca=PcaOptions(FLAGS.pca_dimension, FLAGS.whiten, FLAGS.seed),
        factory=FLAGS.factory,
        probes=FLAGS.probes,
        search=SearchOptions(
            neighbors=FLAGS.neighbors, candidates=FLAGS.candidates
        ),
        seed=FLAGS.seed,
    )
    run = run_benchmark(
        benchmark,
        make_extractor(),
        options,
        work_folder=FLAGS.work_dir,
        progress=lambda items, total, label: tqdm(
            items, label, total, disable=None
        ),
    )
    print(result_lines(run), flush=True)
    settings = {"preset": FLAGS.preset, "random_seed": FLAGS.random_seed}
    figures = figures_of(run, settings | settings_of(options, run.extraction))
    if FLAGS.rootsift:
        figures["rootsift"] = rank_with_rootsift(benchmark)
    record("retrieval_quality", figures, RESULTS, FLAGS.json)


def make_extractor():
    """Makes the extractor that the flags describe."""
    extractor = Extractor.from_preset(
        FLAGS.preset,
        weights=FLAGS.weights,
        precision=FLAGS.precision,
        **{name: FLAGS[name].value for name in _EXTRACTION},
    )
    if FLAGS.random_seed is None:
        return extractor
    return Extractor(
        random_model(extractor.model),
        options=dataclasses.replace(extractor.options, score_threshold=0),
    )


def random_model(model):
    """Returns a network of the same shape that has learned nothing."""
    keras.utils.set_random_seed(FLAGS.random_seed)
    fresh = Delf.from_config(model.get_config())
    # Weights are drawn where a layer is built.
    if not fresh.built:
        fresh.build((None, None, None, 3))
    return fresh


def rank_with_rootsift(benchmark):
    """Prints and returns what RootSIFT finds, exhaustively verified."""
    queries = [
        read_query(path, box)
        for path, box in zip(
            benchmark.query_paths, benchmark.boxes, strict=True
        )
    ]
    start = time.perf_counter()
    ranks = rootsift.rank(benchmark.image_paths, queries, FLAGS.max_image_size)
    seconds = (time.perf_counter() - start) / len(queries)
    results = benchmark.evaluate(ranks)
    print(format_revisited("RootSIFT", results))
    print(f"   {seconds:.3f} s per query, exhaustive")
    return {
        protocol: 100 * result.mean_average_precision
        for protocol, result in results.items()
    } | {"seconds_per_query": seconds}


if __name__ == "__main__":
    flags.mark_flag_as_required("data")
    app.run(main)
