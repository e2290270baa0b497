"""`landmarks_folder`: photographs of one's own."""

import io
import os

import tensorflow_datasets as tfds

from delf_keras.datasets.builders.base import LandmarkBuilder, described
from delf_keras.datasets.builders.files import manual_folder
from delf_keras.datasets.folders import read_folder
from delf_keras.features.pillow_formats import for_tensorflow


class LandmarksFolder(LandmarkBuilder, tfds.core.GeneratorBasedBuilder):
    """Photographs of your own, a folder for each landmark.

    The folder that is given as `manual_dir` has a subfolder of photographs for
    each class, or `train` and `val` with such subfolders, which become the
    splits `train` and `validation`. Several data sets go by names of their
    own, as `landmarks_folder/castles`.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Give the folder of photographs as manual_dir: it has a subfolder for "
        "each class, or train and val with such subfolders."
    )

    def _info(self):
        return described(
            self,
            {
                "image": tfds.features.Image(),
                "label": tfds.features.ClassLabel(),
                "file": tfds.features.Text(doc="Relative to the folder."),
            },
            supervised_keys=("image", "label"),
            license="That of the photographs.",
        )

    def _split_generators(self, dl_manager):
        folder = manual_folder(dl_manager)
        if folder is None:
            raise FileNotFoundError(
                f"{self.MANUAL_DOWNLOAD_INSTRUCTIONS} Received: none, or an "
                "empty one"
            )
        train, validation = read_folder(folder)
        self.info.features["label"].names = list(train.class_names)
        splits = {"train": self._generate_examples(folder, train, "train")}
        if validation is not None:
            splits["validation"] = self._generate_examples(
                folder, validation, "validation"
            )
        return splits

    def _generate_examples(self, folder, images, split):
        indices = self.progress(range(len(images)), len(images), split)
        for index in indices:
            # As bytes, of which not all are text.
            file = os.fsencode(images.name(index).removeprefix(f"{folder}/"))
            yield (
                file,
                {
                    "image": io.BytesIO(for_tensorflow(images.read(index))),
                    "label": images.labels[index],
                    "file": file,
                },
            )
