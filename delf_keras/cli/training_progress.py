"""Progress of training: a bar on a terminal, plain lines elsewhere."""

import sys
import time

import keras

_SECONDS_BETWEEN_LINES = 30.0


class TrainingProgress(keras.callbacks.Callback):
    """Shows the steps and the metrics of a run on stderr.

    Args:
        batch_size: int. For photographs per second.
    """

    def __init__(self, batch_size):
        super().__init__()
        self.batch_size = batch_size
        self._bar = None
        self._epoch = 0
        self._last_line = 0.0
        self._started = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        self._started = self._last_line = time.monotonic()
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                desc=self._label(), total=self.params["steps"], leave=False
            )

    def on_train_batch_end(self, batch, logs=None):
        if self._bar is not None:
            self._bar.set_postfix(_rounded(logs), refresh=False)
            self._bar.update()
        elif time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._print(f"step {batch + 1} of {self.params['steps']}", logs)

    def on_epoch_end(self, epoch, logs=None):
        self.close()
        seconds = time.monotonic() - self._started
        photographs = self.params["steps"] * self.batch_size
        self._print(
            f"{seconds:.0f} s, {photographs / seconds:.1f} images/s", logs
        )

    def close(self):
        """Takes the bar away, for whatever is written next."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _label(self):
        return f"epoch {self._epoch + 1} of {self.params['epochs']}"

    def _print(self, what, logs):
        metrics = ", ".join(
            f"{name} {value}" for name, value in _rounded(logs).items()
        )
        print(
            f"{self._label()}: {what}: {metrics}", file=sys.stderr, flush=True
        )


def _rounded(logs):
    return {name: f"{value:.4g}" for name, value in logs.items()}
