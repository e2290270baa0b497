"""Nearest descriptors of a database, in a collection of Milvus."""

import time
from pathlib import Path

import numpy as np

from delf_keras.retrieval.milvus_collections import (
    KEY,
    SPACE,
    VECTOR,
    CollectionOptions,
    connect,
    create_collection,
    disconnect,
    is_lite,
    refusals,
    require_collection,
)
from delf_keras.retrieval.neighbors import (
    Neighbors,
    keys_of_images,
    pack_keys,
)

# What a Milvus server takes at most as query vectors and as neighbours.
_MOST_QUERIES = _MOST_NEIGHBORS = 16_384
# Answers are kept well below the size of a message that a server sends.
_MOST_ANSWERS = 1 << 20
_MOST_BYTES_TO_ADD = 1 << 22
# Milvus Lite takes the differences of all queries from all vectors of a
# segment, of at most so many, where it has no index of it.
_LITE_SEGMENT = 100_000
_LITE_BYTES = 1 << 29
_MOST_IMAGES_TO_REMOVE = 100
_ROWS_TO_COPY = 100_000
_POLL_SECONDS = 0.5


class MilvusIndex:
    """A collection of Milvus, which knows each descriptor by a key.

    It is searched as a `DescriptorIndex` is. `create` and `open` make it.

    Args:
        client: `pymilvus.MilvusClient`.
        uri: str. What the client is connected to.
        collection: str. The name of the collection, which exists.
        probes: int. Inverted lists that a query descriptor probes in each
            segment of the collection.

    Raises:
        ValueError: if the collection is not one of descriptors.
    """

    def __init__(self, client, uri, collection, probes=16):
        self.uri = uri
        self.collection = collection
        self.probes = probes
        self._client = client
        described = client.describe_collection(collection)
        fields = {each["name"]: each for each in described["fields"]}
        if {*fields} != {KEY, VECTOR}:
            raise ValueError(
                f"A collection of the fields {KEY} and {VECTOR} was "
                f"expected. Received: {collection} of {', '.join(fields)}"
            )
        self.fingerprint = described["properties"].get(SPACE)
        self.dimension = int(fields[VECTOR]["params"]["dim"])
        self._lite = is_lite(client)

    @classmethod
    def create(
        cls,
        uri,
        collection,
        dimension,
        fingerprint,
        options=None,
        probes=16,
        token="",
    ):
        """Makes a collection, or opens it where it exists.

        Args:
            uri: str or `Path`. A path that ends in .db, of a file of Milvus
                Lite in this process, or http(s)://host:port of a server.
            collection: str. Its name.
            dimension: int. Length of a descriptor.
            fingerprint: str. The descriptor space.
            options: `CollectionOptions`.
            probes: int. Inverted lists that a query descriptor probes.
            token: str. What a server asks for, "user:password" or a key.

        Returns:
            `MilvusIndex`.

        Raises:
            ImportError: if pymilvus is missing.
            ConnectionError: if there is no Milvus at the URI.
            ValueError: if the collection cannot be made, or exists and is of
                another descriptor space or dimension.
        """

        def prepare(client):
            if not client.has_collection(collection):
                create_collection(
                    client,
                    collection,
                    dimension,
                    fingerprint,
                    options or CollectionOptions(),
                )

        index = cls._open(uri, collection, fingerprint, probes, token, prepare)
        if dimension != index.dimension:
            index.close()
            raise ValueError(
                f"The collection {collection} has descriptors of "
                f"{index.dimension} dimensions. Received: {dimension}"
            )
        return index

    @classmethod
    def open(cls, uri, collection, fingerprint, probes=16, token=""):
        """Opens a collection; see `create`.

        Raises:
            FileNotFoundError: if there is no such collection.
        """
        if str(uri).endswith(".db") and not Path(uri).exists():
            raise FileNotFoundError(
                f"A file of Milvus Lite was expected. Received: {uri}"
            )

        def prepare(client):
            require_collection(client, collection, uri)

        return cls._open(uri, collection, fingerprint, probes, token, prepare)

    @classmethod
    def _open(cls, uri, collection, fingerprint, probes, token, prepare):
        uri = str(uri)
        client = connect(uri, token)
        try:
            with refusals(ValueError, uri):
                prepare(client)
                client.load_collection(collection)
                index = cls(client, uri, collection, probes)
            if fingerprint != index.fingerprint:
                raise ValueError(
                    f"The collection {collection} is of the descriptor space "
                    f"{index.fingerprint or 'unknown'}. Received: {fingerprint}"
                )
        except BaseException:
            disconnect(client, uri)
            raise
        return index

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Disconnects.

        While a file of Milvus Lite is open, no other process can open it.
        """
        disconnect(self._client, self.uri)

    def __len__(self):
        with refusals(OSError, self.uri):
            return self._count()

    def _count(self):
        # A server tells deletions to a session no sooner than to others.
        (row,) = self._client.query(
            self.collection,
            filter="",
            output_fields=["count(*)"],
            consistency_level="Strong",
        )
        return row["count(*)"]

    def add(self, descriptors, keys):
        """Adds descriptors, in place of those of the same keys.

        They are found at once; `finish` has them searched fast.

        Args:
            descriptors: float `[N, dimension]`.
            keys: int64 `[N]`, see `pack_keys`.
        """
        rows = max(1, _MOST_BYTES_TO_ADD // (4 * self.dimension))
        for first in range(0, len(keys), rows):
            part = slice(first, first + rows)
            vectors = np.asarray(descriptors[part], np.float32)
            pairs = zip(np.asarray(keys[part]).tolist(), vectors, strict=True)
            with refusals(OSError, self.uri):
                self._client.upsert(
                    self.collection,
                    [{KEY: key, VECTOR: vector} for key, vector in pairs],
                )

    def remove(self, images):
        """Removes all descriptors of images.

        A server may find them for a moment, until `finish` returns.

        Args:
            images: int `[M]`, numbers of images, which need not be there.
        """
        images = np.asarray(images, np.int64)
        for first in range(0, len(images), _MOST_IMAGES_TO_REMOVE):
            part = images[first : first + _MOST_IMAGES_TO_REMOVE]
            ranges = zip(
                pack_keys(part, 0), pack_keys(part + 1, 0), strict=True
            )
            condition = " or ".join(
                f"({KEY} >= {start} and {KEY} < {end})" for start, end in ranges
            )
            with refusals(OSError, self.uri):
                self._client.delete(self.collection, filter=condition)

    def finish(self):
        """Waits until what was added is indexed, and what was removed gone."""
        with refusals(OSError, self.uri):
            self._client.flush(self.collection)
            while self._client.describe_index(self.collection, VECTOR)[
                "pending_index_rows"
            ]:
                time.sleep(_POLL_SECONDS)
            self._count()

    def search(self, descriptors, neighbors):
        """Finds the nearest descriptors of the collection.

        Args:
            descriptors: float `[N, dimension]`.
            neighbors: int. How many to find for each, 16,384 at most.

        Returns:
            `Neighbors` `[N, neighbors]`. Where the lists that are probed have
            fewer, the others have the distance inf.

        Raises:
            ValueError: if there are too many neighbours.
            OSError: if Milvus does not answer.
        """
        if not 1 <= neighbors <= _MOST_NEIGHBORS:
            raise ValueError(
                f"Milvus finds 1 to {_MOST_NEIGHBORS} neighbours. "
                f"Received: neighbors={neighbors}"
            )
        descriptors = np.asarray(descriptors, np.float32)
        distances = np.full((len(descriptors), neighbors), np.inf, np.float32)
        keys = np.full(distances.shape, -1)
        rows = self._queries_at_once(neighbors)
        for first in range(0, len(descriptors), rows):
            part = descriptors[first : first + rows]
            for row, hits in enumerate(self._answers(part, neighbors), first):
                distances[row, : len(hits)] = hits.distances
                keys[row, : len(hits)] = hits.ids
        return Neighbors.from_keys(distances, keys)

    def _answers(self, descriptors, neighbors):
        with refusals(OSError, self.uri):
            return self._client.search(
                self.collection,
                data=[*descriptors],
                anns_field=VECTOR,
                limit=neighbors,
                search_params={
                    "metric_type": "L2",
                    "params": {"nprobe": self.probes},
                },
            )

    def _queries_at_once(self, neighbors):
        rows = min(_MOST_QUERIES, _MOST_ANSWERS // neighbors)
        if self._lite:
            of_query = 4 * self.dimension * _LITE_SEGMENT
            rows = min(rows, max(1, _LITE_BYTES // of_query))
        return rows


def copy_descriptors(database, target, progress=None):
    """Copies the descriptors of a database into a collection.

    What is there already is written once more, so that an interrupted copy is
    completed by another.

    Args:
        database: `Database`.
        target: `MilvusIndex`.
        progress: Callable of an iterable, its length and a label, that returns
            the iterable; see `delf_keras.cli.progress.show_progress`.

    Returns:
        int. How many descriptors were copied.
    """
    segments = database.segments
    if progress is not None:
        segments = progress(segments, len(segments), "copy")
    copied = 0
    for segment in segments:
        store = segment.store
        kept = np.isin(store.numbers, database.numbers)
        target.remove(store.numbers[~kept])
        rows = np.flatnonzero(np.repeat(kept, np.diff(store.offsets)))
        keys = keys_of_images(store.numbers, store.offsets)
        for part in np.array_split(rows, len(rows) // _ROWS_TO_COPY + 1):
            target.add(store.vectors(part), keys[part])
        copied += len(rows)
    target.finish()
    return copied
