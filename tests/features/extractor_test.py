"""The extractor: photographs of any kind in, local features out, in order."""

import dataclasses
import itertools
import json
import logging

import numpy as np
import pytest
from PIL import Image

from delf_keras.features.decoding import ImageError, read_image
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.extractor import Extractor, descriptor_fingerprint
from delf_keras.features.local_features import LocalFeatures
from delf_keras.features.pca import Pca, fit_pca
from delf_keras.models.delf import Delf
from delf_keras.models.weights import model_fingerprint

OPTIONS = {"max_features": 60, "scales": (0.5, 1.0), "min_image_size": 0}


@pytest.fixture(scope="module")
def pca(tiny_model):
    features = np.random.default_rng(0).normal(0, 1, (300, 128))
    return fit_pca(
        features, 16, model_fingerprint=model_fingerprint(tiny_model)
    )


@pytest.fixture(scope="module")
def extractor(tiny_model, pca):
    return Extractor(tiny_model, pca, ExtractionOptions(**OPTIONS))


def assert_same(received, expected):
    """Equal up to the rounding of sums in another order."""
    assert received.image_size == expected.image_size
    assert received.fingerprint == expected.fingerprint
    for name in ("locations", "descriptors", "scores", "scales"):
        np.testing.assert_allclose(
            getattr(received, name),
            getattr(expected, name),
            rtol=1e-6,
            atol=1e-5,
        )


def test_features_of_an_array(extractor, make_photograph):
    features = extractor.extract(make_photograph(120, 160))

    assert isinstance(features, LocalFeatures)
    assert len(features) == 60 and features.dimension == 16
    assert features.image_size == (120, 160)
    assert features.fingerprint == extractor.fingerprint
    assert (np.diff(features.scores) <= 0).all() and features.scores[-1] > 0
    assert set(features.scales) <= {1.0, 2.0}
    assert features.locations.max() < 160
    np.testing.assert_allclose(
        np.linalg.norm(features.descriptors, axis=1), 1, atol=1e-5
    )


def test_files_and_arrays_give_the_same(tmp_path, extractor, make_photograph):
    path = tmp_path / "photograph.png"
    Image.fromarray(make_photograph(100, 120)).save(path)
    expected = extractor.extract(make_photograph(100, 120))

    for photograph in (path, str(path), path.read_bytes()):
        assert_same(extractor.extract(photograph), expected)
    (listed,) = extractor.extract([path])
    assert_same(listed, expected)
    assert extractor.extract([]) == []


def test_a_photograph_that_cannot_be_used_ends_at_once(
    tmp_path, extractor, make_photograph
):
    """Without those that follow: an iterable is not read to its end."""
    good = make_photograph(20, 20)
    photographs = itertools.chain([good, tmp_path / "none.jpg"], [good] * 100)

    with pytest.raises(ImageError, match=r"cannot be read.*none\.jpg"):
        extractor.extract(photographs)
    assert len(list(photographs)) > 80


def test_features_of_the_upright_photograph(extractor, turned_photographs):
    stored = Extractor(
        extractor.model,
        extractor.pca,
        dataclasses.replace(extractor.options, upright=False),
    )
    assert stored.cache_key != extractor.cache_key
    assert stored.fingerprint == extractor.fingerprint
    for contents, lying, upright in turned_photographs:
        features = extractor.extract(contents)
        assert_same(features, extractor.extract(upright))
        assert features.image_size == upright.shape[:2] and features.upright
        as_stored = stored.extract(contents)
        assert_same(as_stored, extractor.extract(lying))
        assert as_stored.upright is False


@pytest.mark.parametrize(
    ("mode", "name"), [("L", "a.png"), ("RGBA", "a.png"), ("CMYK", "a.jpg")]
)
def test_other_colours(tmp_path, extractor, make_photograph, mode, name):
    path = tmp_path / name
    Image.fromarray(make_photograph(100, 120)).convert(mode).save(path)
    features = extractor.extract(path)

    assert len(features) > 20
    assert_same(features, extractor.extract(read_image(path)))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, make_photograph):
    """Photographs of two sizes, with some that cannot be used among them."""
    folder = tmp_path_factory.mktemp("mixed")
    photographs = []
    for seed in range(9):
        size = (100, 120) if seed % 3 else (80, 90)
        path = folder / f"{seed}.png"
        Image.fromarray(make_photograph(*size, seed)).save(path)
        photographs.append(path)
    (folder / "1.png").write_text("not a photograph")
    photographs[4] = np.zeros((5, 5, 3), np.uint8)
    photographs[6] = folder / "missing.png"
    photographs[7] = make_photograph(100, 120, seed=7)
    return photographs


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_each_in_its_order_with_errors_in_place(extractor, mixed, batch_size):
    pairs = list(extractor.extract_each(iter(mixed), batch_size))

    assert len(pairs) == len(mixed)
    for index, (photograph, result) in enumerate(pairs):
        assert photograph is mixed[index]
        if index in (1, 4, 6):
            assert isinstance(result, ImageError)
        else:
            assert_same(result, extractor.extract(photograph))
    assert "1.png" in str(pairs[1][1])
    assert "5x5 pixels" in str(pairs[4][1])
    assert "missing.png" in str(pairs[6][1])


