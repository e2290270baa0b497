"""What is kept of a training run between its epochs, in its folder."""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path

from delf_keras.atomic import atomic_path
from delf_keras.models.weights import check_finite, save_weights
from delf_keras.system_errors import is_of_system

STATE_FILE = "state.json"
LOG_FILE = "log.csv"


@dataclass(frozen=True)
class TrainingState:
    """How far a run is.

    Attributes:
        history: The metrics of each epoch that is done, a dict each.
        monitor: The metric by which the best epoch is chosen. Of a loss the
            lowest value is the best, of all else the highest; NaN is worst.
    """

    history: tuple[dict[str, float], ...] = ()
    monitor: str = "loss"

    @property
    def epochs(self):
        """Number of epochs that are done."""
        return len(self.history)

    @property
    def best_epoch(self):
        """Index of the best epoch, the earliest of those that are equal."""
        sign = 1 if self.monitor.endswith("loss") else -1
        values = [sign * metrics[self.monitor] for metrics in self.history]
        # NaN is neither less than a number nor greater.
        return min(
            range(len(values)), key=lambda i: (math.isnan(values[i]), values[i])
        )


def read_state(folder, monitor="loss"):
    """Reads the state of a run.

    Args:
        folder: str or `Path`.
        monitor: str. See `TrainingState`; for a run that has not started.

    Returns:
        `TrainingState`, without history if there is none in the folder.

    Raises:
        ValueError: if the file of it is damaged.
    """
    path = Path(folder) / STATE_FILE
    if not path.exists():
        return TrainingState(monitor=monitor)
    try:
        values = json.loads(path.read_text())
        return TrainingState(tuple(values["history"]), values["monitor"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            "The state of a training run is a JSON object of history and "
            f"monitor. Received: {path} ({error!r})"
        ) from error


def save_epoch(folder, classifier, state):
    """Keeps the weights after the last epoch of a state, then the state.

    Weights and optimizer of the last and of the best epoch are kept. Whatever
    interrupts this, the folder holds either the state before or the one after.

    Args:
        folder: str or `Path`.
        classifier: Compiled Keras model.
        state: `TrainingState`.

    Raises:
        OSError: if a file cannot be written; what was there before is intact.
        ValueError: if a weight is NaN or infinite.
    """
    folder = Path(folder)
    check_finite(classifier)
    try:
        with atomic_path(weights_path(folder, state.epochs - 1)) as temporary:
            save_weights(classifier, temporary)
        _write_log(folder / LOG_FILE, state.history)
        with atomic_path(folder / STATE_FILE) as temporary:
            temporary.write_text(json.dumps(vars(state), indent=2))
    except OSError as error:
        raise OSError(
            "The checkpoint could not be written; the one before it is whole, "
            "and the same command goes on from there. "
            f"Received: folder={folder} ({error})"
        ) from error
    kept = {
        weights_path(folder, i) for i in (state.epochs - 1, state.best_epoch)
    }
    for path in folder.glob("epoch_*.weights.h5"):
        if path not in kept:
            path.unlink()


def weights_path(folder, epoch):
    """Returns the `Path` of the weights after an epoch, counted from 0."""
    return Path(folder) / f"epoch_{epoch + 1:05}.weights.h5"


def load_epoch(folder, classifier, epoch):
    """Gives a classifier the weights and the optimizer after an epoch.

    Args:
        folder: str or `Path`.
        classifier: Compiled Keras model, as the one that was saved.
        epoch: int, counted from 0.

    Raises:
        ValueError: if the file is missing, damaged or of another classifier.
    """
    path = weights_path(folder, epoch)
    # Without its variables an optimizer would overlook those of the file.
    classifier.optimizer.build(classifier.trainable_variables)
    try:
        classifier.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        if is_of_system(error) and not isinstance(error, FileNotFoundError):
            raise
        reason = str(error).split("\n")[0]
        raise ValueError(
            f"{path} does not hold the weights of this run: remove the folder "
            f"to start anew. Received: {reason}"
        ) from error


def _write_log(path, history):
    """Writes the metrics of all epochs as a table."""
    columns = list(dict.fromkeys(key for row in history for key in row))
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as f:
        writer = csv.DictWriter(f, ["epoch", *columns], lineterminator="\n")
        writer.writeheader()
        for epoch, metrics in enumerate(history, start=1):
            writer.writerow({"epoch": epoch, **metrics})
