"""How well a `Delf` in training retrieves, at the end of its epochs."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from delf_keras.evaluation import evaluate_revisited, load_revisited
from delf_keras.features.extractor import Extractor
from delf_keras.features.graph import ExtractionOptions
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
        FileNotFoundError: if the folder lacks one of the two.
        ValueError: if the ground truth is malformed, or a photograph of the
            database cannot be used.
        ImageError: if a query cannot be used.
    """
    ground_truth = load_revisited(find_ground_truth(folder))
    photographs = Path(folder) / "jpg"
    report = build_index(
        [photographs / f"{name}.jpg" for name in ground_truth.image_names],
        extractor,
        **options,
    )
    if report.skipped:
        raise ValueError(
            "Every photograph of the database must be of use. Received: "
            f"{next(iter(report.skipped.values()))}"
        )
    queries = [
        read_query(photographs / f"{name}.jpg", box)
        for name, box in zip(
            ground_truth.query_names, ground_truth.boxes, strict=True
        )
    ]
    ranks = np.stack([report.index.rank(query) for query in queries], axis=1)
    return evaluate_revisited(ground_truth, ranks)


def find_ground_truth(folder):
    """Returns the `Path` of the ground truth `gnd_*.pkl` of a folder.

    Raises:
        FileNotFoundError: if there is none.
    """
    found = sorted(Path(folder).glob("gnd_*.pkl"))
    if not found:
        raise FileNotFoundError(
            "A folder to evaluate on holds jpg/ and gnd_*.pkl. "
            f"Received: folder={folder}"
        )
    return found[0]


class RetrievalQuality(keras.callbacks.Callback):
    """Adds mAP_E, mAP_M and mAP_H to the metrics of each epoch.

    They are the mAP, from 0 to 1, of the easy, medium and hard protocol, with
    a PCA that is fitted on the database anew each time.

    Args:
        folder: See `evaluate_retrieval`.
        extraction: `ExtractionOptions`.
        **options: See `build_index`.

    Raises:
        FileNotFoundError, ValueError: see `evaluate_retrieval`; the ground
            truth is looked at before training starts.
    """

    def __init__(self, folder, extraction=None, **options):
        super().__init__()
        load_revisited(find_ground_truth(folder))
        self.folder = folder
        self.extraction = replace(
            extraction or ExtractionOptions(), score_threshold=0.0
        )
        self.options = options

    def on_epoch_end(self, epoch, logs=None):
        extractor = Extractor(trained_delf(self.model), options=self.extraction)
        results = evaluate_retrieval(extractor, self.folder, **self.options)
        for protocol, result in results.items():
            logs[f"mAP_{protocol}"] = result.mean_average_precision
