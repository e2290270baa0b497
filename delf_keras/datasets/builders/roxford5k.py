"""`roxford5k`: Oxford, revisited."""

import tensorflow_datasets as tfds

from delf_keras.datasets import published
from delf_keras.datasets.builders.revisited import RevisitedBuilder


class Roxford5k(RevisitedBuilder):
    """Revisited Oxford: 4993 photographs, 70 queries; easy, medium, hard.

    The split `database` has the photographs to search, in the order of the
    ground truth, as rankings for `evaluate_revisited` count them; `query` has
    those to search for, with a `box` (left, top, right, bottom in pixels) that
    they must be cropped to, and the names of the photographs that are easy or
    hard to find and of those that count neither way (junk). Faces are blurred.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put oxbuild_images-v1.tgz, or its photographs in a folder jpg, and "
        "gnd_roxford5k.pkl into a folder and give it as manual_dir."
    )
    PHOTOGRAPHS = published.PHOTOGRAPHS["oxford5k"]
    GROUND_TRUTH = published.GROUND_TRUTH["roxford5k"]
