"""Two photographs: putative matches and their geometric verification."""

from delf_keras.matching.geometry import (
    Verification,
    estimate_transform,
    verify,
)
from delf_keras.matching.nearest_neighbors import (
    DescriptorMatcher,
    Matches,
    match,
    match_descriptors,
)
from delf_keras.matching.spatial import estimate_upright

__all__ = [
    "DescriptorMatcher",
    "Matches",
    "Verification",
    "estimate_transform",
    "estimate_upright",
    "match",
    "match_descriptors",
    "verify",
]
