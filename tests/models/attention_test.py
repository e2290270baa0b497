"""Attention scores against their formula in NumPy."""

import keras
import numpy as np
import pytest

from delf_keras.models.attention import Attention, NormAttention


def random_features(channels=6, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 3, (2, 5, 7, channels)).astype(np.float32)


def built(layer, randomise, channels=6):
    layer.build((None, None, None, channels))
    return randomise(layer)


def reference_scores(layer, features):
    x = features @ layer.conv_1.kernel.numpy()[0, 0] + layer.conv_1.bias.numpy()
    if layer.bn_1 is not None:
        mean, variance, gamma, beta = (
            getattr(layer.bn_1, name).numpy()
            for name in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        x = (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    x = np.maximum(x, 0)
    x = x @ layer.conv_2.kernel.numpy()[0, 0] + layer.conv_2.bias.numpy()
    return np.log1p(np.exp(x[..., 0]))


@pytest.mark.parametrize("batch_norm", [True, False])
def test_formula(randomise, compute, batch_norm):
    layer = built(Attention(filters=16, batch_norm=batch_norm), randomise)
    features = random_features()
    scores = compute(layer, features)

    assert scores.shape == (2, 5, 7) and scores.dtype == np.float32
    assert scores.min() > 0
    np.testing.assert_allclose(
        scores, reference_scores(layer, features), rtol=1e-5
    )


def test_features_are_not_normalised(randomise, compute):
    layer = built(Attention(filters=16), randomise)
    features = random_features()

    brighter = compute(layer, 10 * features)
    assert np.abs(brighter - compute(layer, features)).max() > 1


def test_batch_norm_adds_its_weights(randomise):
    with_norm = built(Attention(), randomise)
    without = built(Attention(batch_norm=False), randomise)

    assert with_norm.conv_1.kernel.shape == (1, 1, 6, 512)
    assert len(with_norm.weights) == 8 and len(without.weights) == 4


def test_training_uses_the_batch_statistics(randomise, compute):
    layer = built(Attention(filters=16), randomise)
    features = random_features()
    inference = compute(layer, features)
    training = compute(layer, features, training=True)

    assert np.abs(training - inference).max() > 1e-2


def test_norm_attention_is_the_norm(compute):
    features = random_features()
    scores = compute(NormAttention(), features)

    assert scores.dtype == np.float32
    np.testing.assert_allclose(
        scores, np.linalg.norm(features, axis=-1), rtol=1e-6
    )
    assert not NormAttention().weights


def test_norm_attention_of_nothing_is_zero(compute):
    scores = compute(NormAttention(), np.zeros((1, 2, 2, 6), np.float32))
    np.testing.assert_array_equal(scores, np.zeros((1, 2, 2)))


@pytest.mark.parametrize("layer_class", [Attention, NormAttention])
def test_scores_are_float32_under_mixed_precision(
    randomise, compute, layer_class
):
    features = random_features()
    layer = built(layer_class(dtype="mixed_bfloat16"), randomise)
    exact = built(layer_class(), randomise)
    scores = compute(layer, features)

    assert layer.compute_dtype == "bfloat16"
    assert scores.dtype == np.float32
    np.testing.assert_allclose(
        scores, compute(exact, features), rtol=0.05, atol=0.05
    )


@pytest.mark.parametrize("layer_class", [Attention, NormAttention])
def test_symbolic_output(layer_class):
    """The shape and dtype in a functional model, whatever the precision."""
    features = keras.KerasTensor((None, None, None, 6))
    scores = layer_class(dtype="mixed_bfloat16")(features)

    assert scores.shape == (None, None, None)
    assert scores.dtype == "float32"
    assert layer_class().compute_output_shape((2, 5, 7, 6)) == (2, 5, 7)


def test_config():
    layer = Attention(filters=16, batch_norm=False, name="attention")
    copy = Attention.from_config(layer.get_config())

    assert copy.get_config() == layer.get_config()
    assert (copy.filters, copy.bn_1, copy.name) == (16, None, "attention")
