"""`delf_tiny`, the preset that comes with the package."""

from importlib import resources

import keras
import numpy as np
import pytest
from absl import flags as absl_flags

from delf_keras.cli import train
from delf_keras.datasets.synthetic import render_view
from delf_keras.models import presets
from delf_keras.models.delf import Delf

NAME = "delf_tiny"


@pytest.fixture(scope="module")
def preset():
    return presets.find_preset(NAME)


@pytest.fixture(scope="module")
def model():
    return Delf.from_preset(NAME)


def test_it_is_small(preset, model):
    files = list(preset.folder.iterdir())
    assert sum(file.stat().st_size for file in files) < 4_000_000
    assert sum(np.prod(weight.shape) for weight in model.weights) < 1_000_000


def test_its_weights_are_of_float16_on_disk_and_float32_here(model):
    for weight in model.weights:
        values = keras.ops.convert_to_numpy(weight)
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, np.float16(values))


def test_it_has_learned_buildings(model, compute):
    """Of the demonstration, which it has not seen: untrained it finds half."""
    views = np.stack(
        [
            render_view(landmark, view, size=(96, 128)).image
            for landmark in range(4)
            for view in range(2)
        ]
    )
    outputs = compute(model, views)
    weights = outputs["attention_scores"].reshape(len(views), 6, 8, 1)
    pooled = (weights * outputs["features"]).sum(axis=(1, 2))
    pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
    similarities = pooled @ pooled.T
    np.fill_diagonal(similarities, -1)

    others = np.arange(len(views)) ^ 1
    assert np.mean(similarities.argmax(axis=1) == others) >= 7 / 8


def test_its_recipe_is_what_it_was_trained_by(preset):
    recipes = resources.files("delf_keras") / "training" / "recipes"
    flags = absl_flags.FlagValues()
    train.define_flags(flags)
    flags(["", f"--output={NAME}", f"--flagfile={recipes / NAME}.flags"])
    trained = preset.info["training"]["options"]

    named = {name: flags[name].value for name in flags if flags[name].present}
    assert len(named) > 20
    assert named.items() <= trained.items()


def test_it_takes_no_weights_of_imagenet(tmp_path):
    with pytest.raises(ValueError, match="ImageNet weights"):
        Delf.from_preset(NAME, weights=tmp_path / "resnet50.h5")


def test_features(model, make_photograph, compute):
    outputs = compute(model, make_photograph(96, 128)[None])
    assert outputs["features"].shape == (1, 6, 8, 512)
    assert np.isfinite(outputs["features"]).all()
