"""The image index: photographs in, ranked photographs out."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.extractor import Extractor
from delf_keras.features.local_features import LocalFeatures
from delf_keras.retrieval.database import Database
from delf_keras.retrieval.expansion import expand
from delf_keras.retrieval.first_scores import FirstScores, score_images
from delf_keras.retrieval.index_files import (
    Version,
    copied_index,
    open_index,
)
from delf_keras.retrieval.reranking import (
    NO_MATCHES,
    VerifiedMatches,
    combine_scores,
    verify_candidates,
)
from delf_keras.retrieval.roots import path_in
from delf_keras.retrieval.search_threads import map_queries
from delf_keras.search_options import SearchOptions

# Of a thousand photographs of different places, one shares so many matches.
VERIFIED_INLIERS = 30


@dataclass(frozen=True, eq=False)
class SearchResult:
    """An image of the database that a search found.

    Attributes:
        name: The name under which it was indexed.
        path: `Path` of the photograph; a str, its URL, where Beam indexed
            what is elsewhere.
        score: What it is ranked by.
        votes: Its score before verification.
        matches: `VerifiedMatches` with the query.
    """

    name: str
    path: Path | str
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

    It is one version of an index folder: what changes the folder later makes
    another version, which `load` opens.

    Attributes:
        version: `Version` of the index folder, which stays while the index
            is there.
        extractor_source: `Extractor`, or the `Path` of its preset folder,
            which is loaded when a photograph is first searched for; or the
            `Client` of a server that extracted, of which a folder keeps the
            address, a str.
        root: `Path` that names are relative to, or a URL.
        extraction: `ExtractionOptions` of the photographs.
        database: `Database`.

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

    version: Version
    extractor_source: object
    root: Path | str
    extraction: ExtractionOptions
    database: Database
    # A folder that lasts as long as the index does.
    _temporary: object = None

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
    def load(cls, folder, root=None):
        """Opens the present version of an index folder.

        Files are mapped: indexes of several processes share their memory.

        Args:
            folder: str or `Path`.
            root: str or `Path` of the folder that names are relative to.
                Defaults to the place that it has from the index folder, as
                where both were moved together; or else to where it was. It is
                logged if there is no such folder.

        Returns:
            `ImageIndex`.

        Raises:
            FileNotFoundError: if there is no index.
            ValueError: if it is damaged, or of another format.
            OSError: if the system fails.
        """
        return open_index(cls, Path(folder), root and Path(root))

    def save(self, folder):
        """Copies the index, as it was opened, to a folder of its own.

        Only the photographs themselves stay where they are.

        Args:
            folder: str or `Path`. A folder that does not exist yet.

        Raises:
            FileExistsError: if the folder exists.
        """
        with copied_index(self.version, self.root, Path(folder)):
            pass

    @property
    def folder(self):
        """`Path` of the index folder."""
        return self.version.folder

    @property
    def fingerprint(self):
        """The descriptor space of the database."""
        return self.version.manifest.fingerprint

    def with_temporary(self, temporary):
        """Returns the index, whose folder lasts no longer than it does.

        Args:
            temporary: `TemporaryFolder` that its folder is in.
        """
        return replace(self, _temporary=temporary)

    def with_engine(self, engine):
        """Returns the index, whose descriptors are searched by an engine.

        Votes, visual words and verification stay as they are.

        Args:
            engine: `MilvusIndex`, or what has its method `search`.
        """
        return replace(self, database=self.database.with_engine(engine))

    def __len__(self):
        return len(self.database)

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
            query: A path, the bytes of a file, a uint8 array
                `[height, width, 3]`, or the `LocalFeatures` of a photograph.
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
        options = options or SearchOptions()
        query = self._features_of(query)
        first = self.first_scores(query, options)
        verified = self.verify(query, first, options)
        scores = self.final_scores(query, first, verified, options)
        order = np.argsort(-scores, kind="stable")[:top]
        return [
            self._result(image, first.scores, scores, verified)
            for image in order
            if first.scores[image] > 0
        ]

    def search_many(self, queries, top=10, options=None, workers=None):
        """Searches for many photographs at once.

        Args:
            queries: Iterable of what `search` takes.
            top: int. How many to return for each at most.
            options: `SearchOptions`.
            workers: int. Queries that are searched at the same time; one for
                each processor if not given.

        Yields:
            list of `SearchResult` of each query, in their order.

        Raises:
            See `search`.
        """
        # One after the other: a model uses all processors by itself.
        features = map(self._features_of, queries)
        yield from map_queries(
            lambda query: self.search(query, top, options), features, workers
        )

    def rank(self, query, options=None):
        """Ranks the whole database.

        Args:
            query: See `search`.
            options: `SearchOptions`.

        Returns:
            int64 `[num_images]`, the images from best to worst.
        """
        options = options or SearchOptions()
        query = self._features_of(query)
        first = self.first_scores(query, options)
        verified = self.verify(query, first, options)
        scores = self.final_scores(query, first, verified, options)
        return np.argsort(-scores, kind="stable")

    def first_scores(self, query, options):
        """Scores the database by votes and words; the first stage of a search.

        Args:
            query: `LocalFeatures`.
            options: `SearchOptions`.

        Returns:
            `FirstScores`.
        """
        if not len(query):
            return FirstScores(np.zeros(len(self)), np.zeros(0, np.float32))
        return score_images(query, self.database, options)

    def verify(self, query, first, options):
        """Verifies the best images; the second stage of a search.

        Args:
            query: `LocalFeatures`.
            first: `FirstScores` of the query.
            options: `SearchOptions`.

        Returns:
            dict of image to `VerifiedMatches`.
        """
        return verify_candidates(query, first, self.database, options)

    def final_scores(self, query, first, verified, options):
        """Combines what the stages of a search found.

        Args:
            query: `LocalFeatures`.
            first: `FirstScores` of the query.
            verified: What `verify` returned.
            options: `SearchOptions`.

        Returns:
            float64 `[num_images]`.
        """
        scores = first.scores
        if options.expansion:
            scores = expand(query, first, verified, self.database, options)
        return combine_scores(scores, verified, options.ranking)

    def _features_of(self, query):
        if not isinstance(query, LocalFeatures):
            query = self.extractor.extract(query)
        self._check_fingerprint(query.fingerprint)
        return query

    def _result(self, image, votes, scores, verified):
        name = self.database.name_of(image)
        return SearchResult(
            name=name,
            path=path_in(self.root, name),
            score=float(scores[image]),
            votes=float(votes[image]),
            matches=verified.get(int(image), NO_MATCHES),
        )

    def _check_fingerprint(self, fingerprint):
        if fingerprint != self.fingerprint:
            raise ValueError(
                "The query must be of the descriptor space that was indexed, "
                f"{self.fingerprint}. Received: {fingerprint or 'unknown'}"
            )