def test_extract_raises_the_error(extractor, mixed):
    with pytest.raises(ImageError, match="1.png"):
        extractor.extract(mixed, batch_size=2)
    with pytest.raises(ImageError, match="missing.png"):
        extractor.extract(mixed[6])


def test_bytes_that_are_no_photograph(extractor):
    for contents, reason in ((b"text", "whole"), (b"", "is empty")):
        with pytest.raises(ImageError, match=f"{reason}.*Received: bytes"):
            extractor.extract([contents])


def test_photographs_are_read_as_they_are_needed(extractor, make_photograph):
    """Of a long stream, only a few are in memory."""
    taken = iter(range(200))
    stream = (make_photograph(80, 90, seed % 3) for seed in taken)
    results = extractor.extract_each(stream, batch_size=2)
    first = [features for _, features in itertools.islice(results, 3)]
    results.close()

    assert [features.image_size for features in first] == [(80, 90)] * 3
    assert next(taken) < 30


@pytest.mark.parametrize("limit", [1024, 0])
def test_too_thin_once_it_is_shrunk(tiny_model, limit):
    """A photograph of 20000x10 is half a pixel high at 1024 pixels."""
    options = ExtractionOptions(max_image_size=limit, scales=(0.25,))
    extractor = Extractor(tiny_model, options=options)
    thin = np.zeros((10, 20000, 3), np.uint8)
    if limit:
        with pytest.raises(
            ImageError,
            match="shrunk to 1024. Received: array with 20000x10 pixels",
        ):
            extractor.extract(thin)
    else:
        assert extractor.extract(thin).image_size == (10, 20000)


def test_no_features_is_a_warning(
    tmp_path, caplog, tiny_model, pca, make_photograph
):
    path = tmp_path / "photograph.png"
    Image.fromarray(make_photograph(60, 80)).save(path)
    options = ExtractionOptions(**OPTIONS, score_threshold=1e6)
    extractor = Extractor(tiny_model, pca, options)
    with caplog.at_level(logging.WARNING):
        features = extractor.extract(path)
        extractor.extract([path.read_bytes(), make_photograph(60, 80)])

    assert len(features) == 0
    assert features.locations.shape == (0, 2)
    assert features.descriptors.shape == (0, 16)
    assert features.image_size == (60, 80)
    assert [record.getMessage() for record in caplog.records] == [
        f"{name} has no feature with an attention score of at least 1e+06: "
        "lower the score threshold."
        for name in (path, "bytes", "array")
    ]


def test_features_are_no_warning(caplog, extractor, make_photograph):
    extractor.extract(make_photograph(60, 80))
    assert not caplog.records


def test_pca_of_other_weights_is_refused(make_model, pca):
    with pytest.raises(
        ValueError,
        match=f"fitted on the features of other weights.*Expected model "
        f"{model_fingerprint(make_model(seed=1))}. "
        f"Received: {pca.model_fingerprint}",
    ):
        Extractor(make_model(seed=1), pca)


def test_pca_of_unknown_weights_is_refused(tiny_model, pca):
    unknown = Pca(pca.mean, pca.components, pca.variances)
    with pytest.raises(ValueError, match="Received: unknown"):
        Extractor(tiny_model, unknown)


def test_fingerprint_is_of_the_descriptor_space(extractor, pca):
    """The model and the PCA are in it, what is selected is not."""
    model = extractor.model
    whitened = Pca(
        pca.mean, pca.components, pca.variances, True, pca.model_fingerprint
    )
    same = [
        Extractor(model, pca),
        Extractor(
            model, pca, ExtractionOptions(max_features=3, min_image_size=0)
        ),
        extractor.with_pca(None).with_pca(pca),
    ]
    others = [extractor.with_pca(None), extractor.with_pca(whitened)]

    assert {other.fingerprint for other in same} == {extractor.fingerprint}
    assert len({each.fingerprint for each in [extractor, *others]}) == 3
    assert others[0].options == extractor.options
    assert descriptor_fingerprint("a", pca) != descriptor_fingerprint("b", pca)


