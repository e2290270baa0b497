"""The image index: photographs in, ranked photographs out."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from delf_keras.features.extractor import Extractor
from delf_keras.features.graph import ExtractionOptions
from delf_keras.features.local_features import LocalFeatures
from delf_keras.retrieval import index_files
from delf_keras.retrieval.descriptor_index import DescriptorIndex
from delf_keras.retrieval.image_store import ImageStore
from delf_keras.retrieval.reranking import (
    SearchOptions,
    VerifiedMatches,
    combine_scores,
    verify_candidates,
)
from delf_keras.retrieval.voting import vote

# Photographs of different places share a dozen matches by chance, rarely more.
VERIFIED_INLIERS = 20


@dataclass(frozen=True, eq=False)
class SearchResult:
    """An image of the database that a search found.

    Attributes:
        name: The name under which it was indexed.
        path: `Path` of the photograph.
        score: What it is ranked by.
        votes: The part of the score that its neighbours gave.
        matches: `VerifiedMatches` with the query.
    """

    name: str
    path: Path
    score: float
    votes: float
    matches: VerifiedMatches

    @property
    def num_inliers(self):
        """Number of matches with the query that obey one transform."""
        return len(self.matches)

    @property
    def verified(self):
        """Whether the inliers are more than chance would give."""
        return self.num_inliers >= VERIFIED_INLIERS


@dataclass(frozen=True, eq=False)
class ImageIndex:
    """A database of photographs that can be searched by photograph.

    Attributes:
        extractor_source: `Extractor`, or the `Path` of its preset folder,
            which is loaded when a photograph is first searched for; or the
            `Client` of a server that extracted, of which a folder keeps the
            address, a str.
        fingerprint: The descriptor space of the database.
        root: `Path` that names are relative to.
        store: `ImageStore`.
        descriptor_index: `DescriptorIndex`.
        extraction: `ExtractionOptions` of the photographs.

    Example:

    ```python
    extractor = delf_keras.Extractor.from_preset("delf_resnet50_imagenet")
    index = delf_keras.ImageIndex.build("photographs", extractor)
    index.save("index")
    for result in index.search("query.jpg", top=5):
        print(result.path, result.score, result.num_inliers)
    ```

    Reference:
        Noh et al., arXiv 1612.06321, section 4.4.
    """

    extractor_source: object
    fingerprint: str
    root: Path
    store: ImageStore
    descriptor_index: DescriptorIndex
    extraction: ExtractionOptions

    @classmethod
    def build(cls, photographs, extractor, **options):
        """Indexes photographs.

        Args:
            photographs: The folder of the photographs, with its subfolders,
                or a list of paths.
            extractor: `Extractor`. Where it has no PCA, one is fitted.
            **options: See `delf_keras.retrieval.building.build_index`.

        Returns:
            `ImageIndex`. What could not be used is logged; `build_index`
            returns it as well.
        """
        from delf_keras.retrieval.building import build_index

        return build_index(photographs, extractor, **options).index

    @classmethod
    def load(cls, folder):
        """Opens an index folder.

        Raises:
            FileNotFoundError: if there is no index.
            ValueError: if it is damaged, or of another format version.
        """
        return index_files.load_index(cls, Path(folder))

    def save(self, folder):
        """Writes the index as a folder that needs nothing beside it.

        Only the photographs themselves stay where they are.

        Args:
            folder: str or `Path`. A folder that does not exist yet.

        Raises:
            FileExistsError: if the folder exists.
        """
        index_files.save_index(self, Path(folder))

    def __len__(self):
        return len(self.store)

    @cached_property
    def extractor(self):
        """The `Extractor` that queries must come from."""
        if isinstance(self.extractor_source, str):
            raise ValueError(
                "The index was built through a server or a module and has no "
                "preset: search with --server or --tfhub, or for features. "
                f"Received: an index from {self.extractor_source}"
            )
        if not isinstance(self.extractor_source, Path):
            return self.extractor_source
        extractor = Extractor.from_preset(
            self.extractor_source, **vars(self.extraction)
        )
        self._check_fingerprint(extractor.fingerprint)
        return extractor

    def search(self, query, top=10, options=None):
        """Finds the photographs of the database that show the same place.

        Args:
            query: A path, a uint8 array `[height, width, 3]`, or the
                `LocalFeatures` of a photograph.
            top: int. How many to return at most.
            options: `SearchOptions`.

        Returns:
            list of `SearchResult`, best first. Images without a vote are not
            among them.

        Raises:
            ValueError: if the query's features are of another descriptor
                space.
            ImageError: if the query cannot be used.
        """
        votes, scores, verified = self._score(query, options)
        order = np.argsort(-scores, kind="stable")[:top]
        return [
            self._result(image, votes, scores, verified)
            for image in order
            if votes[image] > 0
        ]

    def rank(self, query, options=None):
        """Ranks the whole database.

        Args:
            query: See `search`.
            options: `SearchOptions`.

        Returns:
            int64 `[num_images]`, the images from best to worst.
        """
        _, scores, _ = self._score(query, options)
        return np.argsort(-scores, kind="stable")

    def _score(self, query, options):
        options = options or SearchOptions()
        if not isinstance(query, LocalFeatures):
            query = self.extractor.extract(query)
        self._check_fingerprint(query.fingerprint)
        if not len(query):
            votes = np.zeros(len(self))
            return votes, votes, {}
        distances, rows = self.descriptor_index.search(
            query.descriptors, options.neighbors
        )
        votes = vote(distances, self.store.image_ids(rows), len(self))
        verified = verify_candidates(query, votes, self.store, options)
        return votes, combine_scores(votes, verified), verified

    def _result(self, image, votes, scores, verified):
        name = self.store.names[image]
        empty = np.zeros((0, 2), np.float32)
        return SearchResult(
            name=name,
            path=self.root / name,
            score=float(scores[image]),
            votes=float(votes[image]),
            matches=verified.get(
                int(image), VerifiedMatches(None, empty, empty)
            ),
        )

    def _check_fingerprint(self, fingerprint):
        if fingerprint != self.fingerprint:
            raise ValueError(
                "The query must be of the descriptor space that was indexed, "
                f"{self.fingerprint}. Received: {fingerprint or 'unknown'}"
            )
