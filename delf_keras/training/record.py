"""The record of a training run, which its preset keeps."""

import platform

import keras
import numpy as np

from delf_keras.version import __version__


def training_source(options, preset, report, state, kept):
    """Describes where the weights of a trained preset come from.

    Args:
        options: dict of every option of the run.
        preset: `Preset` that it started from, or None for a new network.
        report: `DatasetReport` of the photographs.
        state: `TrainingState` at the end.
        kept: int. The epoch whose weights are kept, counted from 0.

    Returns:
        dict for `Extractor`: "origin", "paper", "training", and the "licence"
        of the options, or else of the start, if there is one; all of it JSON.
    """
    start = preset.info if preset else {}
    source = {
        "origin": f"trained on {options['dataset']} from "
        f"{preset.name if preset else 'random weights'}",
        "paper": "https://arxiv.org/abs/1612.06321",
        "training": {
            "options": options,
            "start": {
                key: start[key]
                for key in ("origin", "licence", "sha256")
                if key in start
            },
            "data": {
                "photographs": len(report.train),
                "photographs_validation": len(report.validation or ()),
                "classes": list(report.train.class_names),
            },
            "kept_epoch": kept + 1,
            "history": list(state.history),
            "versions": _versions(),
        },
    }
    licence = options.get("licence") or start.get("licence")
    if licence:
        source["licence"] = licence
    return source


def _versions():
    versions = {
        "delf_keras": __version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        versions["tensorflow"] = tf.__version__
    return versions
