"""Curves and attention maps for TensorBoard."""

from pathlib import Path

import keras
import numpy as np


def tensorboard_callbacks(folder, images):
    """Makes the callbacks that write what TensorBoard shows.

    Args:
        folder: str or `Path`.
        images: float `[N, height, width, 3]`, 0 to 255. Photographs whose
            attention maps are shown.

    Returns:
        list of Keras callbacks.

    Raises:
        ImportError: if TensorBoard is not installed.
    """
    try:
        import tensorboard  # noqa: F401
    except ModuleNotFoundError as error:
        raise ImportError(
            'TensorBoard is needed: pip install "delf-keras[training]". '
            f"Received: {error}"
        ) from error
    folder = Path(folder)
    return [
        keras.callbacks.TensorBoard(folder, write_graph=False),
        AttentionMaps(folder / "attention", images),
    ]


class AttentionMaps(keras.callbacks.Callback):
    """Writes photographs and their attention maps at the end of each epoch.

    Args:
        folder: str or `Path`.
        images: float `[N, height, width, 3]`, 0 to 255.
    """

    def __init__(self, folder, images):
        super().__init__()
        self.folder = folder
        self.images = np.asarray(images, np.float32)
        self._writer = None

    def on_train_begin(self, logs=None):
        import tensorflow as tf

        self._writer = tf.summary.create_file_writer(str(self.folder))

    def on_epoch_end(self, epoch, logs=None):
        import tensorflow as tf

        outputs = self.model.delf(self.images, training=False)
        scores = keras.ops.convert_to_numpy(outputs["attention_scores"])
        pictures = beside_attention(self.images, scores)
        with self._writer.as_default():
            tf.summary.image("attention", pictures, epoch, len(pictures))
        self._writer.flush()

    def on_train_end(self, logs=None):
        self._writer.close()


def beside_attention(images, scores):
    """Puts attention maps to the right of their photographs.

    Args:
        images: float `[N, height, width, 3]`, 0 to 255.
        scores: float `[N, rows, columns]`. Each map is shown from black, its
            lowest score, to white, its highest.

    Returns:
        uint8 `[N, height, 2 * width, 3]`.
    """
    low = scores.min(axis=(1, 2), keepdims=True)
    span = scores.max(axis=(1, 2), keepdims=True) - low
    grey = 255 * (scores - low) / np.maximum(span, 1e-12)
    rows = np.arange(images.shape[1]) * grey.shape[1] // images.shape[1]
    columns = np.arange(images.shape[2]) * grey.shape[2] // images.shape[2]
    maps = grey[:, rows][:, :, columns, None].repeat(3, axis=-1)
    return np.concatenate([images, maps], axis=2).astype(np.uint8)
