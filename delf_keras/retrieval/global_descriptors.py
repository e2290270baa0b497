"""Global descriptors of a database: whitening, augmentation, expansion."""

from dataclasses import dataclass

import numpy as np

from delf_keras.features.pca import fit_pca
from delf_keras.retrieval.array_folder import load_arrays, save_arrays

_DIMENSION = 128
# Full whitening lifts the noise of components that few photographs have told
# apart; its square root holds on small databases too.
_WHITENING = 0.5
# Images that a query is expanded by, and the power of their similarity.
_EXPANSION = 10
_ALPHA = 3.0

_ARRAYS = ("mean", "projection")


@dataclass(frozen=True, eq=False)
class GlobalSpace:
    """What whitens global descriptors.

    Attributes:
        mean: float32 `[C]`.
        projection: float32 `[C, D]`.

    Reference:
        Radenovic et al., "Fine-tuning CNN image retrieval with no human
        annotation", TPAMI 2018, section 3.
    """

    mean: np.ndarray
    projection: np.ndarray

    @classmethod
    def fit(cls, sample):
        """Learns whitening from float32 `[M, C]` of unit length."""
        pca = fit_pca(sample, min(_DIMENSION, sample.shape[1], len(sample) - 1))
        projection = pca.components.T / pca.variances ** (_WHITENING / 2)
        return cls(pca.mean, projection.astype(np.float32))

    def project(self, descriptors):
        """Whitens float32 `[..., C]` to float32 `[..., D]` of unit length."""
        return _unit((descriptors - self.mean) @ self.projection)

    def save(self, folder):
        """Writes the arrays into a new folder."""
        save_arrays(folder, {name: getattr(self, name) for name in _ARRAYS})

    @classmethod
    def load(cls, folder):
        """Opens what `save` wrote."""
        return cls(**load_arrays(folder, _ARRAYS))


@dataclass(frozen=True, eq=False)
class GlobalDescriptors:
    """One vector for each image, and what turns a query's into such.

    Attributes:
        vectors: float32 `[num_images, D]` of unit length.
        space: `GlobalSpace`.
    """

    vectors: np.ndarray
    space: GlobalSpace

    def augmented(self, count):
        """Replaces each image by the mean of its nearest ones.

        Args:
            count: int. Nearest images, which are weighted by similarity
                (database-side augmentation); 0 for none.

        Returns:
            `GlobalDescriptors`.
        """
        if not count:
            return self
        # An image is its own nearest.
        vectors = _neighbors_mean(self.vectors, self.vectors, count + 1, _ALPHA)
        return GlobalDescriptors(_unit(vectors), self.space)

    def similarities(self, descriptor, expansion="none"):
        """Compares a query with every image.

        Args:
            descriptor: float32 `[C]` of the query, of unit length.
            expansion: "none", or "average" or "alpha" to search once more by
                the mean of the query and the ten best images, the images
                weighted by the third power of their similarity with "alpha".

        Returns:
            float32 `[num_images]`, cosines.

        Reference:
            Chum et al., "Total recall", ICCV 2007 (average); Radenovic et
            al., TPAMI 2018, section 3.3 (alpha).
        """
        query = self.space.project(descriptor)[None]
        if expansion != "none":
            power = _ALPHA if expansion == "alpha" else 0.0
            query = _unit(
                query + _neighbors_mean(query, self.vectors, _EXPANSION, power)
            )
        return (query @ self.vectors.T)[0]


def _neighbors_mean(queries, vectors, count, power):
    """Sums the nearest vectors, weighted by powers of their similarity."""
    sums = np.zeros_like(queries)
    step = 1024
    for start in range(0, len(queries), step):
        similarities = queries[start : start + step] @ vectors.T
        count = min(count, similarities.shape[1])
        nearest = np.argpartition(-similarities, count - 1, axis=1)[:, :count]
        weights = np.take_along_axis(similarities, nearest, axis=1)
        weights = np.maximum(weights, 0.0) ** power
        sums[start : start + step] = np.einsum(
            "nk,nkd->nd", weights, vectors[nearest]
        )
    return sums


def _unit(vectors):
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
