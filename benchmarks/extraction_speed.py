"""Speed of extraction against what the machine's arithmetic allows.

Three rates in one run, in float32 and in bfloat16: the extractor from files
to descriptors, the plain Keras model on the same pyramids of decoded pixels,
and one large matrix product of TensorFlow. GFLOP count the convolutions of the
model. The rounds alternate and the best of each counts, so that other work on
the machine disturbs all three alike.

    python benchmarks/extraction_speed.py --data=landmarks \
        --weights=resnet50_notop.h5 --json=speed.json
"""

import math
import tempfile
import time
from pathlib import Path

import tensorflow as tf
from absl import app, flags

from delf_keras import Delf, Extractor
from delf_keras.benchmarking.recording import record
from delf_keras.datasets.synthetic import write_photographs
from delf_keras.features import pyramid
from delf_keras.features.decoding import read_image
from delf_keras.features.extraction_options import DEFAULT_SCALES, PRECISIONS

RESULTS = Path(__file__).parent / "results"
FLAGS = flags.FLAGS
flags.DEFINE_string("data", None, "Folder with jpg/; rendered if not given.")
flags.DEFINE_string("preset", "delf_resnet50_imagenet", "Preset.")
flags.DEFINE_string("weights", None, "ImageNet weights for the preset.")
flags.DEFINE_integer("max_image_size", 640, "Pixels of the longer side.")
flags.DEFINE_integer("photographs", 4, "Photographs of a round.")
flags.DEFINE_integer("rounds", 3, "Rounds, of which the best counts.")
flags.DEFINE_list("precisions", list(PRECISIONS), "What to measure.")
flags.DEFINE_string("json", None, "File to write the figures to.")

MATRIX_SIZES = (4096, 1024, 4096)


def main(_):
    model = Delf.from_preset(FLAGS.preset, FLAGS.weights)
    with tempfile.TemporaryDirectory() as folder:
        paths = photographs(folder)
        gflop = sum(count_gflop(model, read_image(path)) for path in paths)
        print(f"{len(paths)} photographs, {gflop:.0f} GFLOP")
        figures = {
            precision: measure(precision, paths, gflop)
            for precision in FLAGS.precisions
        }
    if {"float32", "bfloat16"} <= figures.keys():
        ratio = (
            figures["bfloat16"]["gflops"] / figures["float32"]["keras_gflops"]
        )
        figures["bfloat16_over_keras_float32"] = ratio
        print(f"bfloat16 is {ratio:.2f} times the plain float32 Keras model")
    record("extraction_speed", figures, RESULTS, FLAGS.json)


def photographs(folder):
    """Returns the paths of the photographs that are measured on."""
    if FLAGS.data:
        paths = sorted((Path(FLAGS.data) / "jpg").glob("*.jpg"))
        step = max(1, len(paths) // FLAGS.photographs)
        return paths[::step][: FLAGS.photographs]
    return write_photographs(
        folder,
        num_landmarks=FLAGS.photographs,
        views_per_landmark=1,
        num_distractors=0,
    )


def levels(image):
    """Returns the pyramid of a photograph, as the extractor makes it."""
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    fitted = pyramid.level_size(
        size, pyramid.fit_scale(size, FLAGS.max_image_size)
    )
    image = pyramid.resize(tf.cast(image[None], tf.float32), fitted)
    return [
        pyramid.resize(image, pyramid.level_size(fitted, scale))
        for scale in DEFAULT_SCALES
    ]


def count_gflop(model, image):
    """Counts the operations of all convolutions on a photograph's pyramid."""
    return sum(
        1e-9 * convolution_operations(model, tuple(level.shape))
        for level in levels(image)
    )


def convolution_operations(model, shape):
    """Counts a multiplication and an addition for each weight and cell."""
    graph = (
        tf.function(model)
        .get_concrete_function(tf.TensorSpec(shape, tf.float32))
        .graph
    )
    return sum(
        2
        * math.prod(operation.inputs[1].shape[:3])
        * math.prod(operation.outputs[0].shape)
        for operation in graph.get_operations()
        if operation.type == "Conv2D"
    )


def measure(precision, paths, gflop):
    """Measures the three rates in one precision."""
    extractor = Extractor.from_preset(
        FLAGS.preset,
        weights=FLAGS.weights,
        max_image_size=FLAGS.max_image_size,
        precision=precision,
    )
    model = Delf.from_preset(
        FLAGS.preset, FLAGS.weights, dtype=PRECISIONS[precision]
    )
    plain = tf.function(
        model, input_signature=[tf.TensorSpec([None, None, None, 3])]
    )
    pyramids = [levels(read_image(path)) for path in paths]
    matrices = random_matrices(precision)
    contests = {
        "gflops": (lambda: extractor.extract(paths), gflop),
        "keras_gflops": (
            lambda: [
                plain(level)["features"].numpy()
                for pyramid_levels in pyramids
                for level in pyramid_levels
            ],
            gflop,
        ),
        "matmul_gflops": (
            lambda: tf.linalg.matmul(*matrices).numpy(),
            2e-9 * math.prod(MATRIX_SIZES),
        ),
    }
    seconds = best_seconds({name: run for name, (run, _) in contests.items()})
    figures = {
        name: work / seconds[name] for name, (_, work) in contests.items()
    }
    figures["images_per_second"] = len(paths) / seconds["gflops"]
    show(precision, figures)
    return figures


def random_matrices(precision):
    rows, inner, columns = MATRIX_SIZES
    dtype = tf.as_dtype(precision)
    return (
        tf.cast(tf.random.normal((rows, inner)), dtype),
        tf.cast(tf.random.normal((inner, columns)), dtype),
    )


def best_seconds(runs):
    """Returns the shortest time of each of the functions, by name."""
    for run in runs.values():
        run()
    best = dict.fromkeys(runs, math.inf)
    for _ in range(FLAGS.rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def show(precision, figures):
    share = figures["gflops"] / figures["matmul_gflops"]
    print(
        f"{precision}: {figures['images_per_second']:.2f} images/s, "
        f"{figures['gflops']:.0f} GFLOP/s, {share:.0%} of the matrix product's "
        f"{figures['matmul_gflops']:.0f}; plain Keras model "
        f"{figures['keras_gflops']:.0f}",
        flush=True,
    )


if __name__ == "__main__":
    app.run(main)
