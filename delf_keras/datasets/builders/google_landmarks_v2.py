"""`google_landmarks_v2`: the training photographs of Google Landmarks v2."""

import functools
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from delf_keras.datasets.builders.base import LandmarkBuilder, described
from delf_keras.datasets.builders.files import find_files, manual_folder
from delf_keras.datasets.builders.landmark_shards import (
    Member,
    check_archives,
    list_members,
)
from delf_keras.datasets.builders.landmark_table import (
    photograph_id,
    read_clean_table,
    read_landmark_names,
    read_train_table,
)
from delf_keras.datasets.published import Published
from delf_keras.parallel import ordered_map

URL = "https://s3.amazonaws.com/google-landmark"
NUM_ARCHIVES = 500

_PHOTOGRAPHS_AHEAD = 8

_TABLES = {
    "full": ("train.csv", read_train_table),
    "clean": ("train_clean.csv", read_clean_table),
}


class GoogleLandmarksV2(LandmarkBuilder, tfds.core.ShardBasedBuilder):
    """Google Landmarks v2: 4.1 million photographs of 203094 landmarks.

    The split `train`, whole or cleaned, with a shard for each of the 500
    archives of about 1 GB, which are downloaded unless some of them, or their
    photographs, are given as `manual_dir`. Labels number the landmarks of the
    table in the order of their ids; names of classes are an id and its
    category of Wikimedia, as `142820:Eiffel_Tower`.
    """

    VERSION = tfds.core.Version("2.1.0")
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(
            name="full", description="All photographs of train.csv."
        ),
        tfds.core.BuilderConfig(
            name="clean", description="The photographs of train_clean.csv."
        ),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put train.csv or train_clean.csv, train_label_to_category.csv and the "
        "archives images_000.tar to images_499.tar, some or all, or what was "
        "extracted from them as train/a/b/c/ID.jpg, into a folder and give it "
        "as manual_dir."
    )

    def _info(self):
        return described(
            self,
            {
                "image": tfds.features.Image(encoding_format="jpeg"),
                "label": tfds.features.ClassLabel(),
                "id": tfds.features.Text(),
                "landmark_id": tfds.features.Scalar(np.int64),
            },
            supervised_keys=("image", "label"),
            homepage="https://github.com/cvdfoundation/google-landmark",
            license=(
                "Annotations: CC BY 4.0. Photographs: Creative Commons "
                "licences without NonDerivs, see train_attribution.csv."
            ),
            citation="""@inproceedings{weyand2020GLDv2,
  author = {Weyand, Tobias and Araujo, Andre and Cao, Bingyi and Sim, Jack},
  title = {Google Landmarks Dataset v2 - A Large-Scale Benchmark for
           Instance-Level Recognition and Retrieval},
  booktitle = {CVPR},
  year = {2020},
}""",
        )

    def _shard_iterators_per_split(self, dl_manager):
        name, read = _TABLES[self.builder_config.name]
        tables = Published(
            url=f"{URL}/metadata",
            names=(name, "train_label_to_category.csv"),
            folder="metadata",
        )
        path, names_path = find_files(dl_manager, tables, self)
        table, names = read(path), read_landmark_names(names_path)
        self.info.features["label"].names = [
            f"{landmark}:{names[landmark]}"
            if landmark in names
            else f"{landmark}"
            for landmark in table.landmark_ids.tolist()
        ]
        self._listed = len(table)
        shards = self._find_shards(dl_manager)
        examples = [
            functools.partial(self._examples, table, shard) for shard in shards
        ]
        return {"train": _Reported(examples, self.progress)}

    def _download_and_prepare(self, dl_manager, download_config=None):
        super()._download_and_prepare(dl_manager, download_config)
        found = self.info.splits["train"].num_examples
        if not found:
            raise ValueError(
                "Archives must hold photographs that the table lists. "
                f"Received: none of {self._listed}"
            )
        if found < self._listed:
            logging.warning(
                "%s: %d of the %d photographs of the table are there.",
                self.info.full_name,
                found,
                self._listed,
            )

    def _find_shards(self, dl_manager):
        """Returns archives, or folders a/b of photographs, as `Path`."""
        manual = manual_folder(dl_manager)
        places = [manual / "train", manual] if manual else []
        for place in places:
            if found := sorted(place.glob("images_[0-9][0-9][0-9].tar")):
                sums = [place / _checksum_name(path.stem) for path in found]
                self._check(found, sums)
                return found
        for place in places:
            if found := sorted(filter(Path.is_dir, place.glob("?/?"))):
                return found
        stems = [f"images_{number:03}" for number in range(NUM_ARCHIVES)]
        archives, sums = (
            find_files(dl_manager, Published(url, names, "train"), self)
            for url, names in (
                (f"{URL}/train", [f"{stem}.tar" for stem in stems]),
                (f"{URL}/md5sum/train", [*map(_checksum_name, stems)]),
            )
        )
        self._check(archives, sums)
        return archives

    def _check(self, archives, checksums):
        """Checks the archives whose checksum is at hand."""
        pairs = [
            (archive, checksum)
            for archive, checksum in zip(archives, checksums, strict=True)
            if checksum.is_file()
        ]
        check_archives(pairs, self.workers, self.progress)

    def _examples(self, table, shard):
        """Yields the photographs of a shard that the table lists."""
        members = list_members(shard)
        ids = [photograph_id(member.name) for member in members]
        labels = table.find(ids)
        listed = np.flatnonzero(labels >= 0).tolist()
        with ThreadPoolExecutor(self.workers) as pool:
            photographs = ordered_map(
                pool,
                Member.read,
                (members[index] for index in listed),
                _PHOTOGRAPHS_AHEAD * self.workers,
            )
            for index, photograph in zip(listed, photographs, strict=True):
                yield (
                    ids[index],
                    {
                        "image": _Once(photograph),
                        "label": labels[index],
                        "id": ids[index],
                        "landmark_id": table.landmark_ids[labels[index]],
                    },
                )


class _Reported(list):
    """A list that says how far it is when it is gone through."""

    def __init__(self, items, progress):
        super().__init__(items)
        self._progress = progress

    def __iter__(self):
        return iter(self._progress(super().__iter__(), len(self), "archives"))


class _Once:
    """A file that is read once.

    TFDS keeps the examples of a shard until it is written, which need not be
    the bytes of a gigabyte of photographs.
    """

    def __init__(self, contents):
        self._contents = contents

    def read(self):
        contents, self._contents = self._contents, None
        return contents


def _checksum_name(stem):
    return f"md5.{stem}.txt"
