"""`delf_tiny`, the preset that comes with the package."""

import keras
import numpy as np
import pytest

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


def test_it_takes_no_weights_of_imagenet(tmp_path):
    with pytest.raises(ValueError, match="ImageNet weights"):
        Delf.from_preset(NAME, weights=tmp_path / "resnet50.h5")


def test_features(model, make_photograph, compute):
    outputs = compute(model, make_photograph(96, 128)[None])
    assert outputs["features"].shape == (1, 6, 8, 512)
    assert np.isfinite(outputs["features"]).all()
