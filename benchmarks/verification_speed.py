"""How fast is geometric verification, and does it lose inliers?

Compares delf_keras.matching.estimate_transform with the RANSAC of
scikit-image at 1000 trials, which the original DELF scripts use, on the same
putative matches of the same pairs of photographs: those that a search
verifies. Right pairs show one landmark, wrong pairs do not. Each side uses
one thread. An inlier is a putative match within 20 pixels of what the final
transform says, for both.

    python benchmarks/verification_speed.py --data=landmarks \
        --weights=resnet50_notop.h5

The folder holds jpg/ and a gnd_*.pkl in the layout of Revisited Oxford.
"""

import itertools
import statistics
import time
import warnings
from pathlib import Path

import cv2
import numpy as np
from absl import app, flags
from skimage.measure import ransac
from skimage.transform import AffineTransform
from tqdm import tqdm

from delf_keras import Extractor
from delf_keras.benchmarking.recording import record
from delf_keras.evaluation import load_revisited
from delf_keras.features.pca import to_descriptors
from delf_keras.features.pca_fitting import PcaOptions, fit_pca_on_features
from delf_keras.matching import estimate_transform, match_descriptors
from delf_keras.retrieval import SearchOptions

RESULTS = Path(__file__).parent / "results"
FLAGS = flags.FLAGS
flags.DEFINE_string("data", None, "Folder with jpg/ and gnd_*.pkl.")
flags.DEFINE_string("preset", "delf_resnet50_imagenet", "Preset.")
flags.DEFINE_string("weights", None, "ImageNet weights for the preset.")
flags.DEFINE_integer("max_image_size", 640, "Pixels of the longer side.")
flags.DEFINE_integer("pairs", 40, "Right pairs, and as many wrong ones.", 1)
flags.DEFINE_string("json", None, "File to write the figures to.")

THRESHOLD = 20.0
# A run takes less than the clock of a busy machine wavers by.
REPEATS = 5


def choose_pairs(truth, count):
    """Returns `count` right and as many wrong pairs of image names.

    The queries take turns, so that a landmark of many photographs has no more
    to say than the others.
    """
    rng = np.random.default_rng(0)
    images = np.arange(len(truth.image_names))
    turns = []
    for query, name in enumerate(truth.query_names):
        positive = np.concatenate([truth.easy[query], truth.hard[query]])
        related = np.concatenate([positive, truth.junk[query]])
        unrelated = rng.permutation(np.setdiff1d(images, related))
        turns.append(
            [
                tuple((name, truth.image_names[i]) for i in pair)
                for pair in zip(
                    rng.permutation(positive), unrelated, strict=False
                )
            ]
        )
    in_turn = itertools.chain(*itertools.zip_longest(*turns))
    chosen = [pair for pair in in_turn if pair is not None][:count]
    return [right for right, _ in chosen], [wrong for _, wrong in chosen]


def extract(folder, names):
    """Returns the locations (y, x) and descriptors of each photograph."""
    extractor = Extractor.from_preset(
        FLAGS.preset,
        weights=FLAGS.weights,
        pca=False,
        max_image_size=FLAGS.max_image_size,
    )
    paths = [folder / "jpg" / f"{name}.jpg" for name in names]
    results = extractor.extract_each(paths)
    features = [result for _, result in tqdm(results, "extract", len(paths))]
    pca = fit_pca_on_features(
        features, PcaOptions(), extractor.model_fingerprint
    )
    return {
        name: (each.locations, to_descriptors(each.descriptors, pca).numpy())
        for name, each in zip(names, features, strict=True)
    }


def putative_matches(one, other):
    """Returns the matched points (y, x) of both photographs."""
    rows, other_rows = match_descriptors(
        one[1], other[1], max_distance=SearchOptions().max_distance
    ).indices.T
    return one[0][rows], other[0][other_rows]


def by_delf_keras(a, b):
    return estimate_transform(a, b, threshold=THRESHOLD).transform


def by_skimage(a, b):
    with warnings.catch_warnings():
        # It warns where it finds no transform.
        warnings.simplefilter("ignore")
        model, _ = ransac(
            (a, b),
            AffineTransform,
            min_samples=3,
            residual_threshold=THRESHOLD,
            max_trials=1000,
            rng=0,
        )
    return model.params if model else None


def count_inliers(transform, a, b):
    """Counts the putative matches that the transform explains."""
    if transform is None or not np.isfinite(transform).all():
        return 0
    residuals = AffineTransform(matrix=transform).residuals(a, b)
    return int(np.count_nonzero(residuals <= THRESHOLD))


def measure(estimate, pair, repeats):
    """Returns the milliseconds that a pair takes, and its inliers."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        transform = estimate(*pair)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times), count_inliers(transform, *pair)


def compare(putatives):
    """Returns ours and theirs, milliseconds and inliers, for each pair."""
    # In turns, so that both meet the same load of the machine. Three matches
    # always agree: such a pair says nothing.
    return [
        (
            len(pair[0]),
            *measure(by_delf_keras, pair, REPEATS),
            *measure(by_skimage, pair, 1),
        )
        for pair in putatives
        if len(pair[0]) > 3
    ]


def summarize(measured):
    """Returns a dict of figures for one kind of pairs."""
    counts, ours, our_inliers, theirs, their_inliers = np.array(measured).T
    return {
        "pairs": len(measured),
        "mean_putatives": float(counts.mean()),
        "ms": float(ours.mean()),
        "skimage_ms": float(theirs.mean()),
        "speed_ratio": float(theirs.sum() / ours.sum()),
        "median_speed_ratio": float(np.median(theirs / ours)),
        "inliers": float(our_inliers.mean()),
        "skimage_inliers": float(their_inliers.mean()),
        "pairs_with_fewer_inliers": int((our_inliers < their_inliers).sum()),
        "pairs_with_more_inliers": int((our_inliers > their_inliers).sum()),
    }


def print_table(results):
    print(f"{'':26}" + "".join(f"{kind:>12}" for kind in results))
    for figure in next(iter(results.values())):
        values = [result[figure] for result in results.values()]
        row = "".join(
            f"{value:12d}" if isinstance(value, int) else f"{value:12.3f}"
            for value in values
        )
        print(f"{figure.replace('_', ' '):26}{row}")


def main(_):
    cv2.setNumThreads(1)
    folder = Path(FLAGS.data)
    ground_truth = load_revisited(next(folder.glob("gnd_*.pkl")))
    right, wrong = choose_pairs(ground_truth, FLAGS.pairs)
    names = sorted({name for pair in right + wrong for name in pair})
    features = extract(folder, names)
    measured = {
        kind: compare(
            [putative_matches(features[a], features[b]) for a, b in pairs]
        )
        for kind, pairs in (("right", right), ("wrong", wrong))
    }
    measured["all"] = measured["right"] + measured["wrong"]
    results = {kind: summarize(rows) for kind, rows in measured.items()}
    print_table(results)
    record("verification_speed", results, RESULTS, FLAGS.json)


if __name__ == "__main__":
    flags.mark_flag_as_required("data")
    app.run(main)
