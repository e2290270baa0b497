"""Pictures of matches, of searches, of attention and of their quality."""

from delf_keras.visualization.attention import draw_attention
from delf_keras.visualization.matches import draw_matches
from delf_keras.visualization.precision_recall import draw_precision_recall
from delf_keras.visualization.ranking import RankedImage, draw_ranking
from delf_keras.visualization.ranking_pages import (
    PageEntry,
    RankedPage,
    write_ranking_pages,
)

__all__ = [
    "PageEntry",
    "RankedImage",
    "RankedPage",
    "draw_attention",
    "draw_matches",
    "draw_precision_recall",
    "draw_ranking",
    "write_ranking_pages",
]
