"""Connecting to Milvus, and making collections of descriptors."""

import collections
import contextlib
import logging
import os
import threading
from dataclasses import dataclass

KEY = "key"
VECTOR = "descriptor"
SPACE = "delf_keras.descriptor_space"
# What build parameters each kind of index takes.
_INDEX_TYPES = {
    "FLAT": (),
    "IVF_FLAT": ("nlist",),
    "IVF_SQ8": ("nlist",),
    "IVF_PQ": ("nlist", "m", "nbits"),
}
INDEX_TYPES = tuple(_INDEX_TYPES)
_LITE_INDEX_TYPES = ("FLAT", "IVF_FLAT", "IVF_SQ8")
_CONNECT_SECONDS = 5.0

# How often this process has each file of Milvus Lite open.
_open_files = collections.Counter()
_lock = threading.Lock()


@dataclass(frozen=True)
class CollectionOptions:
    """The index of a collection that is made.

    Attributes:
        index_type: "IVF_PQ", "IVF_SQ8", "IVF_FLAT", or "FLAT", which is exact.
            IVF_PQ if not given, or IVF_SQ8 in Milvus Lite, which has no
            product quantization.
        lists: int. Inverted lists of each segment of the collection.
        subvectors: int. Parts of a descriptor that are quantized, a divisor
            of its dimension; half of the dimension if not given, or the
            dimension where it is odd.
        bits: int. Length of the code of each part.
    """

    index_type: str | None = None
    lists: int = 1024
    subvectors: int | None = None
    bits: int = 8

    def parameters(self, index_type, dimension):
        """Returns the build parameters as Milvus calls them, a dict."""
        subvectors = self.subvectors
        if subvectors is None:
            subvectors = dimension if dimension % 2 else dimension // 2
        values = {"nlist": self.lists, "m": subvectors, "nbits": self.bits}
        return {name: values[name] for name in _INDEX_TYPES[index_type]}


def connect(uri, token=""):
    """Connects to Milvus.

    Args:
        uri: str. A path that ends in .db, or http(s)://host:port.
        token: str. What a server asks for, "user:password" or a key.

    Returns:
        `pymilvus.MilvusClient`, to be closed by `disconnect`.

    Raises:
        ImportError: if pymilvus is missing.
        ConnectionError: if there is no Milvus at the URI.
    """
    try:
        from pymilvus import MilvusClient

        if _is_file(uri):
            import milvus_lite  # noqa: F401
    except ImportError as error:
        raise ImportError(
            'pymilvus is needed: pip install "delf-keras[milvus]". '
            f"Received: {error}"
        ) from error
    with _lock, _quiet_logs(), refusals(ConnectionError, uri):
        client = MilvusClient(uri=uri, token=token, timeout=_CONNECT_SECONDS)
        if _is_file(uri):
            _open_files[os.path.abspath(uri)] += 1
    return client


def disconnect(client, uri):
    """Closes a client, and a file of Milvus Lite with its last client."""
    client.close()
    if not _is_file(uri):
        return
    from milvus_lite.server_manager import server_manager_instance

    path = os.path.abspath(uri)
    with _lock:
        _open_files[path] -= 1
        if not _open_files[path]:
            server_manager_instance.release_server(path)


def is_lite(client):
    """Returns whether a client is connected to Milvus Lite."""
    return client.get_server_version().startswith("milvus_lite")


def create_collection(client, name, dimension, fingerprint, options):
    """Makes a collection of descriptors, with its index.

    Args:
        client: `pymilvus.MilvusClient`.
        name: str.
        dimension: int. Length of a descriptor.
        fingerprint: str. The descriptor space.
        options: `CollectionOptions`.

    Raises:
        ValueError: if this Milvus has no such index.
    """
    from pymilvus import DataType

    index_type = _choose_index_type(options.index_type, is_lite(client))
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field(KEY, DataType.INT64, is_primary=True)
    schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=dimension)
    index = client.prepare_index_params()
    index.add_index(
        VECTOR,
        index_name=VECTOR,
        index_type=index_type,
        metric_type="L2",
        params=options.parameters(index_type, dimension),
    )
    client.create_collection(
        name,
        schema=schema,
        properties={SPACE: fingerprint},
        # A client finds what it has added.
        consistency_level="Session",
    )
    try:
        # Nothing is there to be waited for, and Milvus Lite cannot tell.
        client.create_index(name, index, sync=False)
    except Exception:
        client.drop_collection(name)
        raise


def require_collection(client, name, uri):
    """Raises FileNotFoundError where there is no collection of a name."""
    if not client.has_collection(name):
        known = ", ".join(client.list_collections()) or "none"
        raise FileNotFoundError(
            f"A collection of {uri} was expected, which has: {known}. "
            f"Received: {name}"
        )


@contextlib.contextmanager
def refusals(kind, uri):
    """Raises what Milvus refuses as an error of a kind."""
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except MilvusException as error:
        raise kind(
            f"An answer of Milvus was expected. Received: {uri} "
            f"({error.message})"
        ) from error


def _is_file(uri):
    return uri.endswith(".db")


def _choose_index_type(index_type, lite):
    # Milvus Lite would take what it does not know for exact search.
    known = _LITE_INDEX_TYPES if lite else INDEX_TYPES
    index_type = index_type or known[-1]
    if index_type not in known:
        name = "Milvus Lite (no product quantization)" if lite else "Milvus"
        raise ValueError(
            f"The index types for {name} are {', '.join(known)}. "
            f"Received: index_type={index_type}"
        )
    return index_type


@contextlib.contextmanager
def _quiet_logs():
    """Keeps Milvus from logging what it raises as well."""
    loggers = [logging.getLogger(each) for each in ("pymilvus", "milvus_lite")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
