"""What a run keeps: the best epoch, the log, and weights that are whole."""

import csv

import keras
import numpy as np
import pytest

from delf_keras.training import state
from delf_keras.training.state import (
    LOG_FILE,
    TrainingState,
    load_epoch,
    read_state,
    save_epoch,
    weights_path,
)


def state_of(*losses, monitor="loss"):
    return TrainingState(tuple({monitor: each} for each in losses), monitor)


@pytest.fixture
def classifier(make_small_classifier):
    classifier = make_small_classifier()
    classifier.optimizer.build(classifier.trainable_variables)
    return classifier


def fill(classifier, value):
    """Gives every weight, and the momenta of the optimizer, a value."""
    for variable in [*classifier.weights, *classifier.optimizer.variables]:
        variable.assign(np.full(variable.shape, value))


def values_in(classifier):
    variables = [*classifier.weights, *classifier.optimizer.variables]
    return {
        float(each)
        for variable in variables
        for each in np.ravel(keras.ops.convert_to_numpy(variable))
    }


@pytest.mark.parametrize(
    ("monitor", "values", "best"),
    [
        ("loss", (3, 1, 2), 1),
        ("val_loss", (3, 1, 1), 1),
        ("attention_accuracy", (3, 1, 2), 0),
        ("mAP_M", (1, 3, 3), 1),
        ("val_loss", (np.nan, 3, np.nan, 1, np.inf), 3),
        ("mAP_M", (np.nan, 1, 3, np.nan), 2),
        ("mAP_M", (np.nan, np.nan), 0),
    ],
)
def test_the_best_epoch(monitor, values, best):
    assert state_of(*values, monitor=monitor).best_epoch == best


def test_a_run_that_has_not_started(tmp_path):
    assert read_state(tmp_path, "mAP_M") == TrainingState((), "mAP_M")
    assert read_state(tmp_path / "none").epochs == 0


def test_a_state_is_read_as_it_was_saved(tmp_path, classifier):
    saved = state_of(0.1 + 0.2, 1e-30, monitor="val_loss")
    save_epoch(tmp_path, classifier, saved)
    # It has its own monitor.
    assert read_state(tmp_path, "loss") == saved


def test_weights_and_optimizer_are_kept(tmp_path, classifier):
    fill(classifier, 2)
    save_epoch(tmp_path, classifier, state_of(1.0))
    fill(classifier, 3)
    save_epoch(tmp_path, classifier, state_of(1.0, 2.0))
    for epoch, value in enumerate((2, 3)):
        load_epoch(tmp_path, classifier, epoch)
        assert values_in(classifier) == {value}


def test_weights_are_loaded_into_a_new_classifier(
    tmp_path, classifier, make_small_classifier
):
    """One whose optimizer has no variables yet."""
    fill(classifier, 2)
    save_epoch(tmp_path, classifier, state_of(1.0))
    new = make_small_classifier()
    load_epoch(tmp_path, new, 0)
    assert values_in(new) == {2}


def test_metrics_of_some_epochs_alone(tmp_path, classifier):
    history = ({"loss": 1.0}, {"loss": 0.5, "mAP_M": 0.25})
    save_epoch(tmp_path, classifier, TrainingState(history))
    with open(tmp_path / LOG_FILE, newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["epoch", "loss", "mAP_M"],
        ["1", "1.0", ""],
        ["2", "0.5", "0.25"],
    ]


def test_weights_that_are_not_finite(tmp_path, classifier):
    classifier.weights[0].assign(np.full(3, np.nan))
    with pytest.raises(ValueError, match="NaN or infinity in .*gamma"):
        save_epoch(tmp_path, classifier, state_of(1.0))
    assert not list(tmp_path.iterdir())


def test_killed_between_weights_and_state(tmp_path, classifier, monkeypatch):
    """The state before stands, and so do its weights."""

    def kill(path, history):
        raise KeyboardInterrupt

    fill(classifier, 2)
    save_epoch(tmp_path, classifier, state_of(1.0))
    fill(classifier, 3)
    monkeypatch.setattr(state, "_write_log", kill)
    with pytest.raises(KeyboardInterrupt):
        save_epoch(tmp_path, classifier, state_of(1.0, 0.5))

    before = read_state(tmp_path)
    load_epoch(tmp_path, classifier, before.epochs - 1)
    assert before == state_of(1.0)
    assert values_in(classifier) == {2}


def test_a_full_disk(tmp_path, classifier, full_disk):
    """HDF5 that finds it would end the process."""
    with (
        full_disk(1000),
        pytest.raises(OSError, match="same command goes on .*File too large"),
    ):
        save_epoch(tmp_path, classifier, state_of(1.0))
    assert not list(tmp_path.iterdir())


def test_weights_of_another_classifier(tmp_path, classifier):
    save_epoch(tmp_path, classifier, state_of(1.0))
    other = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    other.compile("sgd")
    path = weights_path(tmp_path, 0)
    with pytest.raises(ValueError, match=f"{path} does not hold the weights"):
        load_epoch(tmp_path, other, 0)


def test_missing_weights(tmp_path, classifier):
    with pytest.raises(
        ValueError, match="epoch_00007.weights.h5 does not hold the weights"
    ):
        load_epoch(tmp_path, classifier, 6)
