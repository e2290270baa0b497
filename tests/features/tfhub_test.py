"""TF-Hub modules: found, run as they are, and the same when imported."""

import hashlib
import shutil
import sys

import numpy as np
import pytest
from absl import flags as absl_flags

from delf_keras.convert.importing import import_weights
from delf_keras.features.decoding import ImageError
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.extractor import Extractor
from delf_keras.features.tfhub import find_module
from tests.convert.conftest import DIMENSION, SCALES, make_google

URL = "https://tfhub.dev/google/delf/1"

pytestmark = pytest.mark.filterwarnings(
    "ignore:pkg_resources is deprecated:UserWarning",
    "ignore:Deprecated call to `pkg_resources:DeprecationWarning",
)


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """The folder of a small module in TF-Hub's format of TensorFlow 1."""
    folder = tmp_path_factory.mktemp("hub") / "delf"
    make_google().save_module(folder)
    return folder


@pytest.fixture(scope="module")
def extractor(module):
    return Extractor.from_tfhub(
        str(module),
        score_threshold=0.3,
        scales=SCALES,
        max_features=40,
        min_image_size=0,
    )


def test_equals_the_imported_model(module, extractor, make_photograph):
    """Its locations and descriptors, the PCA inside the module included."""
    imported = import_weights(module)
    options = ExtractionOptions(
        min_image_size=0, max_features=40, score_threshold=0.3, scales=SCALES
    )
    expected = Extractor(imported.model, imported.pca, options)

    assert imported.pca.dimension == DIMENSION
    for size in ((150, 201), (128, 90)):
        image = make_photograph(*size)
        received, features = extractor.extract(image), expected.extract(image)
        assert len(received) == len(features) > 10
        assert received.image_size == size
        assert received.fingerprint == extractor.fingerprint
        np.testing.assert_allclose(
            received.locations, features.locations, atol=1e-3
        )
        np.testing.assert_allclose(
            received.descriptors, features.descriptors, atol=1e-5
        )


def test_large_photographs_are_shrunk(module, make_photograph):
    """Locations are pixels of the photograph nevertheless."""
    extractor = Extractor.from_tfhub(
        str(module), score_threshold=0.0, scales=SCALES, max_image_size=100
    )
    features = extractor.extract(make_photograph(150, 200))
    index = (features.locations - 0.5) / (2 * 32)
    np.testing.assert_allclose(index * 2, np.rint(index * 2), atol=1e-4)
    assert 128 <= features.locations[:, 1].max() < 200
    np.testing.assert_array_equal(features.scales, 2)


def test_stands_in_for_an_extractor(extractor, make_photograph, tmp_path):
    (tmp_path / "text.jpg").write_bytes(b"text")
    image = make_photograph(60, 80)
    results = list(extractor.extract_each([image, tmp_path / "text.jpg"]))
    assert len(results[0][1]) > 0
    assert isinstance(results[1][1], ImageError)
    assert extractor.has_pca and len(extractor.cache_key) == 16


def test_threshold_above_all(module, make_photograph, caplog):
    extractor = Extractor.from_tfhub(str(module), scales=SCALES)
    assert extractor.options.score_threshold == 100
    assert len(extractor.extract(make_photograph(60, 80))) == 0
    assert "lower the score threshold" in caplog.text


def test_fingerprint_is_that_of_the_files(module, extractor, tmp_path):
    copy = shutil.copytree(module, tmp_path / "copy")
    same = Extractor.from_tfhub(str(copy), scales=SCALES)
    assert same.fingerprint == extractor.fingerprint
    other = tmp_path / "other"
    make_google(seed=5).save_module(other)
    different = Extractor.from_tfhub(str(other), scales=SCALES)
    assert different.fingerprint != extractor.fingerprint


def test_local_copy_of_a_url(monkeypatch, module, tmp_path):
    """In the folder of TF-Hub, no network is needed."""
    name = hashlib.sha1(URL.encode()).hexdigest()
    shutil.copytree(module, tmp_path / name)
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    assert find_module(URL) == str(tmp_path / name)
    assert import_weights(URL).pca.dimension == DIMENSION
    assert find_module(str(module)) == str(module)


def test_url_without_network(monkeypatch, tmp_path):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    url = "http://127.0.0.1:9/google/delf/1"
    with pytest.raises(FileNotFoundError, match="give a local folder") as error:
        find_module(url)
    assert hashlib.sha1(url.encode()).hexdigest() in str(error.value)
    assert url in str(error.value)


@pytest.mark.parametrize(
    ("missing", "remedy"),
    [
        ("tensorflow_hub", r"pip install \"delf-keras\[hub\]\""),
        ("pkg_resources", r"pip install \"setuptools<81\""),
    ],
)
def test_missing_packages(monkeypatch, module, missing, remedy):
    for name in [n for n in sys.modules if n.startswith("tensorflow_hub")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=remedy):
        Extractor.from_tfhub(str(module))


def test_no_module(tmp_path):
    with pytest.raises(FileNotFoundError, match="has a saved_model.pb"):
        Extractor.from_tfhub(str(tmp_path))


def test_module_that_is_not_delf(tmp_path):
    """Another signature than that of DELF."""
    make_google().save_export(tmp_path / "x", (), "default")
    (tmp_path / "x" / "tfhub_module.pb").write_bytes(b"\x08\x03")
    with pytest.raises(ValueError, match=r"takes \['image', .*'input_image'"):
        Extractor.from_tfhub(str(tmp_path / "x"))


def test_flags_do_not_leak(extractor):
    """tensorflow_hub defines flags, which are none of ours."""
    from delf_keras.cli import search

    flags = absl_flags.FlagValues()
    search.define_flags(flags)
    assert not [name for name in flags if "tfhub_" in name]
