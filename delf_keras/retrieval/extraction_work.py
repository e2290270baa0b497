"""Features of photographs in files, while an index of them is built."""

import hashlib
import logging
from dataclasses import replace

from delf_keras.features.decoding import ImageError
from delf_keras.features.feature_cache import (
    extract_files,
    open_cache,
    remove_cache,
)
from delf_keras.features.pca import to_descriptors
from delf_keras.retrieval.manifest import digest_of

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

    A file is named by all that its content depends on, but for the content of
    the photographs, whose SHA-256 is kept with the features of each.

    Args:
        folder: `Path`.
        root: `Path` that names are relative to.
        names: list of str. The photographs.
        batch_size: See `build_index`.
        progress: See `build_index`.

    Attributes:
        digests: dict of name to the SHA-256 of what was extracted, in
            hexadecimal.
        skipped: dict of name to the reason why it has no features.
        extracted: int. Photographs that were extracted, and not kept before.
    """

    def __init__(self, folder, root, names, batch_size, progress):
        self.names = names
        self.digests = {}
        self.skipped = {}
        self.extracted = 0
        self._folder = folder
        self.root = root
        self._batch_size = batch_size
        self._progress = progress

    def path(self, label, suffix, *key):
        """Returns the `Path` of the file for a key."""
        text = " ".join(map(str, (self.root, *key)))
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape"))
        return self._folder / f"{label}-{digest.hexdigest()[:16]}{suffix}"

    def extract(self, extractor, names, label):
        """Extracts what is missing of the features of photographs."""
        with self._open(extractor) as cache:
            self._check_kept(cache.made_of(), names)
            missing = [
                name
                for name in names
                if name not in self.digests and name not in self.skipped
            ]
            self.extracted += len(missing)
            results = extract_files(
                extractor,
                (self.root / name for name in missing),
                self._batch_size,
            )
            results = self._progress(results, len(missing), label)
            for name, (digest, result) in zip(missing, results, strict=True):
                if isinstance(result, ImageError):
                    logger.warning("Skipped: %s", result)
                    self.skipped[name] = str(result)
                else:
                    cache.write(name, digest, result)
                    self.digests[name] = digest

    def read(self, extractor, names):
        """Returns (name, `LocalFeatures`) of what was not skipped."""
        with self._open(extractor) as cache:
            return [
                (name, cache.read(name))
                for name in names
                if name not in self.skipped
            ]

    def project(self, extractor, searcher):
        """Turns features without PCA into those of an extractor with one."""
        with self._open(extractor) as source, self._open(searcher) as target:
            kept = target.made_of()
            for name, digest in source.made_of().items():
                if kept.get(name) != digest:
                    features = projected(source.read(name), searcher)
                    target.write(name, digest, features)
        # They are many times as large as those with PCA.
        remove_cache(self._features_path(extractor))

    def _check_kept(self, kept, names):
        """Takes what is kept of photographs that are still the same."""
        unchecked = [
            name for name in names if name in kept and name not in self.digests
        ]
        if not unchecked:
            return
        for name in self._progress(unchecked, len(unchecked), "check"):
            try:
                digest = digest_of(self.root / name)
            except OSError:
                # It is told when it is extracted.
                continue
            if digest == kept[name]:
                self.digests[name] = digest

    def _open(self, extractor):
        return open_cache(self._features_path(extractor))

    def _features_path(self, extractor):
        return self.path("features", ".db", extractor.cache_key)
