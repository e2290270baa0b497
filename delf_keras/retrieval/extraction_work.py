"""Features of photographs in files, while an index of them is built."""

import hashlib
import logging
from dataclasses import replace

from delf_keras.features.decoding import ImageError
from delf_keras.features.files import names_h5, open_h5, read_h5, write_h5
from delf_keras.features.pca import to_descriptors

logger = logging.getLogger(__name__)


def projected(features, searcher):
    """Turns features without PCA into those of an extractor with one.

    Args:
        features: `LocalFeatures`.
        searcher: `Extractor` with a PCA, of the same model.

    Returns:
        `LocalFeatures`.
    """
    descriptors = to_descriptors(features.descriptors, searcher.pca)
    return replace(
        features,
        descriptors=descriptors.numpy(),
        fingerprint=searcher.fingerprint,
    )


class ExtractionWork:
    """What a build has extracted so far, in files of its work folder.

    A file is named by all that its content depends on, so that none is taken
    for another's.

    Args:
        folder: `Path`.
        root: `Path` that names are relative to.
        names: list of str. The photographs.
        batch_size: See `build_index`.
        progress: See `build_index`.
    """

    def __init__(self, folder, root, names, batch_size, progress):
        self.names = names
        self.skipped = {}
        self.extracted = 0
        self._folder = folder
        self.root = root
        self._batch_size = batch_size
        self._progress = progress

    def path(self, label, suffix, *key):
        """Returns the `Path` of the file for a key."""
        text = " ".join(map(str, (self.root, *key)))
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return self._folder / f"{label}-{digest}{suffix}"

    def extract(self, extractor, names, label):
        """Extracts what is missing of the features of photographs."""
        with self._open(extractor) as file:
            known = {*names_h5(file), *self.skipped}
            missing = [name for name in names if name not in known]
            self.extracted += len(missing)
            results = extractor.extract_each(
                [self.root / name for name in missing], self._batch_size
            )
            results = self._progress(results, len(missing), label)
            for name, (_, result) in zip(missing, results, strict=True):
                if isinstance(result, ImageError):
                    logger.warning("Skipped: %s", result)
                    self.skipped[name] = str(result)
                else:
                    write_h5(file, name, result)

    def read(self, extractor, names):
        """Returns (name, `LocalFeatures`) of what was not skipped."""
        with self._open(extractor) as file:
            return [
                (name, read_h5(file, name))
                for name in names
                if name not in self.skipped
            ]

    def project(self, extractor, searcher):
        """Turns features without PCA into those of an extractor with one."""
        with self._open(extractor) as source, self._open(searcher) as target:
            for name in sorted({*names_h5(source)} - {*names_h5(target)}):
                write_h5(
                    target, name, projected(read_h5(source, name), searcher)
                )
        # They are many times as large as those with PCA.
        self._features_path(extractor).unlink()

    def _open(self, extractor):
        return open_h5(self._features_path(extractor), "a")

    def _features_path(self, extractor):
        return self.path("features", ".h5", extractor.cache_key)
