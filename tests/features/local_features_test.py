"""`LocalFeatures` checks its arrays and selects among its features."""

import numpy as np
import pytest

from delf_keras.features.local_features import LocalFeatures


def make_arrays(count=4, dimension=3):
    return {
        "locations": np.arange(2 * count).reshape(count, 2),
        "descriptors": np.arange(dimension * count).reshape(count, dimension),
        "scores": np.arange(count) / 10,
        "scales": np.full(count, 0.5),
    }


def test_arrays_become_float32():
    features = LocalFeatures(
        **make_arrays(), image_size=np.array([480, 640]), fingerprint="delf"
    )

    for name, values in make_arrays().items():
        stored = getattr(features, name)
        assert stored.dtype == np.float32
        np.testing.assert_array_equal(stored, values.astype(np.float32))
    assert features.image_size == (480, 640)
    assert all(type(side) is int for side in features.image_size)
    assert len(features) == 4 and features.dimension == 3


def test_size_and_fingerprint_may_be_unknown():
    features = LocalFeatures(**make_arrays())
    assert features.image_size == (0, 0) and features.fingerprint == ""


def test_no_features():
    features = LocalFeatures(**make_arrays(count=0, dimension=40))
    assert len(features) == 0 and features.dimension == 40


@pytest.mark.parametrize(
    "name", ["locations", "descriptors", "scores", "scales"]
)
def test_a_row_is_missing(name):
    arrays = make_arrays()
    arrays[name] = arrays[name][:3]
    with pytest.raises(ValueError, match=r"one row for each .* Received: "):
        LocalFeatures(**arrays)


@pytest.mark.parametrize(
    ("name", "rank"), [("locations", 2), ("descriptors", 2), ("scales", 1)]
)
def test_wrong_rank(name, rank):
    arrays = make_arrays()
    arrays[name] = arrays[name][..., None]
    with pytest.raises(
        ValueError, match=rf"{name} must have rank {rank} .* Received: {name}"
    ):
        LocalFeatures(**arrays)


def test_locations_are_pairs():
    arrays = make_arrays()
    arrays["locations"] = np.zeros((4, 3))
    with pytest.raises(ValueError, match=r"\(y, x\) .*shape=\(4, 3\)"):
        LocalFeatures(**arrays)


def test_attributes_are_frozen():
    features = LocalFeatures(**make_arrays())
    with pytest.raises(AttributeError):
        features.scores = np.zeros(4)


@pytest.mark.parametrize(
    "index",
    [
        slice(1, 3),
        np.array([2, 0]),
        np.array([True, False, False, True]),
        np.array([], int),
    ],
    ids=["slice", "integers", "mask", "none"],
)
def test_indexing_selects_from_every_array(index):
    features = LocalFeatures(
        **make_arrays(), image_size=(480, 640), fingerprint="delf"
    )
    selected = features[index]

    for name, values in make_arrays().items():
        np.testing.assert_array_equal(
            getattr(selected, name), values[index].astype(np.float32)
        )
    assert selected.image_size == (480, 640)
    assert selected.fingerprint == "delf"
