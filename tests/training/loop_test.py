"""A run: it learns, goes on after a kill, and stops where it must."""

import contextlib
import csv
import dataclasses
import json

import keras
import numpy as np
import pytest

from delf_keras.training.loop import train
from delf_keras.training.state import LOG_FILE, STATE_FILE, read_state

EPOCHS = 4
LENGTH = 3


class Killed(BaseException):
    """Ends a run where it is, as a signal does."""


class KillAt(keras.callbacks.Callback):
    """Kills a run in the middle of a step, counted over the whole run."""

    def __init__(self, step):
        super().__init__()
        self.steps_left = step

    def on_train_batch_begin(self, batch, logs=None):
        if self.steps_left == 0:
            raise Killed
        self.steps_left -= 1


def run(make_small_classifier, data, folder, **options):
    classifier = make_small_classifier()
    state = train(classifier, data, EPOCHS, LENGTH, folder, **options)
    return classifier, state


@pytest.fixture
def whole(make_small_classifier, coloured_data, tmp_path):
    """The classifier and the state of a run that was not interrupted."""
    return run(make_small_classifier, coloured_data, tmp_path / "whole")


def test_it_learns(whole):
    _, state = whole
    losses = [metrics["loss"] for metrics in state.history]
    assert losses[-1] < losses[0] / 2
    assert state.history[-1]["accuracy"] > 0.7
    assert {"val_loss", "val_accuracy"} <= set(state.history[0])


@pytest.mark.parametrize("step", [1, 5, 11])
def test_a_killed_run_ends_as_one_that_was_not(
    whole, make_small_classifier, coloured_data, tmp_path, step
):
    expected, expected_state = whole
    with pytest.raises(Killed):
        run(
            make_small_classifier,
            coloured_data,
            tmp_path / "run",
            callbacks=[KillAt(step)],
        )
    resumed, state = run(make_small_classifier, coloured_data, tmp_path / "run")

    for name in expected_state.history[0]:
        np.testing.assert_allclose(
            [metrics[name] for metrics in state.history],
            [metrics[name] for metrics in expected_state.history],
            rtol=1e-5,
            err_msg=name,
        )
    for received, weight in zip(resumed.weights, expected.weights, strict=True):
        np.testing.assert_allclose(
            received, weight, rtol=1e-4, atol=1e-6, err_msg=weight.path
        )
    assert int(resumed.optimizer.iterations) == EPOCHS * LENGTH


def test_a_finished_run_is_not_run_again(
    make_small_classifier, coloured_data, tmp_path
):
    _, state = run(make_small_classifier, coloured_data, tmp_path)
    none_left = dataclasses.replace(coloured_data, batches=None)
    classifier, again = run(make_small_classifier, none_left, tmp_path)

    assert again == state
    assert int(classifier.optimizer.iterations) == EPOCHS * LENGTH


def test_the_log_has_a_row_for_each_epoch(
    make_small_classifier, coloured_data, tmp_path
):
    _, state = run(make_small_classifier, coloured_data, tmp_path)
    with open(tmp_path / LOG_FILE, newline="") as file:
        rows = list(csv.DictReader(file))

    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    for row, metrics in zip(rows, state.history, strict=True):
        assert {name: float(row[name]) for name in metrics} == metrics


def test_the_last_and_the_best_weights_are_kept(
    make_small_classifier, coloured_data, tmp_path
):
    class Worsen(keras.callbacks.Callback):
        """Makes the second epoch the best by a metric of its own."""

        def on_epoch_end(self, epoch, logs=None):
            logs["M"] = [0.5, 0.75, 0.75, 0.25][epoch]

    _, state = run(
        make_small_classifier,
        coloured_data,
        tmp_path,
        monitor="M",
        callbacks=[Worsen()],
    )

    assert state.best_epoch == 1
    assert sorted(path.name for path in tmp_path.glob("*.h5")) == [
        "epoch_00002.weights.h5",
        "epoch_00004.weights.h5",
    ]
    assert read_state(tmp_path) == state


def test_an_unknown_monitor(make_small_classifier, coloured_data, tmp_path):
    with pytest.raises(ValueError, match="'accuracy', 'loss', .*mAP'"):
        run(make_small_classifier, coloured_data, tmp_path, monitor="mAP")


def test_nan_names_the_photographs(
    make_small_classifier, coloured_data, tmp_path
):
    def batches(first_step, num_steps):
        good = coloured_data.batches(first_step, num_steps)
        for step, (images, labels) in enumerate(good, start=first_step):
            yield images if step != 4 else images * np.nan, labels

    data = dataclasses.replace(coloured_data, batches=batches)
    with pytest.raises(
        ValueError, match=r"loss=nan at step 5 \(epoch 2\), of 4-0.jpg, 4-1"
    ):
        run(make_small_classifier, data, tmp_path)
    # What the first epoch learned is kept.
    assert read_state(tmp_path).epochs == 1


def test_a_full_disk_leaves_the_checkpoint_before(
    make_small_classifier, coloured_data, tmp_path, full_disk
):
    class Fill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                disk.enter_context(full_disk(1000))

    with (
        contextlib.ExitStack() as disk,
        pytest.raises(OSError, match="goes on from there.*File too large"),
    ):
        run(make_small_classifier, coloured_data, tmp_path, callbacks=[Fill()])

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "epoch_00002.weights.h5",
        LOG_FILE,
        STATE_FILE,
    ]
    _, state = run(make_small_classifier, coloured_data, tmp_path)
    assert state.epochs == EPOCHS


@pytest.mark.parametrize("content", ["", "[]", '{"history": []}'])
def test_a_damaged_state(
    make_small_classifier, coloured_data, tmp_path, content
):
    (tmp_path / STATE_FILE).write_text(content)
    with pytest.raises(ValueError, match=STATE_FILE):
        run(make_small_classifier, coloured_data, tmp_path)


def test_damaged_weights(make_small_classifier, coloured_data, tmp_path):
    run(make_small_classifier, coloured_data, tmp_path)
    (tmp_path / "epoch_00004.weights.h5").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="remove the folder to start anew"):
        run(make_small_classifier, coloured_data, tmp_path)
    state = json.loads((tmp_path / STATE_FILE).read_text())
    assert len(state["history"]) == EPOCHS
