"""Data sets for TensorFlow Datasets; importing this registers them.

import delf_keras.datasets.builders
import tensorflow_datasets as tfds

views = tfds.load("synthetic_landmarks/tiny", split="train")
"""

try:
    import tensorflow_datasets  # noqa: F401
except ImportError as error:
    raise ImportError(
        "Data sets are built by TensorFlow Datasets, which is not installed: "
        f'pip install "delf-keras[tfds]". Received: {error}'
    ) from error

from delf_keras.datasets.builders.google_landmarks_v2 import (
    GoogleLandmarksV2,
)
from delf_keras.datasets.builders.landmarks_folder import LandmarksFolder
from delf_keras.datasets.builders.oxford5k import Oxford5k
from delf_keras.datasets.builders.paris6k import Paris6k
from delf_keras.datasets.builders.roxford5k import Roxford5k
from delf_keras.datasets.builders.rparis6k import Rparis6k
from delf_keras.datasets.builders.synthetic_landmarks import (
    SyntheticLandmarks,
    SyntheticLandmarksConfig,
)

BUILDERS = (
    SyntheticLandmarks,
    LandmarksFolder,
    GoogleLandmarksV2,
    Oxford5k,
    Paris6k,
    Roxford5k,
    Rparis6k,
)

__all__ = [
    "BUILDERS",
    "GoogleLandmarksV2",
    "LandmarksFolder",
    "Oxford5k",
    "Paris6k",
    "Roxford5k",
    "Rparis6k",
    "SyntheticLandmarks",
    "SyntheticLandmarksConfig",
]
