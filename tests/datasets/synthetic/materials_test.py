"""Materials."""

import numpy as np
import pytest

from delf_keras.datasets.synthetic import materials

SHAPE = (120, 170)
COLOUR = materials.linear((0.7, 0.5, 0.4))
MATERIALS = (
    materials.ashlar,
    materials.banded,
    materials.brick,
    materials.panels,
    materials.pantiles,
    materials.plaster,
    materials.rubble,
    materials.sheet_metal,
    materials.slates,
    materials.stone,
    materials.tiles,
)


@pytest.mark.parametrize("make", MATERIALS)
def test_a_material_covers_its_canvas(make):
    surface = make(np.random.default_rng(0), SHAPE, COLOUR, 0.5)
    assert surface.albedo.shape == (*SHAPE, 3)
    assert surface.relief.shape == SHAPE
    assert np.isfinite(surface.relief).all()
    assert 0 < surface.albedo.mean() < 1
    # No two places look the same.
    assert surface.albedo.std((0, 1)).min() > 0.005


@pytest.mark.parametrize("make", MATERIALS)
def test_a_material_is_the_same_for_the_same_generator(make):
    first, second = (
        make(np.random.default_rng(4), SHAPE, COLOUR, 0.5) for _ in range(2)
    )
    np.testing.assert_array_equal(first.albedo, second.albedo)
    np.testing.assert_array_equal(first.relief, second.relief)


def test_noise_changes_over_its_cell_and_not_over_a_pixel():
    field = materials.noise(np.random.default_rng(0), (400, 400), 40, 1)
    assert field.dtype == np.float32
    assert 0.3 < field.std() < 1.2
    near = np.corrcoef(field[:, :-1].ravel(), field[:, 1:].ravel())[0, 1]
    far = np.corrcoef(field[:, :-120].ravel(), field[:, 120:].ravel())[0, 1]
    assert near > 0.95
    assert abs(far) < 0.3
