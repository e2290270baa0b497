"""Fixtures of the tests of serving: an extractor, exported."""

import time

import pytest

from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.extractor import Extractor
from delf_keras.features.pca_fitting import PcaOptions, fit_pca_on_features
from delf_keras.serving.admission import Limits
from delf_keras.serving.exporting import export

# So small that tests can exceed them.
LIMITS = Limits(max_image_bytes=400_000, max_pixels=500 * 500)


@pytest.fixture(scope="session")
def served_extractor(tiny_extractor, photographs):
    """An `Extractor` with a PCA to 16, 50 features at most, two scales."""
    features = tiny_extractor.extract(sorted(photographs.rglob("*.jpg")))
    pca = fit_pca_on_features(
        features, PcaOptions(16), tiny_extractor.model_fingerprint
    )
    return Extractor(
        tiny_extractor.model,
        pca,
        ExtractionOptions(
            max_features=50,
            max_image_size=200,
            min_image_size=0,
            scales=(0.5, 1.0),
        ),
        {"origin": "random weights", "licence": "none"},
    )


@pytest.fixture(scope="session")
def exported_base(served_extractor, tmp_path_factory):
    """A folder with version 1 of `served_extractor`, not to be changed."""
    base = tmp_path_factory.mktemp("exported") / "delf"
    export(served_extractor, base, 1, LIMITS, "tiny")
    return base


@pytest.fixture(scope="session")
def until():
    """A function that waits until a condition holds, a function, or fails."""

    def until(condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "The condition never holds."
            time.sleep(0.01)

    return until
