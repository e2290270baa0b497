"""What the benchmarks of retrieval have in common."""

import os
from dataclasses import dataclass

import tensorflow_datasets as tfds
from PIL import Image

from delf_keras.datasets.builders.base import (
    LandmarkBuilder,
    described,
    exact_floats,
)
from delf_keras.datasets.builders.files import find_contents
from delf_keras.datasets.published import Published

_LICENSE = (
    "The photographs are by users of Flickr, under Flickr's terms of use and "
    "the terms of access of the Visual Geometry Group; faces are blurred."
)


@dataclass(frozen=True)
class Photograph:
    """One example of a benchmark.

    Attributes:
        name: Of the photograph, without ".jpg".
        query: Name of the query; empty for a photograph of the database.
        box: The landmark: left, top, right, bottom in pixels. None for all of
            the photograph.
        labels: dict of label to names of photographs.
    """

    name: str
    labels: dict[str, list[str]]
    query: str = ""
    box: tuple[float, float, float, float] | None = None


class RetrievalBuilder(
    LandmarkBuilder, tfds.core.GeneratorBasedBuilder, skip_registration=True
):
    """A database of photographs, and queries with what they should find.

    Attributes:
        PHOTOGRAPHS: `Published` archives of the photographs.
        LABELS: What the ground truth may say of a photograph and a query.
        HOMEPAGE: str.
        CITATION: str, BibTeX.
    """

    PHOTOGRAPHS: Published
    LABELS: tuple[str, ...]
    HOMEPAGE: str
    CITATION: str

    def read_ground_truth(self, dl_manager, names):
        """Reads which photographs are searched, and for what.

        Args:
            dl_manager: `tfds.download.DownloadManager`.
            names: list of str. The photographs that there are, sorted.

        Returns:
            Names of the photographs of the database, in order, and a list of
            `Photograph` of the queries.
        """
        raise NotImplementedError

    def _info(self):
        return described(
            self,
            {
                "image": tfds.features.Image(encoding_format="jpeg"),
                "name": tfds.features.Text(),
                "query": tfds.features.Text(),
                "box": exact_floats(4),
                **{
                    label: tfds.features.Sequence(tfds.features.Text())
                    for label in self.LABELS
                },
            },
            # Rankings refer to the database by position.
            disable_shuffling=True,
            homepage=self.HOMEPAGE,
            citation=self.CITATION,
            license=_LICENSE,
        )

    def _split_generators(self, dl_manager):
        folders = find_contents(dl_manager, self.PHOTOGRAPHS, self)
        paths = {
            path.stem: path
            for folder in folders
            for path in sorted(folder.rglob("*.jpg"))
        }
        names, queries = self.read_ground_truth(dl_manager, sorted(paths))
        nothing = {label: [] for label in self.LABELS}
        database = [Photograph(name, nothing) for name in names]
        _check_complete(paths, database + queries, folders)
        return {
            "database": self._generate_examples(paths, database, "database"),
            "query": self._generate_examples(paths, queries, "query"),
        }

    def _generate_examples(self, paths, photographs, split):
        each = self.progress(photographs, len(photographs), split)
        for index, photograph in enumerate(each):
            path = os.fspath(paths[photograph.name])
            yield (
                index,
                {
                    "image": path,
                    "name": photograph.name,
                    "query": photograph.query,
                    "box": photograph.box or _whole(path),
                    **photograph.labels,
                },
            )


def _check_complete(paths, photographs, folders):
    missing = sorted({each.name for each in photographs} - {*paths})
    if missing:
        raise ValueError(
            f"The ground truth names {len(missing)} photographs that are not "
            f"there, the first {missing[0]}.jpg. Received: {len(paths)} "
            f"photographs in {', '.join(map(str, folders))}"
        )


def _whole(path):
    try:
        with Image.open(path) as image:
            return (0.0, 0.0, *map(float, image.size))
    except OSError as error:
        raise ValueError(
            f"A photograph must be a JPEG file. Received: {path} ({error})"
        ) from error
