"""What TensorBoard is given to show."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from delf_keras.training.tensorboard import (
    AttentionMaps,
    beside_attention,
    tensorboard_callbacks,
)


def test_maps_beside_photographs():
    """From black to white, each cell as large as its part of the photograph."""
    images = np.full((2, 4, 4, 3), 7.0, np.float32)
    scores = np.array([[[1, 2], [3, 5]], [[4, 4], [4, 4]]], np.float32)
    pictures = beside_attention(images, scores)

    assert pictures.shape == (2, 4, 8, 3) and pictures.dtype == np.uint8
    np.testing.assert_array_equal(pictures[:, :, :4], images)
    cells = [[0, 63], [127, 255]]
    expected = np.kron(cells, np.ones((2, 2)))
    for channel in range(3):
        np.testing.assert_array_equal(pictures[0, :, 4:, channel], expected)
    # A map without differences is black.
    np.testing.assert_array_equal(pictures[1, :, 4:], 0)


def test_sides_that_are_no_multiple_of_the_map():
    scores = np.array([[[0, 1, 2]]], np.float32)
    (picture,) = beside_attention(np.zeros((1, 2, 7, 3), np.float32), scores)
    np.testing.assert_array_equal(
        picture[0, 7:, 0], [0, 0, 0, 127, 127, 255, 255]
    )


def test_event_files(tmp_path, tiny_model, make_photograph):
    from tensorboard.backend.event_processing import event_accumulator

    images = np.stack([make_photograph(32, 48, seed) for seed in (1, 2)])
    callback = AttentionMaps(tmp_path, images)
    callback.set_model(SimpleNamespace(delf=tiny_model))
    callback.on_train_begin()
    for epoch in (4, 5):
        callback.on_epoch_end(epoch, {})
    callback.on_train_end()

    events = event_accumulator.EventAccumulator(
        str(tmp_path), size_guidance={event_accumulator.TENSORS: 0}
    )
    events.Reload()
    assert events.Tags()["tensors"] == ["attention"]
    shown = events.Tensors("attention")
    assert [event.step for event in shown] == [4, 5]
    # Width, height, and a PNG of each photograph.
    width, height, *encoded = shown[0].tensor_proto.string_val
    assert (width, height) == (b"96", b"32")
    pictures = [tf.io.decode_png(each).numpy() for each in encoded]
    scores = tiny_model(images)["attention_scores"].numpy()
    np.testing.assert_array_equal(
        pictures, beside_attention(images.astype(np.float32), scores)
    )


def test_callbacks(tmp_path, make_small_classifier, coloured_data):
    """Curves of `fit`; attention maps need a `Delf`."""
    from tensorboard.backend.event_processing import event_accumulator

    curves, maps = tensorboard_callbacks(tmp_path, np.zeros((1, 32, 32, 3)))
    assert isinstance(maps, AttentionMaps)
    make_small_classifier().fit(
        coloured_data.batches(0, 4),
        steps_per_epoch=2,
        epochs=2,
        callbacks=[curves],
        shuffle=False,
        verbose=0,
    )
    events = event_accumulator.EventAccumulator(str(tmp_path / "train"))
    events.Reload()
    assert {"epoch_loss", "epoch_accuracy"} <= set(events.Tags()["tensors"])
    assert len(events.Tensors("epoch_loss")) == 2


def test_without_tensorboard(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(
        ImportError, match=r'pip install "delf-keras\[training\]".*Received: '
    ):
        tensorboard_callbacks(tmp_path, np.zeros((1, 32, 32, 3)))
    assert not list(tmp_path.iterdir())
