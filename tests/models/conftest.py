"""Fixtures of the tests of models, which run on any Keras backend."""

import keras
import pytest


@pytest.fixture(scope="session")
def compute():
    """A function that calls a model or layer, and returns NumPy arrays.

    NumPy does not take the tensors of PyTorch, which record gradients.
    """

    def compute(layer, *inputs, **options):
        return keras.tree.map_structure(
            keras.ops.convert_to_numpy, layer(*inputs, **options)
        )

    return compute
