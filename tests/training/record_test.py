"""What a preset says of the training that it comes from."""

import json

import keras
import numpy as np
import pytest

import delf_keras
from delf_keras.datasets.labelled_images import LabelledImages
from delf_keras.models.presets import Preset
from delf_keras.training.dataset_report import (
    TRAINING,
    VALIDATION,
    DatasetReport,
    PartReport,
)
from delf_keras.training.record import training_source
from delf_keras.training.state import TrainingState

OPTIONS = {"dataset": "folder:castles", "gammas": (1.0, 0.5), "seed": 7}
STATE = TrainingState(({"loss": 2.0}, {"loss": 0.5}, {"loss": 1.0}))


def part(count):
    paths = [f"{i}.jpg" for i in range(count)]
    images = LabelledImages.from_files(
        paths, np.arange(count) % 2, ("bridge", "tower")
    )
    return PartReport(images, np.arange(count), {}, {})


@pytest.fixture
def source():
    """A function that describes a run of three epochs, the second kept."""

    def source(preset=None, options=None, **parts):
        parts = {TRAINING: part(5), **parts}
        report = DatasetReport(parts, {})
        options = OPTIONS | (options or {})
        return training_source(options, preset, report, STATE, kept=1)

    return source


def test_the_record_is_json(source):
    record = source(**{VALIDATION: part(2)})["training"]
    # JSON has lists only.
    options = OPTIONS | {"gammas": [1.0, 0.5]}
    assert json.loads(json.dumps(record)) == record | {"options": options}


def test_data_and_metrics(source):
    record = source(**{VALIDATION: part(2)})["training"]
    assert record["options"] == OPTIONS
    assert record["data"] == {
        "photographs": 5,
        "photographs_validation": 2,
        "classes": ["bridge", "tower"],
    }
    assert record["kept_epoch"] == 2
    assert record["history"] == list(STATE.history)
    versions = record["versions"]
    assert versions["delf_keras"] == delf_keras.__version__
    assert versions["keras"] == keras.__version__
    assert versions["tensorflow"]


def test_without_validation(source):
    assert source()["training"]["data"]["photographs_validation"] == 0


def test_a_new_network(source):
    described = source()
    assert described["origin"] == (
        "trained on folder:castles from random weights"
    )
    assert described["training"]["start"] == {}
    assert "licence" not in described


def test_the_preset_that_it_starts_from(source):
    info = {
        "origin": "keras.applications, trained on ImageNet",
        "licence": "MIT",
        "sha256": {"model.weights.h5": "ab12"},
        "description": "Not of the new preset.",
        "score_threshold": 3.0,
    }
    described = source(Preset("mine", info))
    assert described["origin"] == "trained on folder:castles from mine"
    assert described["licence"] == "MIT"
    assert described["training"]["start"] == {
        "origin": "keras.applications, trained on ImageNet",
        "licence": "MIT",
        "sha256": {"model.weights.h5": "ab12"},
    }


def test_a_licence_of_one_s_own(source):
    start = Preset("start", {"licence": "MIT"})
    described = source(start, options={"licence": "CC0-1.0"})
    assert described["licence"] == "CC0-1.0"
