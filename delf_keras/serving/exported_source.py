"""What extracts with an exported model, wherever that is run."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from delf_keras.features.decoding import (
    EncodedPhotograph,
    ImageError,
    check_image,
    decode_photograph,
)
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.feature_source import FeatureSource
from delf_keras.features.local_features import LocalFeatures
from delf_keras.features.pillow_formats import pillow_format
from delf_keras.parallel import ordered_map
from delf_keras.serving import contract
from delf_keras.serving.errors import TOO_LARGE, ServerError


class ExportedSource(FeatureSource):
    """Extracts local features by the signatures of an exported model.

    Args:
        address: str. Where the model is.
        concurrency: int. Photographs under way at a time.

    Raises:
        ValueError: if the model is not an exported extractor.
    """

    def __init__(self, address, concurrency):
        self.address = address
        self._concurrency = concurrency
        self.description = self._describe()
        options = self.description.options
        self.options = ExtractionOptions(**options)

    @property
    def fingerprint(self):
        """The descriptor space."""
        return self.description.fingerprint

    @property
    def has_pca(self):
        """Whether descriptors are projected by a PCA, which the model does."""
        return self.description.pca

    @property
    def model_fingerprint(self):
        """What a PCA would be fitted for, as that of `Extractor`.

        Raises:
            ValueError: always. Nothing but the model could apply it.
        """
        raise ValueError(
            "A PCA cannot be added to a model that is served: export a preset "
            "that has one (`delf-keras fit-pca`), or index the descriptors as "
            "they are (--pca_dimension=0). "
            f"Received: {self.address} with {self.description.dimension}-d "
            "descriptors"
        )

    def extract_each(self, photographs, batch_size=1):
        """Extracts features of photographs, several at a time, skipping none.

        Args:
            photographs: Iterable of paths or arrays, see `extract`. Files are
                sent as they are, arrays and what only Pillow decodes as PNG.
            batch_size: Not used: the server makes batches of the requests
                under way.

        Yields:
            Pairs of a photograph and its `LocalFeatures`, or the `ImageError`
            that says why it has none, in the order received.

        Raises:
            ServerError: if the server fails.
            ValueError: if it has come to serve another extractor, whose
                features are not to be mixed with those before.
        """
        with ThreadPoolExecutor(self._concurrency) as pool:
            results = ordered_map(
                pool,
                lambda photograph: (photograph, self._extract(photograph)),
                photographs,
                ahead=2 * self._concurrency,
            )
            for photograph, result in results:
                self._warn_if_empty(photograph, result)
                yield photograph, result

    def predict(self, inputs, signature=contract.EXTRACT):
        """Calls a signature of the model.

        Args:
            inputs: dict of name to array. Strings are arrays of bytes
                objects.
            signature: str.

        Returns:
            dict of name to array.
        """
        raise NotImplementedError

    def _describe(self):
        """Learns what is served from the answer to a single pixel.

        That is too small a photograph, which costs the server nothing.
        """
        image = tf.io.encode_png(np.zeros((1, 1, 3), np.uint8))
        return self._description(
            self.predict({"image_bytes": _strings(image.numpy())})
        )

    def _description(self, outputs):
        if "extractor" not in outputs:
            raise ValueError(
                "A model that `delf-keras export` wrote is expected. "
                f"Received: {self.address} with outputs {sorted(outputs)}"
            )
        return contract.ExtractorDescription.from_json(outputs["extractor"][0])

    def _extract(self, photograph):
        """Returns the `LocalFeatures` of a photograph, or the `ImageError`."""
        try:
            contents, name = _contents(photograph, self.options.upright)
        except ImageError as error:
            return error
        try:
            outputs = self.predict({"image_bytes": _strings(contents)})
        except ServerError as error:
            if error.code != TOO_LARGE:
                raise
            return _refused(contract.TOO_LARGE, f"{name} ({error})")
        self._check_description(self._description(outputs))
        status = outputs["status"][0].decode()
        if status != contract.OK:
            return _refused(status, name)
        count = outputs["num_features"][0]
        return LocalFeatures(
            **{
                key: outputs[key][0, :count]
                for key in ("locations", "descriptors", "scores", "scales")
            },
            image_size=outputs["image_size"][0],
            fingerprint=self.fingerprint,
            upright=self.options.upright,
        )

    def _check_description(self, received):
        if received != self.description:
            raise ValueError(
                "The server has come to serve another extractor: begin anew, "
                "or choose a version. "
                f"Expected {self.description}. Received: {received}"
            )


def _contents(photograph, upright):
    """Returns the bytes to send of a photograph, and its name."""
    if isinstance(photograph, np.ndarray):
        check_image(photograph)
        return tf.io.encode_png(photograph).numpy(), "array"
    encoded = EncodedPhotograph.of(photograph)
    contents, name = encoded.contents, encoded.name
    if pillow_format(contents) is None:
        return contents, name
    # A server has TensorFlow alone.
    image = decode_photograph(contents, name, upright)
    return tf.io.encode_png(image).numpy(), name


def _strings(contents):
    # An array of another type would drop zeros at the end of the bytes.
    return np.array([contents], object)


def _refused(status, name):
    return ImageError(f"{contract.STATUSES[status]}. Received: {name}")
