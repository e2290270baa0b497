"""`synthetic_landmarks`: views of buildings that nobody had to take."""

import dataclasses
import io

import numpy as np
import tensorflow_datasets as tfds

from delf_keras.datasets.builders.base import (
    LandmarkBuilder,
    described,
    exact_floats,
)
from delf_keras.datasets.synthetic.photographs import SEEDS_PER_SET
from delf_keras.datasets.synthetic.rendering import (
    render_distractors,
    render_landmarks,
)


@dataclasses.dataclass(eq=False, kw_only=True)
class SyntheticLandmarksConfig(tfds.core.BuilderConfig):
    """How many photographs are rendered of what.

    Attributes:
        num_landmarks: int.
        train_views: int. Views of each landmark for training.
        validation_views: int. Other views of each landmark, which stay the
            same when `train_views` changes.
        num_distractors: int.
        size: (height, width), pixels, each at least 96.
        seed: int. Each seed has other landmarks and distractors, and so has
            each config here; those of `write_photographs` with seed 0 are the
            demonstration's.
    """

    num_landmarks: int
    train_views: int
    validation_views: int
    num_distractors: int
    size: tuple[int, int]
    seed: int = 1


class SyntheticLandmarks(LandmarkBuilder, tfds.core.GeneratorBasedBuilder):
    """Views of buildings, rendered here: no download.

    Each class is a building, seen in perspective, at different hours, behind
    people, cars and trees. The splits `train` and `validation` have the same
    classes and different views; `distractors`, with label -1, shows things
    that are no landmarks. `homography` maps homogeneous pixels (y, x, 1) of
    `render_landmark(landmark_seed)` to pixels (y, x, 1) of the photograph, and
    is NaN for a distractor, as its `landmark_seed` is -1.
    """

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [
        SyntheticLandmarksConfig(
            name="default",
            description="500 landmarks at 240x320: to train a model.",
            num_landmarks=500,
            train_views=10,
            validation_views=2,
            num_distractors=200,
            size=(240, 320),
        ),
        SyntheticLandmarksConfig(
            name="small",
            description="40 landmarks at 240x320: to try out.",
            num_landmarks=40,
            train_views=20,
            validation_views=4,
            num_distractors=120,
            size=(240, 320),
            seed=2,
        ),
        SyntheticLandmarksConfig(
            name="tiny",
            description="8 landmarks at 160x208: rendered in seconds.",
            num_landmarks=8,
            train_views=10,
            validation_views=2,
            num_distractors=12,
            size=(160, 208),
            seed=3,
        ),
    ]

    def _info(self):
        classes = range(self.builder_config.num_landmarks)
        return described(
            self,
            {
                "image": tfds.features.Image(encoding_format="jpeg"),
                "label": tfds.features.ClassLabel(
                    names=[f"landmark_{number:04}" for number in classes]
                ),
                "landmark_seed": tfds.features.Scalar(np.int64),
                "view_seed": tfds.features.Scalar(np.int64),
                "homography": exact_floats(3, 3),
            },
            supervised_keys=("image", "label"),
            license="Apache-2.0",
        )

    def _split_generators(self, dl_manager):
        config = self.builder_config
        first = self._first_seed
        views = config.validation_views + config.train_views
        landmarks = range(first, first + config.num_landmarks)
        distractors = range(first, first + config.num_distractors)
        of_split = {
            "train": (landmarks, range(config.validation_views, views)),
            "validation": (landmarks, range(config.validation_views)),
        }
        splits = {
            name: self._generate_examples(
                render_landmarks(*seeds, config.size, self.workers),
                len(seeds[0]) * len(seeds[1]),
                name,
            )
            for name, seeds in of_split.items()
            if seeds[1]
        }
        if distractors:
            splits["distractors"] = self._generate_examples(
                render_distractors(distractors, config.size, self.workers),
                len(distractors),
                "distractors",
            )
        return splits

    @property
    def _first_seed(self):
        return self.builder_config.seed * SEEDS_PER_SET

    def _generate_examples(self, photographs, total, split):
        for each in self.progress(photographs, total, f"render {split}"):
            is_landmark = each.landmark_seed >= 0
            label = each.landmark_seed - self._first_seed if is_landmark else -1
            yield (
                f"{each.landmark_seed}_{each.view_seed}",
                {
                    "image": io.BytesIO(each.jpeg),
                    "label": label,
                    "landmark_seed": each.landmark_seed,
                    "view_seed": each.view_seed,
                    "homography": each.homography,
                },
            )
