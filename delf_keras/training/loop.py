"""A training run: `fit`, from where an interrupted one was."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import keras

from delf_keras.training.state import (
    load_epoch,
    read_state,
    save_epoch,
)


@dataclass(frozen=True)
class TrainingData:
    """Where the batches of a run come from.

    Attributes:
        batches: Function of the first step and the number of steps that
            returns these steps' batches: a `tf.data.Dataset` or an iterable of
            pairs of images `[batch, height, width, 3]` and labels `[batch]`.
            The batch of a step must always be the same.
        validation: Function that returns the batches of the validation set,
            or None.
        names: Function of a step that returns the names of its photographs.
    """

    batches: Callable
    names: Callable
    validation: Callable | None = None


def train(
    classifier,
    data,
    epochs,
    epoch_length,
    folder,
    *,
    monitor=None,
    callbacks=(),
):
    """Trains a classifier, or goes on where the run of a folder was.

    A run that was interrupted at any moment ends with the weights and the
    metrics of one that was not: it goes on after the last epoch that it
    finished, with the batches that it would have seen.

    Args:
        classifier: Compiled Keras model.
        data: `TrainingData`.
        epochs: int.
        epoch_length: int. Steps of an epoch.
        folder: str or `Path`. Where the run keeps its state.
        monitor: str. The metric by which the best epoch is chosen, see
            `TrainingState`. Defaults to the loss of the validation set, or of
            training if there is none.
        callbacks: Keras callbacks. What they add to the metrics at the end of
            an epoch is kept.

    Returns:
        `TrainingState`. The classifier has the weights of the last epoch.

    Raises:
        ValueError: if the loss becomes NaN.
        OSError: if a checkpoint cannot be written.
    """
    if monitor is None:
        monitor = "loss" if data.validation is None else "val_loss"
    state = read_state(folder, monitor)
    if state.epochs:
        load_epoch(folder, classifier, state.epochs - 1)
    if state.epochs >= epochs:
        return state
    first_step = state.epochs * epoch_length
    checkpoint = Checkpoint(folder, state)
    classifier.fit(
        data.batches(first_step, epochs * epoch_length - first_step),
        validation_data=data.validation and data.validation(),
        initial_epoch=state.epochs,
        epochs=epochs,
        steps_per_epoch=epoch_length,
        callbacks=[
            StopOnNaN(epoch_length, data.names),
            *callbacks,
            checkpoint,
        ],
        # The batches come in their order.
        shuffle=False,
        verbose=0,
    )
    return checkpoint.state


class Checkpoint(keras.callbacks.Callback):
    """Keeps weights, optimizer and metrics after each epoch.

    Args:
        folder: str or `Path`.
        state: `TrainingState` to go on from.

    Attributes:
        state: `TrainingState` after the last epoch.
    """

    def __init__(self, folder, state):
        super().__init__()
        self.folder = folder
        self.state = state

    def on_epoch_end(self, epoch, logs=None):
        metrics = {name: float(value) for name, value in logs.items()}
        if self.state.monitor not in metrics:
            raise ValueError(
                f"The best epoch is chosen by one of {sorted(metrics)}. "
                f"Received: monitor={self.state.monitor!r}"
            )
        self.state = replace(self.state, history=(*self.state.history, metrics))
        save_epoch(self.folder, self.model, self.state)


class StopOnNaN(keras.callbacks.Callback):
    """Stops a run whose loss is not finite, and names the photographs.

    Args:
        epoch_length: int. Steps of an epoch.
        names: Function of a step that returns the names of its photographs.
    """

    def __init__(self, epoch_length, names):
        super().__init__()
        self.epoch_length = epoch_length
        self.names = names
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if math.isfinite(logs["loss"]):
            return
        step = self._epoch * self.epoch_length + batch
        raise ValueError(
            "The loss is no longer finite: lower the learning rate, or look "
            f"at the photographs of this batch. Received: "
            f"loss={logs['loss']} at step {step + 1} (epoch "
            f"{self._epoch + 1}), of {', '.join(self.names(step))}"
        )
