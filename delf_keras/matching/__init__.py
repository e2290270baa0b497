"""Two photographs: putative matches and their geometric verification."""

from delf_keras.matching.geometry import (
    Verification,
    estimate_transform,
    verify,
)
from delf_keras.matching.nearest_neighbors import (
    Matches,
    match,
    match_descriptors,
)
from delf_keras.matching.spatial import estimate_upright

__all__ = [
    "Matches",
    "Verification",
    "estimate_transform",
    "estimate_upright",
    "match",
    "match_descriptors",
    "verify",
]
