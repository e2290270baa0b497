"""How a database is searched."""

from dataclasses import dataclass, field, fields

import numpy as np

from delf_keras.matching.geometry import INLIER_THRESHOLD


def _option(default, text, *choices):
    metadata = {"help": text} | ({"choices": choices} if choices else {})
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class SearchOptions:
    """How a database is searched: votes, verification, expansion.

    What each is, and what it adds, is in docs/retrieval.md. The metadata of a
    field holds its description and its choices.

    Reference:
        Noh et al., arXiv 1612.06321, section 4.4, is `vote_weighting="count"`,
        `neighbors=60`, `first_score="votes"`, `putatives="neighbors"`,
        `model="affine"`, `ranking="inliers"` and no expansion.
    """

    neighbors: int = _option(
        300, "Nearest descriptors that vote, for each query descriptor."
    )
    vote_weighting: str = _option(
        "margin",
        "What a vote weighs: its margin over the last neighbour, or 1.",
        "margin",
        "count",
    )
    background: bool = _option(
        True, "Whether votes are divided by those that any query gives."
    )
    first_score: str = _option(
        "fused",
        "What photographs are ranked by before verification: votes times "
        "ASMK, or one of them, or the global descriptor.",
        "fused",
        "votes",
        "asmk",
        "global",
    )
    global_weight: float = _option(
        0.0,
        "Weight of the similarity of global descriptors in the exponent of a "
        "score.",
    )
    global_expansion: str = _option(
        "none",
        "Query expansion of the global descriptor: by the mean of the best "
        "ten, or weighted by the third power of their similarity.",
        "none",
        "average",
        "alpha",
    )
    candidates: int = _option(
        150, "Best photographs that are verified; 0 for none."
    )
    putatives: str = _option(
        "descriptors",
        "What is verified: matches of the descriptors of a candidate, or the "
        "neighbours that voted for it.",
        "descriptors",
        "neighbors",
    )
    max_distance: float = _option(
        0.8, "Largest distance of two descriptors that are matched."
    )
    model: str = _option(
        "upright",
        "Transform between two photographs: scale and shift, or more; affine "
        "in place of upright where all features are of one scale.",
        "upright",
        "affine",
        "homography",
    )
    threshold: float = _option(
        INLIER_THRESHOLD,
        "Largest distance of an inlier, in pixels of the level of the pyramid "
        "that the feature of the database was found on.",
    )
    max_iterations: int = _option(
        10000, "Most RANSAC hypotheses, affine or homography."
    )
    seed: int = _option(0, "Of RANSAC.")
    ranking: str = _option(
        "fused",
        "What verified photographs are ranked by: their first score raised "
        "by their inliers, or inliers alone.",
        "fused",
        "inliers",
    )
    expansion: int = _option(
        10,
        "Best photographs by whose verified features the query is expanded; 0 "
        "for none.",
    )

    def __post_init__(self):
        for each in fields(self):
            choices = each.metadata.get("choices")
            value = getattr(self, each.name)
            if choices and value not in choices:
                raise ValueError(
                    f"{each.name} must be one of {choices}. "
                    f"Received: {each.name}={value!r}"
                )
        for name in (
            "neighbors",
            "max_distance",
            "threshold",
            "max_iterations",
        ):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(
                    f"{name} must be positive. "
                    f"Received: {name}={getattr(self, name)}"
                )
        for name in ("candidates", "expansion", "global_weight"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(
                    f"{name} must not be negative. "
                    f"Received: {name}={getattr(self, name)}"
                )
