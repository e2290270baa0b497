"""The functions that are exported, against the extractor in Python."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from delf_keras.features.decoding import read_image
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.extractor import Extractor
from delf_keras.serving import contract
from delf_keras.serving.admission import Limits
from delf_keras.serving.signatures import describe, make_signatures

FEATURES = ("locations", "descriptors", "scores", "scales")


@pytest.fixture(scope="module")
def signatures(served_extractor):
    """The functions of `served_extractor`, by name."""
    return make_signatures(served_extractor, Limits(max_pixels=500 * 500))


@pytest.fixture(scope="module")
def files(tmp_path_factory, make_photograph):
    """Photographs of several sizes and formats; the first is wide."""
    folder = tmp_path_factory.mktemp("files")
    paths = []
    for seed, (name, size) in enumerate(
        {"a.jpg": (100, 240), "b.png": (90, 70), "c.webp": (160, 160)}.items()
    ):
        paths.append(folder / name)
        Image.fromarray(make_photograph(*size, seed)).save(paths[-1])
    return paths


def call(function, **inputs):
    outputs = function(**{k: tf.constant(v) for k, v in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def assert_row_is(outputs, row, features):
    """A row holds the features, and zeros up to its end."""
    assert outputs["status"][row] == b"ok"
    assert tuple(outputs["image_size"][row]) == features.image_size
    count = outputs["num_features"][row]
    assert count == len(features) > 0
    for name in FEATURES:
        received = outputs[name][row]
        np.testing.assert_array_equal(
            received[:count], getattr(features, name), err_msg=name
        )
        assert not received[count:].any()


def test_extract_equals_the_extractor(signatures, served_extractor, files):
    """Bit for bit, whatever else is in the batch."""
    contents = [path.read_bytes() for path in files]
    outputs = call(signatures["extract"], image_bytes=contents)

    assert outputs["descriptors"].shape == (3, 50, 16)
    for row, features in enumerate(served_extractor.extract(files)):
        assert_row_is(outputs, row, features)


def test_what_is_no_photograph_has_a_row_of_its_own(
    signatures, served_extractor, files
):
    contents = [files[0].read_bytes(), b"no photograph", b""]
    outputs = call(signatures["extract"], image_bytes=contents)

    assert_row_is(outputs, 0, served_extractor.extract(files[0]))
    assert list(outputs["status"]) == [b"ok", b"corrupt", b"corrupt"]
    assert list(outputs["num_features"][1:]) == [0, 0]
    for name in (*FEATURES, "image_size"):
        assert not outputs[name][1:].any()


def test_a_batch_of_none(signatures):
    outputs = call(signatures["extract"], image_bytes=np.zeros(0, object))
    assert outputs["locations"].shape == (0, 50, 2)


def test_few_features_are_padded(tiny_model, make_photograph):
    """A photograph of 12 cells, and a threshold that half of them pass."""
    image = make_photograph(48, 64)
    options = ExtractionOptions(
        max_features=30, scales=(1.0,), min_image_size=0
    )
    every = Extractor(tiny_model, options=options).extract(image)
    options = dataclasses.replace(
        options, score_threshold=float(np.median(every.scores))
    )
    extractor = Extractor(tiny_model, options=options)
    signatures = make_signatures(extractor, Limits())
    outputs = call(signatures["extract_pixels"], images=image[None])

    assert len(every) == 12 and outputs["num_features"] == [6]
    assert_row_is(outputs, 0, extractor.extract(image))


def test_extract_pixels(signatures, served_extractor, make_photograph):
    images = np.stack([make_photograph(120, 90, seed) for seed in (0, 1)])
    outputs = call(signatures["extract_pixels"], images=images)

    for row, features in enumerate(
        served_extractor.extract(list(images), batch_size=2)
    ):
        assert_row_is(outputs, row, features)


def test_pixels_that_are_not_taken(signatures):
    for size, status in (((9, 50), b"too_small"), ((501, 500), b"too_large")):
        images = np.zeros((2, *size, 3), np.uint8)
        outputs = call(signatures["extract_pixels"], images=images)
        assert list(outputs["status"]) == [status] * 2
        assert list(outputs["num_features"]) == [0, 0]
        assert not outputs["descriptors"].any()


def test_every_answer_names_the_extractor(
    signatures, served_extractor, tiny_extractor, files
):
    contents = [files[0].read_bytes(), b""]
    outputs = call(signatures["extract"], image_bytes=contents)
    for text in outputs["extractor"]:
        received = contract.ExtractorDescription.from_json(text)
        assert received == contract.ExtractorDescription(
            fingerprint=served_extractor.fingerprint,
            pca=True,
            dimension=16,
            options=json.loads(json.dumps(vars(served_extractor.options))),
        )
    without_pca = describe(tiny_extractor)
    assert not without_pca.pca and without_pca.dimension == 128


def test_description_that_is_none():
    for text in ("{}", "no JSON", "[1]"):
        with pytest.raises(ValueError, match="is JSON of its fingerprint"):
            contract.ExtractorDescription.from_json(text)


@pytest.fixture(scope="module")
def compat(signatures):
    """`delf_compat` of arrays."""

    def compat(image, scales=(0.5, 1.0), max_feature_num=10_000, abs_thres=0):
        return call(
            signatures["delf_compat"],
            input_image=image,
            input_scales=np.array(scales, np.float32),
            input_max_feature_num=np.int32(max_feature_num),
            input_abs_thres=np.float32(abs_thres),
        )

    return compat


def test_delf_compat(compat, tiny_model, files):
    """Features before normalisation, boxes whose centres are locations."""
    image = read_image(files[2])
    outputs = compat(image)
    expected = Extractor(
        tiny_model,
        options=ExtractionOptions(
            max_features=10_000, scales=(0.5, 1.0), min_image_size=0
        ),
    ).extract(image)
    count = 5 * 5 + 10 * 10

    assert {name: rows.shape for name, rows in outputs.items()} == {
        "boxes": (count, 4),
        "features": (count, 128),
        "scales": (count,),
        "scores": (count, 1),
    }
    norms = np.linalg.norm(outputs["features"], axis=1, keepdims=True)
    # Norm attention: the score of a feature is its length.
    np.testing.assert_allclose(outputs["scores"], norms, rtol=1e-5)
    np.testing.assert_allclose(
        outputs["features"] / norms, expected.descriptors, atol=1e-6
    )
    boxes = outputs["boxes"]
    np.testing.assert_allclose(
        (boxes[:, :2] + boxes[:, 2:]) / 2, expected.locations, atol=1e-3
    )
    np.testing.assert_array_equal(outputs["scores"][:, 0], expected.scores)
    np.testing.assert_array_equal(outputs["scales"], expected.scales)


def test_delf_compat_selects(compat, files):
    image = read_image(files[2])
    every = compat(image)
    strongest = compat(image, max_feature_num=20)
    above = compat(image, abs_thres=every["scores"][30, 0])

    for name, rows in every.items():
        np.testing.assert_array_equal(strongest[name], rows[:20])
        np.testing.assert_array_equal(above[name], rows[:31])
    assert len(compat(image, max_feature_num=0)["boxes"]) == 0
    assert compat(image, scales=())["features"].shape == (0, 128)


@pytest.mark.parametrize("scale", [5.0, 1e30, 0.0, -1.0, np.nan, np.inf])
def test_delf_compat_refuses_levels_that_would_fill_memory(
    compat, make_photograph, scale
):
    """No level has more pixels than a photograph may, nor none."""
    image = make_photograph(100, 125)
    assert len(compat(image, scales=(4.0,))["boxes"])
    with pytest.raises(tf.errors.InvalidArgumentError, match="250000 pixels"):
        compat(image, scales=(0.5, scale))


def test_delf_compat_of_small_levels(make_model, make_photograph):
    """Levels of two and of five pixels: no cell, and one."""
    model = make_model(
        width=1, attention="conv", resnet={"stride_placement": "tf2"}
    )
    signatures = make_signatures(Extractor(model), Limits())
    outputs = call(
        signatures["delf_compat"],
        input_image=make_photograph(10, 10),
        input_scales=np.array([0.25, 0.5], np.float32),
        input_max_feature_num=np.int32(5),
        input_abs_thres=np.float32(0),
    )
    assert outputs["features"].shape == (1, 16)


def test_bfloat16(served_extractor, files):
    """Outputs stay float32."""
    options = dataclasses.replace(
        served_extractor.options, precision="bfloat16"
    )
    extractor = Extractor(served_extractor.model, served_extractor.pca, options)
    signatures = make_signatures(extractor, Limits())
    outputs = call(signatures["extract"], image_bytes=[files[2].read_bytes()])
    assert_row_is(outputs, 0, extractor.extract(files[2]))
    assert outputs["descriptors"].dtype == np.float32
    raw = call(
        signatures["delf_compat"],
        input_image=read_image(files[2]),
        input_scales=np.ones(1, np.float32),
        input_max_feature_num=np.int32(5),
        input_abs_thres=np.float32(0),
    )
    assert {rows.dtype for rows in raw.values()} == {np.dtype("float32")}
