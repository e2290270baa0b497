"""The end of training: from a classifier to a preset that can be searched."""

import logging
from dataclasses import dataclass, replace

import numpy as np

from delf_keras.features.decoding import ImageError
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.extractor import Extractor
from delf_keras.features.pca_fitting import (
    PcaOptions,
    fit_pca_on_features,
    sample_photographs,
)
from delf_keras.models.classifiers import set_trainable
from delf_keras.models.weights import check_finite, with_dtype
from delf_keras.training.photographs import load_photograph

logger = logging.getLogger(__name__)

# More than the cells of any photograph.
_ALL_CELLS = 10_000_000
# Photographs that may keep fewer features than wanted: there is little in
# them.
_POOR = 0.1


@dataclass(frozen=True)
class FinishingOptions:
    """What is fitted to the weights of a trained `Delf`.

    Attributes:
        pca: `PcaOptions`; its seed also draws the sample of photographs.
        features: Features that nine of ten photographs shall keep at the
            calibrated score threshold.
        max_image_size: See `ExtractionOptions`.
    """

    pca: PcaOptions = PcaOptions()
    features: int = 1000
    max_image_size: int = ExtractionOptions.max_image_size


def trained_delf(classifier, half=False):
    """Takes the `Delf` out of the classifier that it was trained in.

    Args:
        classifier: Result of `make_classifier`.
        half: bool. Whether to round weights to float16.

    Returns:
        `Delf` of its own, computing in float32, all of it trainable.

    Raises:
        ValueError: if a weight is not finite, or too large for float16.
    """
    delf = with_dtype(classifier.delf, "float32")
    set_trainable(delf, True)
    if half:
        # What is too large becomes infinite, which is refused below.
        with np.errstate(over="ignore"):
            delf.set_weights(
                [np.float32(np.float16(each)) for each in delf.get_weights()]
            )
    check_finite(delf)
    return delf


def finish(
    delf,
    images,
    options,
    source=None,
    progress=lambda iterable, total, label: iterable,
):
    """Fits a PCA and calibrates the score threshold of a trained `Delf`.

    Args:
        delf: `Delf`, built.
        images: `LabelledImages`, of which a sample is extracted.
        options: `FinishingOptions`.
        source: dict. See `Extractor`.
        progress: Wraps an iterable, its length and a label, for a progress
            bar.

    Returns:
        `Extractor` with the PCA and the threshold, to be saved as a preset.

    Raises:
        ValueError: if the sample has too few features for the PCA.

    Reference:
        Noh et al., arXiv 1612.06321, section 4.3, for the PCA.
    """
    extractor = Extractor(
        delf,
        options=ExtractionOptions(
            max_features=_ALL_CELLS, max_image_size=options.max_image_size
        ),
        source=source,
    )
    sample = sample_photographs(range(len(images)), options.pca)
    levels, strongest = [], []
    for features in progress(
        _features(extractor, images, sample), len(sample), "finish"
    ):
        levels.append(features.scores[: options.features][-1])
        strongest.append(features[: options.features])
    if not levels:
        raise ValueError(
            "A PCA is fitted on photographs with features. Received: "
            f"{len(sample)} photographs, none of use"
        )
    pca = None
    if options.pca.dimension:
        pca = fit_pca_on_features(
            strongest, options.pca, extractor.model_fingerprint
        )
    threshold = float(np.quantile(levels, _POOR, method="lower"))
    return Extractor(
        delf,
        pca,
        replace(
            extractor.options,
            max_features=ExtractionOptions.max_features,
            score_threshold=threshold,
        ),
        source,
    )


def _features(extractor, images, sample):
    """Yields the `LocalFeatures` of photographs, whatever file they are in."""
    photographs = (load_photograph(images, index)[1] for index in sample)
    for _, features in extractor.extract_each(photographs):
        # A strip that is nothing but a line when it is shrunk, say.
        if isinstance(features, ImageError):
            logger.warning("Skipped: %s", features)
        elif len(features):
            yield features
