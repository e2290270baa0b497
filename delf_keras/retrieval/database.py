"""The photographs of all segments of an index, without those removed."""

import copy
from functools import cached_property

import faiss
import numpy as np

from delf_keras.retrieval.global_descriptors import GlobalDescriptors
from delf_keras.retrieval.neighbors import (
    Neighbors,
    keys_of_images,
    nearest_of_parts,
)


class Database:
    """What a search asks of an index.

    An image is known by its position, from 0 to the number of images.

    Args:
        learned: `Learned`.
        segments: list of `Segment`, their numbers rising.
        removed: Numbers of photographs that are in a segment and no longer in
            the index.
        augmentation: int. See `GlobalDescriptors.augmented`.
        engine: What has the method `search` of `MilvusIndex` and is searched
            in place of the segments' faiss indexes.
    """

    def __init__(
        self, learned, segments, removed=(), augmentation=0, engine=None
    ):
        self.segments = segments
        self._learned = learned
        self._augmentation = augmentation
        self._engine = engine
        # Of each segment, which of its images are there.
        self._kept = [
            np.flatnonzero(~np.isin(each.store.numbers, list(removed)))
            for each in segments
        ]
        self._first = np.cumsum([0, *map(len, self._kept)])

    def __len__(self):
        return int(self._first[-1])

    def with_engine(self, engine):
        """Returns the same photographs, searched by an engine."""
        database = copy.copy(self)
        database._engine = engine
        return database

    @property
    def num_descriptors(self):
        """Descriptors of the images."""
        return int(
            sum(
                np.diff(segment.store.offsets)[kept].sum()
                for segment, kept in self._parts
            )
        )

    @property
    def dimension(self):
        """Length of a descriptor."""
        return self._learned.descriptor_index.dimension

    @property
    def factory(self):
        """The faiss factory string."""
        return self._learned.descriptor_index.factory

    @property
    def probes(self):
        """Inverted lists that a query descriptor probes, 0 if exact."""
        return self._learned.descriptor_index.probes

    @property
    def _parts(self):
        return [*zip(self.segments, self._kept, strict=True)]

    @cached_property
    def numbers(self):
        """The number of each image, int64 `[num_images]`, rising."""
        return self._concatenated(lambda segment: segment.store.numbers)

    @cached_property
    def background(self):
        """float32 `[num_images]`, see `BackgroundQueries`."""
        return self._concatenated(lambda segment: segment.background)

    @cached_property
    def global_descriptors(self):
        """`GlobalDescriptors`, or None if the images have none."""
        space = self._learned.global_space
        if space is None:
            return None
        vectors = self._concatenated(lambda each: each.global_descriptors)
        return GlobalDescriptors(vectors, space).augmented(self._augmentation)

    @property
    def names(self):
        """list of str, the names of the images."""
        return [self.name_of(image) for image in range(len(self))]

    def name_of(self, image):
        """Returns the name of an image."""
        segment, position = self._place(image)
        return segment.store.names[position]

    def features_of(self, image):
        """Returns locations, scales and float32 descriptors of an image."""
        segment, position = self._place(image)
        return segment.store.features_of(position)

    def nearest_lists(self, descriptors):
        """Finds the inverted lists that a search probes.

        Those of all segments have the same centroids, which may be the visual
        words of ASMK as well: `search` and `word_similarities` both take what
        is found.

        Args:
            descriptors: float32 `[N, D]`.

        Returns:
            See `Words.nearest`; None where there are no such lists.
        """
        index = self._learned.descriptor_index
        if self._engine is not None or index.words is None:
            return None
        assignments = self._learned.asmk_options.query_assignments
        return index.words.nearest(descriptors, max(index.probes, assignments))

    def search(self, descriptors, neighbors, lists=None):
        """Finds the nearest descriptors.

        Args:
            descriptors: float32 `[N, D]`.
            neighbors: int. How many to find for each.
            lists: What `nearest_lists` returns, if known.

        Returns:
            `Neighbors`.
        """
        if self._engine is not None:
            parts = [self._engine.search(descriptors, neighbors)]
        else:
            parts = [
                each.descriptor_index.search(
                    descriptors, neighbors, lists, selector
                )
                for each, selector in zip(
                    self.segments, self._selectors, strict=True
                )
            ]
        found = nearest_of_parts(parts, neighbors)
        if self._engine is None and self._numbers_are_positions:
            return found
        # An engine may know photographs that were added since.
        nobody = len(self._position_of_number) - 1
        images = self._position_of_number[np.minimum(found.images, nobody)]
        return Neighbors(found.distances, images, found.keys)

    def word_similarities(self, descriptors, among=None, lists=None):
        """Compares a query's visual words with those of the images.

        Args:
            descriptors: float32 `[N, D]`.
            among: bool `[num_images]`. See `AsmkIndex.score`.
            lists: What `nearest_lists` returns, if known.

        Returns:
            float64 `[num_images]`.
        """
        words = None
        if lists is not None and self._learned.codebook is None:
            words = lists[1]
        query = self.segments[0].asmk.aggregate_query(descriptors, words)
        scores = []
        for number, (segment, kept) in enumerate(self._parts):
            of_segment = None
            if among is not None:
                first, last = self._first[number : number + 2]
                of_segment = np.zeros(len(segment), bool)
                of_segment[kept] = among[first:last]
            scores.append(segment.asmk.score(query, of_segment)[kept])
        return np.concatenate(scores)

    @cached_property
    def _selectors(self):
        """Of each segment, what leaves out photographs that were removed.

        None where nothing was: they would be among the nearest neighbors, in
        place of what is there.
        """
        selectors = []
        for segment, kept in self._parts:
            store = segment.store
            gone = np.ones(len(store), bool)
            gone[kept] = False
            selector = None
            if gone.any():
                keys = keys_of_images(store.numbers, store.offsets)
                keys = keys[np.repeat(gone, np.diff(store.offsets))]
                selector = faiss.IDSelectorNot(faiss.IDSelectorBatch(keys))
            selectors.append(selector)
        return selectors

    @cached_property
    def _numbers_are_positions(self):
        """Whether nothing was ever removed: the last number tells."""
        return self.segments[-1].store.numbers[-1] + 1 == len(self)

    @cached_property
    def _position_of_number(self):
        """The position of each number, -1 for what is not there.

        The last one is what the number -1 stands for.
        """
        last = self.segments[-1].store.numbers[-1]
        positions = np.full(int(last) + 2, -1)
        positions[self.numbers] = np.arange(len(self))
        return positions

    def _concatenated(self, values_of):
        return np.concatenate(
            [values_of(segment)[kept] for segment, kept in self._parts]
        )

    def _place(self, image):
        number = np.searchsorted(self._first, image, side="right") - 1
        position = self._kept[number][image - self._first[number]]
        return self.segments[number], position
