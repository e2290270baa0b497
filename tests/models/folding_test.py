"""Folding batch norms leaves what the model computes."""

import keras
import numpy as np
import pytest

from delf_keras.models.delf import Delf
from delf_keras.models.folding import fold_batch_norm
from delf_keras.models.weights import model_fingerprint

VARIANTS = {
    "first": {},
    "last": {"resnet": {"stride_placement": "last"}},
    "conv": {"attention": "conv"},
    "conv_without_batch_norm": {
        "attention": "conv",
        "attention_batch_norm": False,
        "scaling": "tf_models",
    },
    "autoencoder": {"attention": "conv", "autoencoder": 32},
    "block_4": {"resnet": {"output_block": 4, "output_stride": 32}},
}


def assert_same(received, expected, tolerance):
    for name in ("features", "attention_scores"):
        values, others = (
            keras.ops.convert_to_numpy(outputs[name]).astype(np.float32)
            for outputs in (expected, received)
        )
        assert np.abs(others - values).max() < tolerance * np.abs(values).max()


@pytest.mark.parametrize("variant", VARIANTS)
def test_folded_computes_the_same(make_model, make_photograph, variant):
    model = make_model(depth=26, **VARIANTS[variant])
    pixels = make_photograph(97, 130)[None]
    folded = fold_batch_norm(model)

    assert {v.name for v in folded.weights} == {"kernel", "bias"}
    assert_same(folded(pixels), model(pixels), 1e-5)


def test_a_backbone_of_any_layers(make_network, make_photograph):
    model = Delf(make_network(), "conv")
    model.build((None, None, None, 3))
    pixels = make_photograph(64, 80)[None]
    assert_same(fold_batch_norm(model)(pixels), model(pixels), 1e-5)


def test_model_is_left_as_it_was(make_model):
    model = make_model(attention="conv")
    before = model_fingerprint(model)
    fold_batch_norm(model)
    assert model_fingerprint(model) == before


def test_the_rest_of_the_config_is_kept(make_model):
    model = make_model(attention="conv", autoencoder=6, resampling="tf1")
    changed = {"attention_batch_norm": False}
    expected, received = (
        {k: v for k, v in each.get_config().items() if k != "backbone"}
        for each in (model, fold_batch_norm(model))
    )
    assert received == expected | changed


def test_statistics_are_fixed(make_model, make_photograph):
    folded = fold_batch_norm(make_model(attention="conv"))
    pixels = make_photograph(64, 80)[None]
    assert_same(folded(pixels, training=True), folded(pixels), 1e-6)


def test_folding_twice(make_model, make_photograph):
    model = make_model(attention="conv")
    pixels = make_photograph(64, 80)[None]
    twice = fold_batch_norm(fold_batch_norm(model))
    assert_same(twice(pixels), model(pixels), 1e-5)


def test_precision(make_model, make_photograph):
    model = make_model(attention="conv")
    pixels = make_photograph(64, 80)[None]
    folded = fold_batch_norm(model, "mixed_bfloat16")
    outputs = folded(pixels)

    features = keras.backend.standardize_dtype(outputs["features"].dtype)
    assert features == "bfloat16"
    assert_same(outputs, model(pixels), 0.05)


def test_folding_a_model_of_mixed_precision(make_model, make_photograph):
    """The folded precision is the one asked for, not that of the model."""
    pixels = make_photograph(64, 80)[None]
    mixed = make_model(
        dtype="mixed_bfloat16", resnet={"dtype": "mixed_bfloat16"}
    )
    folded = fold_batch_norm(mixed, "float32")

    assert_same(folded(pixels), make_model()(pixels), 1e-5)
