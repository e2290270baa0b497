"""How fast is geometric verification, and does it lose inliers?

Compares delf_keras.matching.estimate_transform with the RANSAC of
scikit-image at 1000 trials, which the original DELF scripts use, on the same
putative matches of the same pairs of photographs: SIFT, mutual nearest
neighbours, ratio test. Right pairs show one landmark, wrong pairs do not. Each
side uses one thread. An inlier is a putative match within 20 pixels of what
the final transform says, for both.

    python benchmarks/verification_speed.py --data=FOLDER

FOLDER holds jpg/ and a gnd_*.pkl in the layout of Revisited Oxford.
"""

import functools
import itertools
import json
import os
import platform
import statistics
import time
import warnings
from pathlib import Path

import cv2
import numpy as np
import skimage
from absl import app, flags
from skimage.measure import ransac
from skimage.transform import AffineTransform

from delf_keras.atomic import atomic_path
from delf_keras.evaluation import load_revisited
from delf_keras.matching import estimate_transform, match_descriptors

_DATA = flags.DEFINE_string(
    "data", None, "Folder with jpg/ and gnd_*.pkl.", required=True
)
_JSON = flags.DEFINE_string("json", None, "File to write the figures to.")
_PAIRS = flags.DEFINE_integer(
    "pairs", 50, "Number of right pairs, and of wrong ones.", lower_bound=1
)
_MAX_IMAGE_SIZE = flags.DEFINE_integer(
    "max_image_size", 1024, "Longest side of the photographs.", lower_bound=1
)
_MAX_RATIO = flags.DEFINE_float(
    "max_ratio", 0.8, "Ratio test of the putative matches.", 0, 1
)

THRESHOLD = 20.0
FEATURES = 1000
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


@functools.cache
def sift(path, max_image_size):
    """Returns locations (y, x) and descriptors."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise FileNotFoundError(f"Expected a photograph. Received: {path}")
    shrink = max_image_size / max(image.shape)
    if shrink < 1:
        image = cv2.resize(
            image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA
        )
    keypoints, descriptors = cv2.SIFT_create(FEATURES).detectAndCompute(
        image, None
    )
    if descriptors is None:
        return np.zeros((0, 2)), np.zeros((0, 128))
    return np.array([point.pt[::-1] for point in keypoints]), descriptors


def putative_matches(path_a, path_b):
    """Returns the matched points (y, x) of both photographs."""
    locations_a, descriptors_a = sift(path_a, _MAX_IMAGE_SIZE.value)
    locations_b, descriptors_b = sift(path_b, _MAX_IMAGE_SIZE.value)
    rows_a, rows_b = match_descriptors(
        descriptors_a, descriptors_b, max_ratio=_MAX_RATIO.value
    ).indices.T
    return locations_a[rows_a], locations_b[rows_b]


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


def measure(estimate, putatives, repeats):
    """Returns milliseconds and inliers for each pair."""
    milliseconds, inliers = [], []
    for a, b in putatives:
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            transform = estimate(a, b)
            times.append(1e3 * (time.perf_counter() - start))
        milliseconds.append(statistics.median(times))
        inliers.append(count_inliers(transform, a, b))
    return np.array(milliseconds), np.array(inliers)


def compare(putatives):
    """Returns a dict of figures for one kind of pairs."""
    # Three matches always agree: such a pair says nothing.
    enough = [pair for pair in putatives if len(pair[0]) > 3]
    ours, our_inliers = measure(by_delf_keras, enough, REPEATS)
    theirs, their_inliers = measure(by_skimage, enough, 1)
    return {
        "pairs": len(enough),
        "mean_putatives": float(np.mean([len(a) for a, _ in enough])),
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


def write_json(path, results):
    content = {
        "max_ratio": _MAX_RATIO.value,
        "max_image_size": _MAX_IMAGE_SIZE.value,
        "threshold": THRESHOLD,
        "results": results,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "opencv": cv2.__version__,
        "scikit_image": skimage.__version__,
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def main(_):
    cv2.setNumThreads(1)
    folder = Path(_DATA.value)
    truths = sorted(folder.glob("gnd_*.pkl"))
    if len(truths) != 1:
        raise app.UsageError(f"--data must hold one gnd_*.pkl: {folder}")
    kinds = choose_pairs(load_revisited(truths[0]), _PAIRS.value)
    results = {}
    for kind, pairs in zip(("right", "wrong"), kinds, strict=True):
        putatives = [
            putative_matches(*(folder / "jpg" / f"{name}.jpg" for name in pair))
            for pair in pairs
        ]
        results[f"{kind} pairs"] = compare(putatives)
    print_table(results)
    if _JSON.value:
        write_json(_JSON.value, results)


if __name__ == "__main__":
    app.run(main)
