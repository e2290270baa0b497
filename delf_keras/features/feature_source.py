"""What extracts local features, wherever it computes them."""

import hashlib
import logging
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from delf_keras.features.decoding import (
    MIN_SIDE,
    EncodedPhotograph,
    ImageError,
    check_image,
    decode_photograph,
)
from delf_keras.features.local_features import LocalFeatures
from delf_keras.parallel import ordered_map

logger = logging.getLogger(__name__)

# What is one photograph, and no list of them.
_ONE = (str, bytes, os.PathLike, np.ndarray, EncodedPhotograph)


class FeatureSource:
    """Extracts the local features of photographs.

    Attributes:
        fingerprint: The descriptor space.
        options: `ExtractionOptions`.
        has_pca: Whether descriptors are projected by a PCA.
    """

    @property
    def cache_key(self):
        """Identifies all that the features of a photograph depend on.

        Unlike `fingerprint`, it tells apart extractors whose descriptors can
        be compared but whose selection or image pyramid differs.
        """
        key = f"{self.fingerprint} {self.options}".encode()
        return hashlib.sha256(key).hexdigest()[:16]

    def extract(self, photographs, batch_size=1):
        """Extracts the local features of one photograph or several.

        Args:
            photographs: A path, the bytes of a file, an `EncodedPhotograph`
                or a uint8 array `[height, width, 3]`, RGB, or a list of
                these, of any sizes.
            batch_size: int. See `extract_each`.

        Returns:
            `LocalFeatures`, or a list of them in the same order.

        Raises:
            ImageError: if a photograph cannot be used, before those that
                follow are extracted. `extract_each` passes over it.
        """
        if isinstance(photographs, _ONE):
            return self.extract([photographs])[0]
        results = []
        for _, result in self.extract_each(photographs, batch_size):
            if isinstance(result, ImageError):
                raise result
            results.append(result)
        return results

    def extract_each(self, photographs, batch_size=1):
        """Extracts features one photograph after the other, skipping none.

        Args:
            photographs: Iterable of paths or arrays, see `extract`.
            batch_size: int. Photographs of one size that run together.

        Yields:
            Pairs of a photograph and its `LocalFeatures`, or the `ImageError`
            that says why it has none, in the order received.
        """
        raise NotImplementedError

    def _decode_ahead(self, photographs, ahead):
        """Yields pairs of a photograph and its pixels or `ImageError`."""
        with ThreadPoolExecutor() as pool:
            yield from ordered_map(
                pool,
                lambda photograph: (photograph, self._load(photograph)),
                photographs,
                ahead,
            )

    def _load(self, photograph):
        """Returns the pixels of a photograph, or the `ImageError`."""
        try:
            if isinstance(photograph, np.ndarray):
                check_image(photograph)
                image, name = photograph, "array"
            else:
                encoded = EncodedPhotograph.of(photograph)
                name = encoded.name
                image = decode_photograph(
                    encoded.contents, name, self.options.upright
                )
            self._check_fitted_size(image, name)
        except ImageError as error:
            return error
        return image

    def _check_fitted_size(self, image, name):
        longer, shorter = max(image.shape[:2]), min(image.shape[:2])
        limit = self.options.max_image_size
        if limit and shorter * min(limit / longer, 1) < MIN_SIDE:
            raise ImageError(
                f"A photograph has at least {MIN_SIDE} pixels on each side "
                f"when its longer side is shrunk to {limit}. Received: {name} "
                f"with {image.shape[1]}x{image.shape[0]} pixels"
            )

    def _warn_if_empty(self, photograph, result):
        if isinstance(result, LocalFeatures) and not len(result):
            logger.warning(
                "%s has no feature with an attention score of at least %g: "
                "lower the score threshold.",
                name_of(photograph),
                self.options.score_threshold,
            )


def name_of(photograph):
    """Returns what to call a photograph in a message."""
    if isinstance(photograph, np.ndarray):
        return "array"
    return "bytes" if isinstance(photograph, bytes) else photograph
