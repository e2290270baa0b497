"""The extractor: photographs in, local features out."""

import hashlib
import itertools
from functools import cached_property

import numpy as np

from delf_keras.features.decoding import ImageError
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.feature_source import FeatureSource
from delf_keras.features.graph import extraction_graph
from delf_keras.features.local_features import LocalFeatures
from delf_keras.features.pca import load_pca
from delf_keras.forking import use_tensorflow
from delf_keras.models import presets
from delf_keras.models.weights import model_fingerprint

_SOURCE = ("origin", "licence", "paper", "training")


class Extractor(FeatureSource):
    """Extracts local features of photographs with a `Delf` model.

    Args:
        model: `Delf`, built.
        pca: `Pca` fitted on features of this model, or None for descriptors
            of the model's own dimension.
        options: `ExtractionOptions`.
        source: dict. Where the weights come from: "origin", "licence",
            "paper" and the record of their "training". Kept in presets.

    Example:

    ```python
    extractor = delf_keras.Extractor.from_preset("delf_resnet50_imagenet")
    features = extractor.extract("photograph.jpg")
    features.locations.shape  # (1000, 2), (y, x) in pixels
    features.descriptors.shape  # (1000, 1024)
    ```

    Reference:
        Noh et al., arXiv 1612.06321, sections 3.1 and 4.3.
    """

    def __init__(self, model, pca=None, options=None, source=None):
        use_tensorflow()
        self.model = model
        self.pca = pca
        self.source = source or {}
        self.options = options or ExtractionOptions()
        self.model_fingerprint = model_fingerprint(model)
        if pca is not None:
            _check_pca(pca, self.model_fingerprint)
        self.fingerprint = descriptor_fingerprint(self.model_fingerprint, pca)

    @property
    def has_pca(self):
        """Whether descriptors are projected by a PCA."""
        return self.pca is not None

    @cached_property
    def _graph(self):
        return extraction_graph(self.model, self.pca, self.options)

    @classmethod
    def from_preset(
        cls, preset, *, weights=None, pca=True, score_threshold=None, **options
    ):
        """Makes the extractor of a preset.

        Args:
            preset: str. A name, a folder or a URL, see `Delf.from_preset`.
            weights: str or `Path`. A local file of ImageNet weights for a
                built-in preset.
            pca: Whether to use the preset's PCA, if it has one; or a `Pca` to
                use in its place.
            score_threshold: float. Defaults to the preset's, or else 0.
            **options: Further fields of `ExtractionOptions`, such as
                `max_features`, `max_image_size` and `precision`.

        Returns:
            `Extractor`.
        """
        use_tensorflow()
        found = presets.find_preset(preset)
        model = presets.load_model(found, weights)
        if pca is True:
            pca_file = found.file(presets.PCA_FILE)
            pca = load_pca(pca_file) if pca_file else None
        if score_threshold is None:
            score_threshold = found.info.get("score_threshold", 0.0)
        return cls(
            model,
            pca or None,
            ExtractionOptions(score_threshold=score_threshold, **options),
            {key: found.info[key] for key in _SOURCE if key in found.info},
        )

    @classmethod
    def from_tfhub(cls, handle, **options):
        """Opens Google's DELF of TF-Hub, to be used as it is.

        Args:
            handle: str. The URL of the module, or a local folder of it.
            **options: See `delf_keras.features.tfhub.TfHubExtractor`.

        Returns:
            `TfHubExtractor`, which stands in for an `Extractor`.
        """
        from delf_keras.features.tfhub import TfHubExtractor

        return TfHubExtractor(handle, **options)

    def save_to_preset(self, folder, description="", half=False):
        """Writes the model, its PCA and its score threshold as a preset.

        Args:
            folder: str or `Path`. A folder that does not exist yet.
            description: str. One sentence for `delf-keras presets`.
            half: bool. See `presets.save_model`.
        """
        presets.save_model(
            self.model,
            folder,
            {
                **self.source,
                "description": description,
                "score_threshold": self.options.score_threshold,
            },
            pca=self.pca and vars(self.pca),
            half=half,
        )

    def with_pca(self, pca):
        """Returns this extractor with another PCA, or with None."""
        return Extractor(self.model, pca, self.options, self.source)

    def extract_each(self, photographs, batch_size=1):
        """Extracts features one photograph after the other, skipping none.

        Photographs are decoded by other threads while the model runs. At most
        a few batches are in memory.

        Args:
            photographs: Iterable of paths or arrays, see `extract`.
            batch_size: int. Photographs of one size that run together.

        Yields:
            Pairs of a photograph and its `LocalFeatures`, or the `ImageError`
            that says why it has none, in the order received.
        """
        decoded = self._decode_ahead(photographs, 4 * batch_size)
        while window := list(itertools.islice(decoded, 4 * batch_size)):
            results = [image for _, image in window]
            for batch in _batches_of_one_size(results, batch_size):
                features = self._extract_batch([results[i] for i in batch])
                for i, result in zip(batch, features, strict=True):
                    results[i] = result
            for (photograph, _), result in zip(window, results, strict=True):
                self._warn_if_empty(photograph, result)
                yield photograph, result

    def _extract_batch(self, images):
        """Returns the `LocalFeatures` of images of one size."""
        use_tensorflow()
        outputs = {
            name: tensor.numpy()
            for name, tensor in self._graph(np.stack(images)).items()
        }
        return [
            LocalFeatures(
                **{
                    name: outputs[name][row, :count]
                    for name in ("locations", "descriptors", "scores", "scales")
                },
                image_size=images[row].shape[:2],
                fingerprint=self.fingerprint,
                upright=self.options.upright,
                global_descriptor=outputs["global_descriptor"][row]
                if "global_descriptor" in outputs
                else None,
            )
            for row, count in enumerate(outputs["num_features"])
        ]


def _batches_of_one_size(images, batch_size):
    """Returns lists of indices of images of equal size, none of the errors."""
    by_size = {}
    for index, image in enumerate(images):
        if not isinstance(image, ImageError):
            by_size.setdefault(image.shape, []).append(index)
    return [
        same[start : start + batch_size]
        for same in by_size.values()
        for start in range(0, len(same), batch_size)
    ]


def _check_pca(pca, model_fingerprint):
    if pca.model_fingerprint != model_fingerprint:
        raise ValueError(
            "The PCA was fitted on the features of other weights: fit it again "
            f"with `delf-keras fit-pca`. Expected model {model_fingerprint}. "
            f"Received: {pca.model_fingerprint or 'unknown'}"
        )


def descriptor_fingerprint(model_fingerprint, pca):
    """Identifies a descriptor space: the model, the PCA, the normalisation.

    Args:
        model_fingerprint: str.
        pca: `Pca` or None.

    Returns:
        16 hexadecimal digits.
    """
    digest = hashlib.sha256(b"l2" + model_fingerprint.encode())
    if pca is not None:
        digest.update(pca.mean.tobytes() + pca.projection.tobytes())
    return digest.hexdigest()[:16]
