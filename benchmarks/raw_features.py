"""Features of a benchmark without PCA, extracted once and kept."""

import dataclasses
from pathlib import Path

from tqdm import tqdm

from delf_keras.features.feature_source import FeatureSource
from delf_keras.features.files import names_h5, open_h5, read_h5, write_h5
from delf_keras.features.pca import to_descriptors
from delf_keras.features.photographs import read_query


class KeptFeatures(FeatureSource):
    """Stands in for an extractor, of photographs that were extracted before.

    Args:
        extractor: `Extractor`, with or without PCA.
        features: dict of path to `LocalFeatures` without PCA.
        max_features: int. Of them that are used, those of highest score.
    """

    def __init__(self, extractor, features, max_features=1000):
        self.fingerprint = extractor.fingerprint
        self.model_fingerprint = extractor.model_fingerprint
        self.options = dataclasses.replace(
            extractor.options, max_features=max_features
        )
        self.pca = extractor.pca
        self._extractor = extractor
        self._features = features

    @property
    def has_pca(self):
        return self.pca is not None

    def with_pca(self, pca):
        return KeptFeatures(
            self._extractor.with_pca(pca),
            self._features,
            self.options.max_features,
        )

    def save_to_preset(self, folder):
        self._extractor.save_to_preset(folder)

    def extract_each(self, photographs, batch_size=1):
        for photograph in photographs:
            yield photograph, self.project(self._features[photograph])

    def project(self, features):
        """Returns features as this extractor would have extracted them."""
        features = features[: self.options.max_features]
        return dataclasses.replace(
            features,
            descriptors=to_descriptors(features.descriptors, self.pca).numpy(),
            fingerprint=self.fingerprint,
        )


def raw_features(benchmark, extractor, work_dir):
    """Extracts the database and the queries of a benchmark, where missing.

    Args:
        benchmark: `Benchmark`.
        extractor: `Extractor` without PCA.
        work_dir: str or `Path`. Where features are kept between runs.

    Returns:
        A pair: dict of path to `LocalFeatures` of the database, and list of
        those of the queries.
    """
    path = Path(work_dir) / f"raw-{benchmark.name}-{extractor.cache_key}.h5"
    photographs = {
        f"database/{name}": (path, None)
        for name, path in zip(
            benchmark.image_names, benchmark.image_paths, strict=True
        )
    } | {
        f"query/{name}": (path, box)
        for name, path, box in zip(
            benchmark.query_names,
            benchmark.query_paths,
            benchmark.boxes,
            strict=True,
        )
    }
    with open_h5(path, "a") as file:
        missing = sorted({*photographs} - {*names_h5(file)})
        for name in tqdm(missing, "extract", disable=None):
            image, box = photographs[name]
            if box is not None:
                image = read_query(image, box)
            write_h5(file, name, extractor.extract(image))
        features = {name: read_h5(file, name) for name in photographs}
    database = {
        photographs[name][0]: each
        for name, each in features.items()
        if name.startswith("database/")
    }
    queries = [
        each for name, each in features.items() if name.startswith("query/")
    ]
    return database, queries
