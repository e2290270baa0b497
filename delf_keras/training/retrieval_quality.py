"""How well a `Delf` in training retrieves, at the end of its epochs."""

from dataclasses import replace

import keras
import numpy as np

from delf_keras.datasets.benchmark_files import (
    find_ground_truth,
    photograph_paths,
)
from delf_keras.evaluation import evaluate_revisited, load_revisited
from delf_keras.features.decoding import read_image
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.extractor import Extractor
from delf_keras.features.photographs import read_query
from delf_keras.retrieval.building import build_index
from delf_keras.training.finishing import trained_delf


def evaluate_retrieval(extractor, folder, **options):
    """Searches a set of photographs for its queries and evaluates the result.

    Args:
        extractor: `Extractor`. Where it has no PCA, one is fitted on the
            database.
        folder: str or `Path`. It holds `jpg/` and a ground truth `gnd_*.pkl`
            in the layout of Revisited Oxford and Paris.
        **options: See `build_index`.

    Returns:
        dict of "E", "M" and "H" to `ProtocolResult`.

    Raises:
        FileNotFoundError: if the folder lacks the ground truth, or a
            photograph that it names.
        ValueError: if the ground truth is malformed, or a photograph of the
            database cannot be used.
        ImageError: if a query cannot be used.
    """
    ground_truth = load_revisited(find_ground_truth(folder))
    database = photograph_paths(folder, ground_truth.image_names)
    of_queries = photograph_paths(folder, ground_truth.query_names)
    report = build_index(database, extractor, **options)
    if report.skipped:
        raise ValueError(
            "Every photograph of the database must be of use. Received: "
            f"{next(iter(report.skipped.values()))}"
        )
    ranks = [
        report.index.rank(read_query(path, box, extractor.options.upright))
        for path, box in zip(of_queries, ground_truth.boxes, strict=True)
    ]
    return evaluate_revisited(ground_truth, np.stack(ranks, axis=1))


METRICS = ("mAP_E", "mAP_M", "mAP_H")


class RetrievalQuality(keras.callbacks.Callback):
    """Adds mAP_E, mAP_M and mAP_H to the metrics of each epoch.

    They are the mAP, from 0 to 1, of the easy, medium and hard protocol, with
    a PCA that is fitted on the database anew each time. A protocol for which
    no query has positives is left out.

    Args:
        folder: See `evaluate_retrieval`.
        extraction: `ExtractionOptions`.
        **options: See `build_index`.

    Raises:
        FileNotFoundError, ValueError: see `evaluate_retrieval`; the folder is
            looked at before training starts.
    """

    def __init__(self, folder, extraction=None, **options):
        super().__init__()
        ground_truth = load_revisited(find_ground_truth(folder))
        names = (*ground_truth.image_names, *ground_truth.query_names)
        for path in photograph_paths(folder, names):
            read_image(path)
        self.folder = folder
        self.extraction = replace(
            extraction or ExtractionOptions(), score_threshold=0.0
        )
        self.options = options

    def on_epoch_end(self, epoch, logs=None):
        extractor = Extractor(trained_delf(self.model), options=self.extraction)
        results = evaluate_retrieval(extractor, self.folder, **self.options)
        for protocol, result in results.items():
            if np.isfinite(result.mean_average_precision):
                logs[f"mAP_{protocol}"] = result.mean_average_precision
