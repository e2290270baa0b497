"""Many photographs: the index, votes, verification and search."""

from delf_keras.features.pca_fitting import PcaOptions
from delf_keras.retrieval.asmk import AsmkOptions
from delf_keras.retrieval.building import BuildReport, build_index
from delf_keras.retrieval.image_index import ImageIndex, SearchResult
from delf_keras.retrieval.reranking import VerifiedMatches
from delf_keras.search_options import SearchOptions

__all__ = [
    "AsmkOptions",
    "BuildReport",
    "ImageIndex",
    "PcaOptions",
    "SearchOptions",
    "SearchResult",
    "VerifiedMatches",
    "build_index",
]
