"""Fitting a PCA on the features of a sample of photographs."""

from dataclasses import dataclass

import numpy as np

from delf_keras.features.pca import fit_pca

_PHOTOGRAPHS = 512
_FEATURES_EACH = 256


@dataclass(frozen=True)
class PcaOptions:
    """The PCA that is fitted where an extractor has none.

    Attributes:
        dimension: Length of a descriptor, or 0 for no PCA.
        whiten: Whether projections are divided by their standard deviation.
        seed: Of the sample of features that it is fitted on.
    """

    dimension: int = 40
    whiten: bool = False
    seed: int = 0


def sample_photographs(paths, options):
    """Draws the photographs that a PCA is fitted on, in their order.

    Args:
        paths: list of paths.
        options: `PcaOptions`.

    Returns:
        list of at most 512 of the paths.
    """
    rng = np.random.default_rng(options.seed)
    chosen = rng.permutation(len(paths))[:_PHOTOGRAPHS]
    return [paths[i] for i in sorted(chosen)]


def fit_pca_on_features(features, options, model_fingerprint):
    """Fits a PCA on up to 256 features of each photograph.

    Args:
        features: list of `LocalFeatures` without PCA.
        options: `PcaOptions`.
        model_fingerprint: str. The model that they come from.

    Returns:
        `Pca`.

    Raises:
        ValueError: if there are too few features for the dimension.
    """
    rng = np.random.default_rng(options.seed)
    sample = [
        each.descriptors[rng.permutation(len(each))[:_FEATURES_EACH]]
        for each in features
    ]
    return fit_pca(
        np.concatenate(sample),
        options.dimension,
        options.whiten,
        model_fingerprint,
    )
