"""Progress of training on a terminal and elsewhere."""

import sys
import time

import pytest

from delf_keras.cli import training_progress
from delf_keras.cli.training_progress import TrainingProgress


@pytest.fixture
def clock(monkeypatch):
    """A list whose last item is the time, in seconds."""
    times = [100.0]
    monkeypatch.setattr(training_progress.time, "monotonic", lambda: times[-1])
    return times


def run(clock, seconds):
    """Shows an epoch of four steps that take some seconds each."""
    progress = TrainingProgress(batch_size=8)
    progress.set_params({"steps": len(seconds), "epochs": 5})
    progress.on_epoch_begin(2)
    for step, each in enumerate(seconds):
        clock.append(clock[-1] + each)
        progress.on_train_batch_end(step, {"loss": 2 / (step + 1)})
    progress.on_epoch_end(2, {"loss": 0.123456, "val_loss": 12.0})


def test_a_line_for_an_epoch(clock, capsys):
    run(clock, [1.0] * 4)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "epoch 3 of 5: 4 s, 8.0 images/s: loss 0.1235, val_loss 12\n"
    )


def test_a_line_every_30_seconds(clock, capsys):
    run(clock, [20.0] * 4)
    assert capsys.readouterr().err.splitlines() == [
        "epoch 3 of 5: step 2 of 4: loss 1",
        "epoch 3 of 5: step 4 of 4: loss 0.5",
        "epoch 3 of 5: 80 s, 0.4 images/s: loss 0.1235, val_loss 12",
    ]


def test_a_bar_on_a_terminal(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress = TrainingProgress(batch_size=8)
    progress.set_params({"steps": 2, "epochs": 5})
    progress.on_epoch_begin(2)
    for step in range(2):
        # What comes faster is not drawn.
        time.sleep(0.15)
        clock.append(clock[-1] + 40)
        progress.on_train_batch_end(step, {"loss": 0.5})
    progress.on_epoch_end(2, {"loss": 0.25})

    *drawn, line = capsys.readouterr().err.split("\r")
    assert any("epoch 3 of 5: 100%|" in each for each in drawn)
    assert any(" 2/2 " in each and "loss=0.5" in each for each in drawn)
    assert line == "epoch 3 of 5: 80 s, 0.2 images/s: loss 0.25\n"


def test_an_interrupted_bar_is_taken_away(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress = TrainingProgress(batch_size=8)
    progress.set_params({"steps": 2, "epochs": 5})
    progress.on_epoch_begin(2)
    progress.close()
    assert capsys.readouterr().err.split("\r")[-1].strip() == ""
