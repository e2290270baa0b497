"""Building an image index on many machines, with Apache Beam."""

from delf_keras.retrieval.distributed.building import (
    TfRecords,
    build_index_with_beam,
)

__all__ = ["TfRecords", "build_index_with_beam"]
