"""Many photographs: the index, votes, verification and search."""

from delf_keras.features.pca_fitting import PcaOptions
from delf_keras.retrieval.asmk import AsmkOptions
from delf_keras.retrieval.build_report import BuildReport
from delf_keras.retrieval.building import build_index
from delf_keras.retrieval.changing import (
    ChangeReport,
    add_photographs,
    compact_index,
    remove_photographs,
)
from delf_keras.retrieval.image_index import ImageIndex, SearchResult
from delf_keras.retrieval.index_files import index_info, verify_index
from delf_keras.retrieval.index_writer import IndexLocked
from delf_keras.retrieval.reranking import VerifiedMatches
from delf_keras.search_options import SearchOptions

__all__ = [
    "AsmkOptions",
    "BuildReport",
    "ChangeReport",
    "ImageIndex",
    "IndexLocked",
    "PcaOptions",
    "SearchOptions",
    "SearchResult",
    "VerifiedMatches",
    "add_photographs",
    "build_index",
    "compact_index",
    "index_info",
    "remove_photographs",
    "verify_index",
]
