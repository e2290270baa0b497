"""Schedules, clipping and weight decay, against their formulas."""

import keras
import numpy as np
import pytest

from delf_keras.training.optimizers import add_weight_decay, make_optimizer
from delf_keras.training.options import TrainingOptions

FORMULAS = {
    "constant": lambda part: 1.0,
    "linear": lambda part: 1.0 - part,
    "cosine": lambda part: (1 + np.cos(np.pi * part)) / 2,
}


@pytest.fixture
def model(randomise):
    """A model that has every kind of weight."""
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((4, 4, 2)),
            layers.Conv2D(3, 1),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    return randomise(model)


def values_of(variables):
    """Returns a dict of path to values, as they are now."""
    return {v.path: keras.ops.convert_to_numpy(v).copy() for v in variables}


@pytest.mark.parametrize("schedule", FORMULAS)
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_schedule(optimizer, schedule):
    options = TrainingOptions(
        "joint", optimizer=optimizer, schedule=schedule, learning_rate=0.5
    )
    optimizer = make_optimizer(options, total_steps=40)
    for step in (0, 10, 20, 39, 40):
        optimizer.iterations.assign(step)
        expected = 0.5 * FORMULAS[schedule](step / 40)
        assert float(optimizer.learning_rate) == pytest.approx(
            expected, rel=1e-5, abs=1e-7
        )


@pytest.mark.parametrize(
    ("clip_norm", "expected"),
    [(1.0, ([0.6, 0.0], [0.8])), (10.0, ([3, 0], [4])), (0, ([3, 0], [4]))],
)
def test_the_gradient_is_clipped_as_a_whole(clip_norm, expected):
    """Its length here is 5; one step of descent shows it."""
    options = TrainingOptions(
        "joint", learning_rate=1.0, schedule="constant", clip_norm=clip_norm
    )
    variables = [keras.Variable(np.zeros(size)) for size in (2, 1)]
    gradients = [keras.ops.array([3.0, 0.0]), keras.ops.array([4.0])]
    make_optimizer(options, 1).apply(gradients, variables)
    for variable, values in zip(variables, expected, strict=True):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(variable), -np.array(values), rtol=1e-6
        )


def test_momentum():
    options = TrainingOptions("joint", learning_rate=1.0, schedule="constant")
    variable = keras.Variable(np.zeros(1))
    optimizer = make_optimizer(options, 3)
    for _ in range(3):
        optimizer.apply([keras.ops.array([1.0])], [variable])
    # Velocities are 1, 1.9 and 2.71.
    (value,) = keras.ops.convert_to_numpy(variable)
    assert value == pytest.approx(-5.61, rel=1e-6)


def test_adamw_decays_kernels_alone(model):
    options = TrainingOptions(
        "joint",
        optimizer="adamw",
        learning_rate=0.5,
        schedule="constant",
        weight_decay=0.1,
    )
    variables = model.trainable_variables
    before = values_of(variables)
    nothing = [keras.ops.zeros(v.shape) for v in variables]
    make_optimizer(options, 1).apply(nothing, variables)
    for variable in variables:
        factor = 1 - 0.5 * 0.1 if variable.name == "kernel" else 1
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(variable),
            factor * before[variable.path],
            rtol=1e-6,
            err_msg=variable.path,
        )


def test_weight_decay_is_in_the_loss(model):
    model.layers[0].trainable = False
    (kernel,) = (v for v in model.trainable_variables if v.name == "kernel")
    add_weight_decay(model, rate=0.2)
    expected = 0.1 * np.sum(keras.ops.convert_to_numpy(kernel) ** 2)

    (loss,) = map(keras.ops.convert_to_numpy, model.losses)
    assert loss == pytest.approx(expected, rel=1e-5)


def test_the_gradient_of_weight_decay(model):
    """It is the rate times each kernel: descent of rate 1 subtracts that."""
    add_weight_decay(model, rate=0.2)
    model.compile(
        keras.optimizers.SGD(1.0),
        lambda labels, outputs: 0 * keras.ops.mean(outputs),
        run_eagerly=True,
    )
    before = values_of(model.trainable_variables)
    model.train_on_batch(np.ones((2, 4, 4, 2)), np.zeros(2))
    for variable in model.trainable_variables:
        factor = 0.8 if variable.name == "kernel" else 1
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(variable),
            factor * before[variable.path],
            rtol=1e-5,
            err_msg=variable.path,
        )
