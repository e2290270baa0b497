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
from delf_keras.evaluation.precision_recall import (
    PrecisionRecall,
    best_per_landmark,
    global_average_precision,
    precision_recall_over_queries,
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
    "PrecisionRecall",
    "ProtocolResult",
    "RevisitedGroundTruth",
    "average_precision",
    "best_per_landmark",
    "evaluate_oxford",
    "evaluate_revisited",
    "format_oxford",
    "format_revisited",
    "global_average_precision",
    "load_oxford",
    "load_revisited",
    "mean_average_precision",
    "mean_precision_at",
    "precision_at",
    "precision_recall_over_queries",
    "remove_junk",
]
