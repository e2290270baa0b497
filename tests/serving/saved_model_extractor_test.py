"""An exported model extracts in this process what a server would."""

import io

import numpy as np
import pytest
from PIL import Image

from delf_keras.features.decoding import EncodedPhotograph, ImageError
from delf_keras.serving.saved_model_extractor import SavedModelExtractor


@pytest.fixture(scope="module")
def extractor(exported_base):
    return SavedModelExtractor(exported_base / "1")


def test_stands_in_for_an_extractor(extractor, served_extractor, photographs):
    assert extractor.fingerprint == served_extractor.fingerprint
    assert extractor.cache_key == served_extractor.cache_key
    assert extractor.options == served_extractor.options
    assert extractor.has_pca == served_extractor.has_pca
    path = sorted(photographs.rglob("*.jpg"))[0]
    encoded = EncodedPhotograph("a.jpg", path.read_bytes())
    expected = served_extractor.extract(encoded)
    assert len(expected) > 0
    for received in extractor.extract([path, encoded, encoded.contents]):
        for name in ("locations", "descriptors", "scores", "scales"):
            np.testing.assert_array_equal(
                getattr(received, name), getattr(expected, name)
            )


def test_features_of_the_upright_photograph(extractor, turned_photographs):
    """The graph reads the orientation, without Python."""
    for contents, _, upright in turned_photographs:
        features = extractor.extract(contents)
        expected = extractor.extract(upright)
        assert features.image_size == upright.shape[:2]
        assert len(features) > 0 and features.upright
        for name in ("locations", "descriptors"):
            np.testing.assert_array_equal(
                getattr(features, name), getattr(expected, name)
            )


def test_what_only_pillow_decodes(extractor, make_photograph):
    """The graph cannot: the pixels are sent to it."""
    pixels = make_photograph(72, 112)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "TIFF")
    features = extractor.extract(file.getvalue())

    assert len(features) > 0
    np.testing.assert_array_equal(
        features.descriptors, extractor.extract(pixels).descriptors
    )


def test_broken_photograph(extractor, served_extractor):
    for source in (extractor, served_extractor):
        with pytest.raises(ImageError, match="Received: a.jpg"):
            source.extract(EncodedPhotograph("a.jpg", b"no image"))


def test_photograph_without_bytes():
    with pytest.raises(ImageError, match="is empty. Received: a.jpg"):
        EncodedPhotograph("a.jpg", b"")


def test_folder_without_a_model(tmp_path):
    with pytest.raises(FileNotFoundError, match="saved_model.pb"):
        SavedModelExtractor(tmp_path)
