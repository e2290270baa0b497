"""Speed of the training stages, and of the pipeline that feeds them.

Photographs per second of a step of each stage at the paper's sizes, of a
plain Keras classifier of the same backbone that is trained whole at the same
size, and of the input pipeline alone.

    python benchmarks/training_speed.py --photos=photographs
"""

import time
from pathlib import Path

import keras
import numpy as np
from absl import app, flags

from delf_keras.benchmarking.recording import record
from delf_keras.datasets.labelled_images import LabelledImages
from delf_keras.features.photographs import find_photographs
from delf_keras.models import Delf, ResNet
from delf_keras.training.options import STAGES, TrainingOptions
from delf_keras.training.pipeline import PipelineOptions, training_batches
from delf_keras.training.stages import compile_classifier, make_classifier

RESULTS = Path(__file__).parent / "results"
FLAGS = flags.FLAGS
flags.DEFINE_string("photos", None, "Folder of photographs.")
flags.DEFINE_integer("depth", 50, "Depth of the ResNet.")
flags.DEFINE_integer("width", 64, "Width of the ResNet.")
flags.DEFINE_integer("num_classes", 586, "Classes; 586 are those of the paper.")
flags.DEFINE_list("stages", list(STAGES), "Stages to measure.")
flags.DEFINE_integer("descriptor_batch", 8, "Batch at the descriptor's size.")
flags.DEFINE_integer("attention_batch", 1, "Batch at the attention's size.")
flags.DEFINE_integer("steps", 3, "Steps that are timed, after one that is not.")
flags.DEFINE_string("json", None, "File to write the figures to.")


def main(_):
    figures = {
        "depth": FLAGS.depth,
        "width": FLAGS.width,
        "num_classes": FLAGS.num_classes,
    }
    for stage in FLAGS.stages:
        figures[stage] = measure_stage(stage)
        shown = ", ".join(f"{k} {v:.3g}" for k, v in figures[stage].items())
        print(f"{stage}: {shown}", flush=True)
    record("training_speed", figures, RESULTS, FLAGS.json)


def measure_stage(stage):
    """Returns photographs per second of a stage, its peer and its pipeline."""
    views = PipelineOptions.of_stage(stage, batch_size=8)
    size = views.image_size
    batch = (
        FLAGS.attention_batch
        if stage == "attention"
        else FLAGS.descriptor_batch
    )
    classifier = stage_classifier(stage)
    peer = plain_classifier()
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (batch, size, size, 3)).astype(np.float32)
    labels = rng.integers(FLAGS.num_classes, size=batch)
    # In turns, since the machine wavers.
    seconds = {classifier: [], peer: []}
    for step in range(FLAGS.steps + 1):
        for model, times in seconds.items():
            start = time.perf_counter()
            model.train_on_batch(images, labels)
            if step:
                times.append(time.perf_counter() - start)
    own, plain = (batch / np.median(times) for times in seconds.values())
    pipeline = pipeline_rate(views)
    return {
        "image_size": size,
        "batch_size": batch,
        "images_per_second": own,
        "plain_images_per_second": plain,
        "ratio": own / plain,
        "pipeline_images_per_second": pipeline,
        "pipeline_ratio": pipeline / own,
    }


def stage_classifier(stage):
    """Returns the compiled classifier of a stage."""
    options = TrainingOptions(stage, autoencoder=128 if stage == "joint" else 0)
    delf = Delf(ResNet(depth=FLAGS.depth, width=FLAGS.width))
    delf.build((None, None, None, 3))
    classifier = make_classifier(delf, options, FLAGS.num_classes)
    compile_classifier(classifier, options, total_steps=1000)
    return classifier


def plain_classifier():
    """Returns the peer: the backbone, pooling and a softmax, all trained."""
    model = keras.Sequential(
        [
            keras.layers.Input((None, None, 3)),
            ResNet(depth=FLAGS.depth, width=FLAGS.width),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(FLAGS.num_classes),
        ]
    )
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    return model


def pipeline_rate(views):
    """Returns photographs per second of the pipeline alone."""
    folder = Path(FLAGS.photos)
    paths = [folder / name for name in find_photographs(folder)]
    images = LabelledImages.from_files(paths, [0] * len(paths), ("photograph",))
    batches = iter(training_batches(images, views, 0, 25))
    next(batches)
    start = time.perf_counter()
    count = sum(len(labels) for _, labels in batches)
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    flags.mark_flag_as_required("photos")
    app.run(main)
