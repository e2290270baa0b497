"""Metrics and protocols of image retrieval."""

from delf_keras.evaluation.average_precision import (
    average_precision,
    mean_average_precision,
    mean_precision_at,
    precision_at,
    remove_junk,
)
from delf_keras.evaluation.oxford import (
    OxfordQuery,
    OxfordResult,
    evaluate_oxford,
    format_oxford,
    load_oxford,
)
from delf_keras.evaluation.revisited import (
    ProtocolResult,
    RevisitedGroundTruth,
    evaluate_revisited,
    format_revisited,
    load_revisited,
)

__all__ = [
    "OxfordQuery",
    "OxfordResult",
    "ProtocolResult",
    "RevisitedGroundTruth",
    "average_precision",
    "evaluate_oxford",
    "evaluate_revisited",
    "format_oxford",
    "format_revisited",
    "load_oxford",
    "load_revisited",
    "mean_average_precision",
    "mean_precision_at",
    "precision_at",
    "remove_junk",
]
