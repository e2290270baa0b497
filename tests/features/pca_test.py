"""PCA and descriptors, against scikit-learn."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from delf_keras.features.pca import (
    Pca,
    fit_pca,
    load_pca,
    save_pca,
    to_descriptors,
)


def random_features(count=300, dimension=24, seed=0):
    """Features of correlated channels, of very different lengths."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(0, 1, (dimension, dimension)) / np.arange(
        1, dimension + 1
    )
    features = rng.normal(0.3, 1, (count, dimension)) @ mixing.T
    return features * rng.uniform(0.1, 50, (count, 1))


def normalise(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def reference():
    return PCA(8, svd_solver="full").fit(normalise(random_features()))


def test_equals_sklearn(reference):
    pca = fit_pca(random_features(), 8, model_fingerprint="abc")
    # The sign of a component is a matter of convention.
    expected = reference.components_
    largest = np.argmax(np.abs(expected), axis=1)
    signs = np.sign(expected[np.arange(8), largest])

    np.testing.assert_allclose(pca.mean, reference.mean_, atol=1e-6)
    np.testing.assert_allclose(
        pca.components, expected * signs[:, None], atol=1e-5
    )
    np.testing.assert_allclose(
        pca.variances, reference.explained_variance_, rtol=1e-5
    )
    assert (pca.dimension, pca.model_fingerprint) == (8, "abc")
    assert pca.mean.dtype == pca.components.dtype == np.float32
    assert pca.projection.dtype == pca.variances.dtype == np.float32


def test_sign_of_a_component():
    """Its largest entry in absolute value is positive."""
    components = fit_pca(random_features(seed=3), 24).components
    largest = np.argmax(np.abs(components), axis=1)

    assert (components[np.arange(24), largest] > 0).all()
    np.testing.assert_allclose(components @ components.T, np.eye(24), atol=1e-5)


@pytest.mark.parametrize("whiten", [False, True])
def test_descriptors_are_l2_pca_l2(reference, whiten):
    fitted, others = random_features(), random_features(50, seed=1)
    reference = PCA(8, whiten=whiten, svd_solver="full").fit(normalise(fitted))
    pca = fit_pca(fitted, 8, whiten)
    expected = normalise(reference.transform(normalise(others)))
    largest = np.argmax(np.abs(reference.components_), axis=1)
    expected *= np.sign(reference.components_[np.arange(8), largest])
    descriptors = to_descriptors(others, pca).numpy()

    assert descriptors.dtype == np.float32
    np.testing.assert_allclose(descriptors, expected, atol=1e-5)


def test_descriptors_without_pca():
    features = random_features(6, 24).reshape(2, 3, 24)
    descriptors = to_descriptors(features).numpy()

    assert descriptors.shape == (2, 3, 24)
    np.testing.assert_allclose(
        descriptors.reshape(6, 24),
        normalise(features.reshape(6, 24)),
        atol=1e-6,
    )


def test_whitened_projections_have_unit_variance():
    features = random_features()
    pca = fit_pca(features, 8, whiten=True)
    projected = (normalise(features) - pca.mean) @ pca.projection

    np.testing.assert_allclose(
        np.cov(projected, rowvar=False), np.eye(8), atol=1e-4
    )


def test_descriptors_of_a_batch():
    """The last axis alone is the descriptor."""
    features = random_features(6, 24)
    pca = fit_pca(random_features(), 8)
    flat = to_descriptors(features, pca)
    batch = to_descriptors(features.reshape(2, 3, 24), pca)
    np.testing.assert_allclose(
        np.reshape(batch, (6, 8)), flat, rtol=1e-5, atol=1e-6
    )


def test_a_feature_of_zero_stays_finite():
    assert np.isfinite(to_descriptors(np.zeros((1, 24)))).all()
    fitted = fit_pca(np.zeros((30, 24)), 8, whiten=True)
    assert np.isfinite(to_descriptors(np.zeros((1, 24)), fitted)).all()


@pytest.mark.parametrize(
    ("count", "dimension", "most"), [(300, 25, 24), (8, 8, 7), (300, 0, 24)]
)
def test_too_few_features(count, dimension, most):
    with pytest.raises(
        ValueError,
        match=f"{count} features of 24 dimensions has at most {most} "
        f"components. Received: dimension={dimension}",
    ):
        fit_pca(random_features(count), dimension)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite(value):
    features = random_features()
    features[3, 4] = value
    with pytest.raises(ValueError, match="must be finite"):
        fit_pca(features, 8)


@pytest.mark.parametrize("whiten", [False, True])
def test_file(tmp_path, whiten):
    pca = fit_pca(random_features(), 8, whiten, "abc")
    path = tmp_path / "folder" / "pca.npz"
    save_pca(path, pca)
    loaded = load_pca(path)

    assert isinstance(loaded, Pca)
    assert loaded.whiten is whiten and loaded.model_fingerprint == "abc"
    for name in ("mean", "components", "variances"):
        np.testing.assert_array_equal(
            getattr(loaded, name), getattr(pca, name), strict=True
        )
    assert [file.name for file in path.parent.iterdir()] == ["pca.npz"]


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="pca.npz"):
        load_pca(tmp_path / "pca.npz")


def write_text(path):
    path.write_text("not an archive")


def write_nothing(path):
    path.write_bytes(b"")


def write_half(path):
    save_pca(path, fit_pca(random_features(), 8))
    path.write_bytes(path.read_bytes()[:-200])


def write_damaged(path):
    save_pca(path, fit_pca(random_features(), 8))
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 3] ^= 0xFF
    path.write_bytes(contents)


def write_other_arrays(path):
    np.savez(path, mean=np.zeros(3))


def write_one_array(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


@pytest.mark.parametrize(
    "write",
    [
        write_text,
        write_nothing,
        write_half,
        write_damaged,
        write_other_arrays,
        write_one_array,
    ],
)
def test_file_of_something_else(tmp_path, write):
    path = tmp_path / "pca.npz"
    write(path)
    with pytest.raises(
        ValueError, match=f"PCA file is an .npz .*Received: {path}"
    ):
        load_pca(path)


def test_file_that_cannot_be_read_is_not_called_damaged(tmp_path):
    with pytest.raises(IsADirectoryError):
        load_pca(tmp_path)
