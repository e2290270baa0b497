"""Fixtures of training: batches of colours, and a classifier of them."""

import keras
import numpy as np
import pytest

from delf_keras.training.loop import TrainingData

NUM_CLASSES = 3
BATCH_SIZE = 4


def coloured_batch(step, size=32):
    """Noise around a colour for each class; the same for the same step."""
    rng = np.random.default_rng(step)
    labels = rng.integers(NUM_CLASSES, size=BATCH_SIZE)
    colours = 60.0 + 130.0 * np.eye(3)[labels]
    noise = rng.normal(0, 20, (BATCH_SIZE, size, size, 3))
    return (colours[:, None, None] + noise).astype(np.float32), labels


@pytest.fixture
def coloured_data():
    """`TrainingData` of batches in which a colour tells the class."""

    def batches(first_step, num_steps):
        for step in range(first_step, first_step + num_steps):
            yield coloured_batch(step)

    return TrainingData(
        batches,
        names=lambda step: [f"{step}-{i}.jpg" for i in range(BATCH_SIZE)],
        validation=lambda: coloured_batch(10_000),
    )


@pytest.fixture
def make_small_classifier():
    """A function that makes a compiled classifier, quick to trace.

    Like the real ones it has batch statistics, and an optimizer with state.
    """

    def make_small_classifier():
        keras.utils.set_random_seed(1)
        layers = keras.layers
        classifier = keras.Sequential(
            [
                layers.Input((32, 32, 3)),
                layers.AveragePooling2D(32),
                layers.Flatten(),
                layers.BatchNormalization(),
                layers.Dense(NUM_CLASSES, activation="softmax"),
            ]
        )
        classifier.compile(
            "adam",
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
            jit_compile=False,
        )
        classifier.optimizer.learning_rate = 0.1
        return classifier

    return make_small_classifier