@pytest.fixture(scope="module")
def preset(tiny_model, pca, tmp_path_factory):
    options = ExtractionOptions(**OPTIONS, score_threshold=0.5)
    folder = tmp_path_factory.mktemp("presets") / "tiny"
    source = {"origin": "Random.", "licence": "None."}
    tiny = Extractor(tiny_model, pca, options, source)
    tiny.save_to_preset(folder, "Tiny.")
    return folder


def test_preset_gives_the_same_features(preset, extractor, make_photograph):
    loaded = Extractor.from_preset(preset, score_threshold=0.0, **OPTIONS)
    photograph = make_photograph(120, 160)

    assert loaded.fingerprint == extractor.fingerprint
    assert loaded.options == extractor.options
    assert_same(loaded.extract(photograph), extractor.extract(photograph))


def test_source_of_the_weights_is_handed_on(preset, tmp_path):
    loaded = Extractor.from_preset(preset).with_pca(None)
    loaded.save_to_preset(tmp_path / "derived")
    info = json.loads((tmp_path / "derived/preset.json").read_text())

    assert loaded.source == {"origin": "Random.", "licence": "None."}
    assert info["origin"] == "Random." and info["licence"] == "None."


def test_files_of_a_preset(preset):
    names = {path.name for path in preset.iterdir()}
    info = json.loads((preset / "preset.json").read_text())

    assert names == {
        "config.json",
        "model.weights.h5",
        "pca.npz",
        "preset.json",
    }
    assert info["description"] == "Tiny." and info["score_threshold"] == 0.5


def test_parts_of_a_preset(preset, pca, tiny_model):
    """Its PCA and threshold are used unless others are given."""
    as_saved = Extractor.from_preset(str(preset))
    without = Extractor.from_preset(preset, pca=False, max_image_size=640)
    other = fit_pca(
        np.random.default_rng(1).normal(0, 1, (99, 128)),
        8,
        model_fingerprint=model_fingerprint(tiny_model),
    )

    assert as_saved.pca.dimension == 16
    assert as_saved.options == ExtractionOptions(score_threshold=0.5)
    assert without.pca is None and without.options.max_image_size == 640
    assert Extractor.from_preset(preset, pca=other).pca is other


def test_preset_without_pca(tmp_path, tiny_model):
    Extractor(tiny_model).save_to_preset(tmp_path / "folder")
    loaded = Extractor.from_preset(tmp_path / "folder")

    assert loaded.pca is None
    assert loaded.fingerprint == Extractor(tiny_model).fingerprint


def test_wrong_option_of_a_preset(preset):
    with pytest.raises(ValueError, match="Received: max_features=0"):
        Extractor.from_preset(preset, max_features=0)


def test_a_backbone_of_any_layers(make_network, make_photograph, tmp_path):
    """Its features are found where it sees them, and its preset is itself."""
    model = Delf(make_network(), "conv", scaling="tf", autoencoder=6)
    model.build((None, None, None, 3))
    image = make_photograph(96, 128)
    options = {"scales": (1.0,), "global_power": 3.0, "min_image_size": 0}
    extractor = Extractor(model, options=ExtractionOptions(**options))
    features = extractor.extract(image)
    outputs = {name: np.asarray(x)[0] for name, x in model(image[None]).items()}

    rows, columns, channels = outputs["features"].shape
    assert len(features) == rows * columns and channels == 6
    # Cells see 27 pixels, from 4 before the image on.
    y, x = ((features.locations + 4 - 13) / 8).astype(int).T
    np.testing.assert_array_equal(
        features.locations, np.stack([y, x], axis=1) * 8 - 4 + 13
    )
    np.testing.assert_allclose(
        features.scores, outputs["attention_scores"][y, x], rtol=1e-4
    )
    dense = outputs["features"][y, x]
    dense /= np.linalg.norm(dense, axis=-1, keepdims=True)
    np.testing.assert_allclose(features.descriptors, dense, atol=1e-4)

    extractor.save_to_preset(tmp_path / "preset")
    for precision in ("float32", "bfloat16"):
        loaded = Extractor.from_preset(
            tmp_path / "preset", precision=precision, **options
        )
        assert loaded.fingerprint == extractor.fingerprint
        assert len(loaded.extract(image)) == len(features)
    tiny = Extractor(
        model, options=ExtractionOptions(scales=(0.1, 0.25), min_image_size=0)
    )
    assert len(tiny.extract(image[:10, :12])) == 0
