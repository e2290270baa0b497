"""Google's DELF of TF-Hub, run as it is."""

import hashlib
import os
from pathlib import Path

import tensorflow as tf

from delf_keras.features import pyramid
from delf_keras.features.decoding import ImageError
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.feature_source import FeatureSource
from delf_keras.features.local_features import LocalFeatures
from delf_keras.forking import use_tensorflow
from delf_keras.system_errors import is_of_system

_CACHE = "TFHUB_CACHE_DIR"
_SIGNATURE = "default"
_INPUTS = {"image", "score_threshold", "image_scales", "max_feature_num"}
_OUTPUTS = {"locations", "descriptors"}


class TfHubExtractor(FeatureSource):
    """Extracts features with a TF-Hub module of DELF.

    It can stand in for an `Extractor`. A module does not tell the scores and
    scales of its features: scores are 1, scales those of a level of the size
    that is extracted, in the order of the module.

    Args:
        handle: str. The URL of the module, or a local folder of it.
        score_threshold: float. Lowest attention score.
        **options: Further fields of `ExtractionOptions`: `max_features`,
            `max_image_size`, `min_image_size` and `scales`.

    Raises:
        FileNotFoundError: if the module is not there and cannot be downloaded.
        ImportError: if tensorflow_hub is missing.
        ValueError: if it is no module of DELF.
    """

    def __init__(self, handle, score_threshold=100.0, **options):
        use_tensorflow()
        self.address = handle
        self.options = ExtractionOptions(
            score_threshold=score_threshold, **options
        )
        folder = Path(find_module(handle))
        self.fingerprint = _fingerprint(folder)
        self._module = _load(folder)
        self._extract_features = self._module.signatures[_SIGNATURE]

    @property
    def has_pca(self):
        """Whether descriptors are projected: they are, inside the module."""
        return True

    def extract_each(self, photographs, batch_size=1):
        """Extracts features one photograph after the other, skipping none.

        Args:
            photographs: Iterable of paths or arrays, see `extract`.
            batch_size: Not used: a module takes one photograph at a time.

        Yields:
            Pairs of a photograph and its `LocalFeatures`, or the `ImageError`
            that says why it has none, in the order received.
        """
        for photograph, image in self._decode_ahead(photographs, 4):
            result = image
            if not isinstance(image, ImageError):
                result = self._features(image)
            self._warn_if_empty(photograph, result)
            yield photograph, result

    def _features(self, image):
        use_tensorflow()
        size = tf.constant(image.shape[:2], tf.float32)
        fit = pyramid.fit_scale(
            size, self.options.max_image_size, self.options.min_image_size
        )
        fitted_size = pyramid.level_size(size, fit)
        fitted = pyramid.resize(image[None], fitted_size)
        outputs = self._extract_features(
            image=fitted[0] / 255,
            score_threshold=tf.constant(
                self.options.score_threshold, tf.float32
            ),
            image_scales=tf.constant(self.options.scales, tf.float32),
            max_feature_num=tf.constant(self.options.max_features),
        )
        locations = pyramid.to_image(outputs["locations"], size, fitted_size)
        ones = tf.ones(tf.shape(locations)[:1])
        return LocalFeatures(
            locations=locations.numpy(),
            descriptors=outputs["descriptors"].numpy(),
            scores=ones.numpy(),
            scales=(ones / fit).numpy(),
            image_size=image.shape[:2],
            fingerprint=self.fingerprint,
            upright=self.options.upright,
        )


def _fingerprint(folder):
    """Identifies a module by its graph and variables."""
    digest = hashlib.sha256(b"tfhub")
    for path in (
        folder / "saved_model.pb",
        *sorted(folder.glob("variables/*")),
    ):
        if not path.is_file():
            raise FileNotFoundError(
                f"A TF-Hub module has a saved_model.pb. Received: {folder}"
            )
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _load(folder):
    hub = import_hub()
    try:
        module = hub.load(str(folder))
    except (tf.errors.OpError, OSError, ValueError) as error:
        if is_of_system(error):
            raise
        raise ValueError(
            f"The module is damaged. Received: {folder} ({_first_line(error)})"
        ) from error
    signature = module.signatures.get(_SIGNATURE)
    inputs = signature.structured_input_signature[1] if signature else {}
    outputs = signature.structured_outputs if signature else {}
    if inputs.keys() != _INPUTS or not outputs.keys() >= _OUTPUTS:
        raise ValueError(
            f"A module of DELF takes {sorted(_INPUTS)} and returns "
            f"{sorted(_OUTPUTS)}. Received: {folder} with {sorted(inputs)} "
            f"and {sorted(outputs)}"
        )
    return module


def find_module(handle):
    """Finds the folder of a TF-Hub module, and downloads it if need be.

    Args:
        handle: str. A local path, or the URL of a module.

    Returns:
        str. The path itself, or that of the module's local copy.

    Raises:
        FileNotFoundError: if a module is neither here nor can be downloaded.
        ImportError: if tensorflow_hub is needed and missing.
    """
    if not handle.startswith(("http://", "https://")):
        return handle
    copy = Path(os.environ.get(_CACHE, "")) / _folder_name(handle)
    if os.environ.get(_CACHE) and copy.is_dir():
        return str(copy)
    hub = import_hub()
    try:
        return hub.resolve(handle)
    # What fails in a download depends on the resolver.
    except Exception as error:
        raise FileNotFoundError(
            "The module could not be downloaded: give a local folder of it, or "
            f"put one at ${_CACHE}/{_folder_name(handle)}. "
            f"Received: {handle} ({_first_line(error)})"
        ) from error


def import_hub():
    """Imports tensorflow_hub, which is an extra.

    Raises:
        ImportError: if it, or what it needs, is missing.
    """
    try:
        import tensorflow_hub
    except ModuleNotFoundError as error:
        remedy = (
            'it needs an older setuptools: pip install "setuptools<81"'
            if error.name == "pkg_resources"
            else 'pip install "delf-keras[hub]"'
        )
        raise ImportError(
            f"tensorflow_hub cannot be imported: {remedy}. Received: {error}"
        ) from error
    return tensorflow_hub


def _folder_name(handle):
    return hashlib.sha1(handle.encode()).hexdigest()


def _first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0]
