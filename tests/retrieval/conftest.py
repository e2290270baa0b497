"""What tests of indexes share."""

import contextlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from delf_keras.features import pca_fitting
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.local_features import LocalFeatures
from delf_keras.retrieval import index_filling, manifest
from delf_keras.retrieval.database import Database
from delf_keras.retrieval.descriptor_index import DescriptorIndex
from delf_keras.retrieval.index_files import create_index
from delf_keras.retrieval.index_training import learn
from delf_keras.retrieval.neighbors import keys_of_images
from delf_keras.retrieval.segment import Segment

FINGERPRINT = "0123456789abcdef"


def unit(vectors):
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


@pytest.fixture(scope="session")
def make_photographs():
    """A function that makes features of photographs, clustered as real ones.

    It returns a list of (name, `LocalFeatures`) of 16 dimensions.
    """
    centres = np.random.default_rng(99).normal(0, 1, (100, 16))

    def make(count, seed=0, features=40):
        rng = np.random.default_rng(seed)
        named = []
        for number in range(count):
            chosen = centres[rng.integers(0, len(centres), features)]
            noise = rng.normal(0, 0.3, chosen.shape)
            named.append(
                (
                    f"{seed}/{number:03d}.jpg",
                    LocalFeatures(
                        rng.uniform(0, 400, (features, 2)),
                        unit(chosen + noise),
                        np.ones(features),
                        rng.choice([1.0, 2.0], features),
                        (400, 400),
                        FINGERPRINT,
                    ),
                )
            )
        return named

    return make


@pytest.fixture(scope="session")
def make_descriptor_index():
    """A function that indexes the descriptors of an `ImageStore`."""

    def make(store, factory="exact", **options):
        descriptors = store.descriptors.astype(np.float32)
        index = DescriptorIndex.train(
            descriptors, store.image_of_rows, factory=factory, **options
        )
        keys = keys_of_images(store.numbers, store.offsets)
        return index.with_descriptors(descriptors, keys)

    return make


@pytest.fixture(scope="session")
def make_database():
    """A function that makes a `Database` of one segment in memory."""

    def make(named_features, **options):
        learned = learn([each for _, each in named_features], **options)
        return Database(learned, [Segment.build(learned, named_features, 0)])

    return make


@pytest.fixture(scope="session")
def write_index():
    """A function that writes an index folder of features."""

    def write(folder, named_features, **options):
        learned = learn([each for _, each in named_features], **options)
        new = create_index(
            Path(folder),
            "localhost:8500",
            FINGERPRINT,
            ["/photographs"],
            ExtractionOptions(),
            learned,
        )
        index_filling.fill_index(folder, new, [(named_features, None)])
        return Path(folder)

    return write


@pytest.fixture(scope="session")
def edit_manifest():
    """A function that changes values of a manifest, None to remove them."""

    def edit(folder, **changes):
        path = folder / manifest.MANIFEST_FILE
        content = json.loads(path.read_text()) | changes
        del content["sha256"]
        content = {k: v for k, v in content.items() if v is not None}
        content["sha256"] = manifest._digest(content)
        path.write_text(json.dumps(content))

    return edit


@pytest.fixture
def folder(photographs, tmp_path):
    """A folder of two photographs, to add others to."""
    folder = tmp_path / "photographs"
    (folder / "sub").mkdir(parents=True)
    shutil.copy(photographs / "distractor_00.jpg", folder)
    shutil.copy(photographs / "landmark_00_view_0.jpg", folder / "sub")
    return folder


@pytest.fixture
def small_sample(monkeypatch):
    """The PCA is fitted on 3 photographs only."""
    monkeypatch.setattr(pca_fitting, "_PHOTOGRAPHS", 3)


@pytest.fixture(scope="session")
def assert_same_index():
    """A function that compares two indexes to the last bit."""

    def check(received, expected):
        assert received.fingerprint == expected.fingerprint
        received, expected = (
            index.database.segments[0].store for index in (received, expected)
        )
        assert [*received.names] == [*expected.names]
        for name in ("sizes", "offsets", "locations", "descriptors", "digests"):
            np.testing.assert_array_equal(
                getattr(received, name), getattr(expected, name)
            )

    return check


@pytest.fixture
def few_open_files():
    """A function in whose context some 25 more files can be open."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    @contextlib.contextmanager
    def few_open_files():
        most = max(map(int, os.listdir("/dev/fd"))) + 25
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

    return few_open_files
