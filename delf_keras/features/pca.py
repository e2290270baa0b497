"""L2 - PCA - L2: from features to compact descriptors."""

import zipfile
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from delf_keras.atomic import atomic_path
from delf_keras.system_errors import is_of_system


@dataclass(frozen=True, eq=False)
class Pca:
    """A linear projection of L2-normalised features.

    Attributes:
        mean: float32 `[input_dimension]`.
        components: float32 `[dimension, input_dimension]`, orthonormal rows
            by falling variance.
        variances: float32 `[dimension]`, the variance along each component.
        whiten: bool. Whether projections are divided by their standard
            deviation.
        model_fingerprint: The model whose features it was fitted on.
    """

    mean: np.ndarray
    components: np.ndarray
    variances: np.ndarray
    whiten: bool = False
    model_fingerprint: str = ""

    @property
    def dimension(self):
        """Length of a projected descriptor."""
        return len(self.components)

    @property
    def projection(self):
        """float32 `[input_dimension, dimension]`, whitening included."""
        if not self.whiten:
            return self.components.T
        return self.components.T / np.sqrt(self.variances)


def fit_pca(features, dimension, whiten=False, model_fingerprint=""):
    """Fits a PCA on L2-normalised features.

    Args:
        features: float array `[N, input_dimension]`. They are normalised
            here.
        dimension: int. Components to keep, at most `input_dimension` and at
            most `N - 1`.
        whiten: bool. Whether `project` shall whiten.
        model_fingerprint: str. The model that made the features.

    Returns:
        `Pca`. The sign of a component is such that its largest entry in
        absolute value is positive.

    Raises:
        ValueError: if there are too few features for the dimension, or one
            of them is not finite.
    """
    features = np.asarray(features, np.float64)
    count, input_dimension = features.shape
    if not 0 < dimension <= min(input_dimension, count - 1):
        raise ValueError(
            f"A PCA of {count} features of {input_dimension} dimensions has at "
            f"most {min(input_dimension, count - 1)} components. "
            f"Received: dimension={dimension}"
        )
    if not np.isfinite(features).all():
        raise ValueError("Features must be finite. Received: NaN or infinity")
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    features = features / np.maximum(norms, 1e-12)
    mean = features.mean(axis=0)
    variances, vectors = np.linalg.eigh(np.cov(features, rowvar=False))
    variances = variances[::-1][:dimension]
    components = vectors.T[::-1][:dimension]
    largest = np.argmax(np.abs(components), axis=1)
    components *= np.sign(components[np.arange(dimension), largest])[:, None]
    return Pca(
        mean=mean.astype(np.float32),
        components=components.astype(np.float32),
        variances=np.maximum(variances, 1e-12).astype(np.float32),
        whiten=whiten,
        model_fingerprint=model_fingerprint,
    )


def to_descriptors(features, pca=None):
    """Turns features into descriptors: L2, then PCA and L2 again if given.

    Args:
        features: float tensor `[..., input_dimension]`.
        pca: `Pca` or None.

    Returns:
        float32 tensor `[..., dimension]` of unit length.

    Reference:
        Noh et al., arXiv 1612.06321, section 4.3.
    """
    unit = tf.math.l2_normalize(tf.cast(features, tf.float32), axis=-1)
    if pca is None:
        return unit
    return tf.math.l2_normalize(
        tf.linalg.matmul(unit - pca.mean, pca.projection), axis=-1
    )


def save_pca(path, pca):
    """Writes a PCA as an `.npz` file, atomically."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **vars(pca))


def load_pca(path):
    """Reads a PCA that `save_pca` wrote.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if the file is not a PCA.
    """
    try:
        with (
            open(path, "rb") as file,
            np.load(file, allow_pickle=False) as arrays,
        ):
            return Pca(
                mean=arrays["mean"],
                components=arrays["components"],
                variances=arrays["variances"],
                whiten=bool(arrays["whiten"]),
                model_fingerprint=str(arrays["model_fingerprint"]),
            )
    except (
        # NumPy raises the first two for an empty file and for a plain array.
        EOFError,
        TypeError,
        ValueError,
        KeyError,
        OSError,
        zipfile.BadZipFile,
    ) as error:
        if is_of_system(error):
            raise
        raise ValueError(
            "A PCA file is an .npz with mean, components, variances, whiten "
            f"and model_fingerprint. Received: {path} ({error})"
        ) from error
