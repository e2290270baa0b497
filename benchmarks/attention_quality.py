"""Trained attention against norm attention, on landmarks it has not seen.

The landmarks of a folder of photographs are split in two halves. Attention is
trained on the photographs of one half, from several seeds, and all queries are
searched in the whole database; those of the other half tell what the attention
is worth. The folder holds `jpg/`, `labels.csv` (columns file and landmark) and
a ground truth `gnd_*.pkl` in the layout of Revisited Oxford and Paris.

    python benchmarks/attention_quality.py --data=landmarks \
        --weights=resnet50_notop.h5 --work_dir=work
"""

import csv
from pathlib import Path

import keras
import numpy as np
from absl import app, flags
from tqdm import tqdm

from delf_keras import Extractor
from delf_keras.benchmarking.recording import record
from delf_keras.datasets.augmentation import Augmentation
from delf_keras.datasets.benchmark_files import find_ground_truth
from delf_keras.datasets.labelled_images import LabelledImages
from delf_keras.evaluation import load_revisited
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.models import Delf
from delf_keras.training import pipeline
from delf_keras.training.finishing import trained_delf
from delf_keras.training.loop import TrainingData, train
from delf_keras.training.options import TrainingOptions
from delf_keras.training.retrieval_quality import evaluate_retrieval
from delf_keras.training.stages import compile_classifier, make_classifier

RESULTS = Path(__file__).parent / "results"
FLAGS = flags.FLAGS
flags.DEFINE_string("data", None, "Folder with jpg/, labels.csv, gnd_*.pkl.")
flags.DEFINE_string("preset", "delf_resnet50_imagenet", "Preset.")
flags.DEFINE_string("weights", None, "ImageNet weights for the preset.")
flags.DEFINE_list("seeds", ["0", "1", "2"], "Seeds of the attention.")
flags.DEFINE_integer("epochs", 10, "Epochs.")
flags.DEFINE_integer("image_size", 288, "Side of a crop in training.")
flags.DEFINE_integer("batch_size", 8, "Crops of a batch.")
flags.DEFINE_float("learning_rate", 1e-3, "Learning rate.")
flags.DEFINE_string("pooling", "sum", "sum or mean.")
flags.DEFINE_integer("max_image_size", 320, "Longer side in the search.")
flags.DEFINE_integer("max_features", 300, "Features of a photograph.")
flags.DEFINE_string("work_dir", None, "Where runs and features are kept.")
flags.DEFINE_string("json", None, "File to write the figures to.")


def main(_):
    data = Path(FLAGS.data)
    landmark_of = read_labels(data / "labels.csv")
    halves = split_landmarks(sorted(set(landmark_of.values())))
    delf = Delf.from_preset(FLAGS.preset, FLAGS.weights)
    images = labelled(data, landmark_of, halves["seen"])
    print(f"Training on {len(images)} photographs of {images.num_classes}")
    figures = {
        name: FLAGS[name].value
        for name in ("preset", "epochs", "image_size", "batch_size")
        + ("learning_rate", "pooling", "max_image_size", "max_features")
    }
    figures["norm"] = evaluate(delf, data, landmark_of, halves, "norm")
    runs = []
    for seed in map(int, FLAGS.seeds):
        trained = train_attention(delf, images, seed)
        name = f"seed {seed}"
        runs.append(evaluate(trained, data, landmark_of, halves, name))
        figures[f"seed_{seed}"] = runs[-1]
    for half in halves:
        for protocol in "EMH":
            values = [run[half][protocol] for run in runs]
            print(
                f"{half} {protocol}: norm {figures['norm'][half][protocol]:.2f}"
                f", trained {np.mean(values):.2f} +- {np.std(values):.2f}"
            )
    record("attention_quality", figures, RESULTS, FLAGS.json)


def read_labels(path):
    """Returns a dict of the name of a photograph to its landmark."""
    with open(path, newline="") as file:
        return {
            Path(row["file"]).stem: row["landmark"]
            for row in csv.DictReader(file)
        }


def split_landmarks(landmarks):
    """Returns the landmarks to train on, and those that are not seen."""
    order = np.random.default_rng(0).permutation(len(landmarks))
    half = len(landmarks) // 2
    return {
        "seen": {landmarks[i] for i in order[:half]},
        "unseen": {landmarks[i] for i in order[half:]},
    }


def labelled(data, landmark_of, landmarks):
    """Returns the `LabelledImages` of some landmarks."""
    names = sorted(n for n in landmark_of if landmark_of[n] in landmarks)
    classes = sorted(landmarks)
    return LabelledImages.from_files(
        [str(data / "jpg" / f"{name}.jpg") for name in names],
        [classes.index(landmark_of[name]) for name in names],
        classes,
    )


def train_attention(delf, images, seed):
    """Trains attention on a frozen backbone, and returns the `Delf`."""
    keras.utils.set_random_seed(seed)
    options = TrainingOptions(
        "attention",
        epochs=FLAGS.epochs,
        optimizer="adam",
        learning_rate=FLAGS.learning_rate,
        schedule="cosine",
        pooling=FLAGS.pooling,
        seed=seed,
    )
    views = pipeline.PipelineOptions(
        image_size=FLAGS.image_size,
        resize_size=FLAGS.image_size * 9 // 8,
        batch_size=FLAGS.batch_size,
        seed=seed,
        gammas=(1.0, 0.7071, 0.5),
        augmentation=Augmentation(crop="area", min_area=0.25, colour=0.4),
    )
    length = options.epoch_length(len(images), views.batch_size)
    classifier = make_classifier(delf, options, images.num_classes)
    compile_classifier(classifier, options, options.epochs * length)
    state = train(
        classifier,
        TrainingData(
            lambda first, steps: pipeline.training_batches(
                images, views, first, steps
            ),
            names=lambda step: [],
        ),
        options.epochs,
        length,
        Path(FLAGS.work_dir) / f"seed_{seed}",
    )
    for epoch, metrics in enumerate(state.history, start=1):
        print(f"seed {seed}, epoch {epoch}: {metrics}", flush=True)
    return trained_delf(classifier)


def evaluate(delf, data, landmark_of, halves, name):
    """Returns mAP in percent of each half's queries."""
    options = ExtractionOptions(
        max_features=FLAGS.max_features, max_image_size=FLAGS.max_image_size
    )
    extractor = Extractor(delf, options=options)
    results = evaluate_retrieval(
        extractor,
        data,
        # Quantizing would add noise to what is compared.
        factory="exact",
        work_folder=FLAGS.work_dir,
        progress=lambda iterable, total, label: tqdm(
            iterable, label, total, disable=None
        ),
    )
    queries = load_revisited(find_ground_truth(data)).query_names
    figures = {}
    for half, landmarks in halves.items():
        chosen = [landmark_of[query] in landmarks for query in queries]
        figures[half] = {
            protocol: 100 * float(np.nanmean(result.average_precision[chosen]))
            for protocol, result in results.items()
        }
    print(f"{name}: {figures}", flush=True)
    return figures


if __name__ == "__main__":
    flags.mark_flags_as_required(["data", "work_dir"])
    app.run(main)
