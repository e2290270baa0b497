"""Descriptors are kept in half precision, or in steps."""

import numpy as np
import pytest

from delf_keras.retrieval.stored_descriptors import (
    choose_step,
    from_stored,
    to_stored,
)


@pytest.fixture
def descriptors():
    vectors = np.random.default_rng(0).normal(0, 1, (50, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def test_halves(descriptors):
    step = choose_step(descriptors, "float16")
    stored = to_stored(descriptors, step)

    assert step is None and stored.dtype == np.float16
    np.testing.assert_array_equal(
        from_stored(stored, step), stored.astype(np.float32)
    )


def test_steps_are_off_by_half_a_step(descriptors):
    step = choose_step(descriptors, "int8")
    stored = to_stored(descriptors, step)
    back = from_stored(stored, step)

    assert stored.dtype == np.int8 and np.abs(stored).max() == 127
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, descriptors, atol=step / 2 * 1.001)
    np.testing.assert_array_equal(to_stored(back, step), stored)


def test_components_beyond_the_sample_are_clipped(descriptors):
    step = choose_step(descriptors, "int8")
    stored = to_stored(np.array([[2.0, -2.0]], np.float32), step)
    assert stored.tolist() == [[127, -127]]


def test_sample_of_zeros():
    step = choose_step(np.zeros((3, 4), np.float32), "int8")
    assert not to_stored(np.zeros((1, 4), np.float32), step).any()


def test_unknown_type(descriptors):
    with pytest.raises(ValueError, match="Received: descriptor_type=int4"):
        choose_step(descriptors, "int4")
