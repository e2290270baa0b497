"""The end of training: a `Delf` of its own, its PCA and its threshold."""

import functools
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from delf_keras.datasets.labelled_images import LabelledImages
from delf_keras.features.extraction_options import ExtractionOptions
from delf_keras.features.extractor import Extractor
from delf_keras.features.local_features import LocalFeatures
from delf_keras.features.pca_fitting import PcaOptions, fit_pca_on_features
from delf_keras.models.delf import Delf
from delf_keras.models.weights import model_fingerprint
from delf_keras.training.finishing import (
    FinishingOptions,
    finish,
    trained_delf,
)
from delf_keras.training.options import TrainingOptions
from delf_keras.training.stages import make_classifier

OPTIONS = FinishingOptions(
    pca=PcaOptions(16, whiten=True, seed=3), features=60, max_image_size=96
)


@pytest.fixture(scope="module")
def make_classifier_of(make_model, randomise):
    """A function that makes the classifier of a stage, with random weights.

    Of the same arguments it is the same classifier.
    """

    @functools.cache
    def make_classifier_of(stage, dtype="float32"):
        delf = make_model(
            attention="conv", dtype=dtype, resnet={"dtype": dtype}
        )
        classifier = make_classifier(delf, TrainingOptions(stage), 3)
        return randomise(classifier, seed=2)

    return make_classifier_of


@pytest.fixture(scope="module")
def images(tmp_path_factory, make_photograph):
    """`LabelledImages`: 10 photographs, and one that is flat and so poor."""
    folder = tmp_path_factory.mktemp("finishing")
    paths = []
    for seed in range(11):
        size = (10, 96) if seed == 4 else (72 + 4 * seed, 96)
        paths.append(str(folder / f"{seed}.png"))
        Image.fromarray(make_photograph(*size, seed)).save(paths[-1])
    return LabelledImages.from_files(paths, [0] * 11, ("thing",))


@dataclass(frozen=True)
class Finished:
    """What `finish` made of a `Delf`, and all features of the photographs."""

    delf: Delf
    extractor: Extractor
    features: list[LocalFeatures]


@pytest.fixture(scope="module")
def finished(make_classifier_of, images):
    delf = trained_delf(make_classifier_of("attention"))
    extractor = finish(delf, images, OPTIONS, {"origin": "a test"})
    all_cells = Extractor(
        delf, options=ExtractionOptions(max_features=5000, max_image_size=96)
    )
    return Finished(delf, extractor, all_cells.extract(list(images.paths)))


@pytest.mark.parametrize("stage", ["descriptor", "attention"])
def test_the_trained_delf_is_a_copy(make_classifier_of, stage):
    classifier = make_classifier_of(stage)
    source = classifier.delf
    trainable = len(classifier.trainable_weights)
    delf = trained_delf(classifier)

    assert model_fingerprint(delf) == model_fingerprint(source)
    assert delf.name == source.name
    # It can be trained again, whatever was frozen.
    assert len(delf.trainable_weights) == len(
        [v for v in delf.weights if not v.name.startswith("moving")]
    )
    # The classifier, which may be in training, is left as it was.
    assert len(classifier.trainable_weights) == trainable
    delf.weights[0].assign(delf.weights[0] + 1)
    assert model_fingerprint(delf) != model_fingerprint(source)


def test_a_preset_after_attention_can_be_trained(tmp_path, make_classifier_of):
    """What was frozen is not so in the preset."""
    trained_delf(make_classifier_of("attention")).save_to_preset(tmp_path / "a")
    delf = Delf.from_preset(tmp_path / "a")
    assert delf.backbone.trainable and delf.backbone.trainable_weights


def test_trained_in_bfloat16(make_classifier_of):
    classifier = make_classifier_of("attention", "mixed_bfloat16")
    delf = trained_delf(classifier)

    assert classifier.delf.backbone.compute_dtype == "bfloat16"
    layers = delf._flatten_layers()
    assert {layer.compute_dtype for layer in layers} == {"float32"}
    assert model_fingerprint(delf) == model_fingerprint(classifier.delf)


def test_half(make_classifier_of):
    classifier = make_classifier_of("attention")
    exact = classifier.delf.get_weights()
    for half, weight in zip(
        trained_delf(classifier, half=True).get_weights(), exact, strict=True
    ):
        np.testing.assert_array_equal(half, np.float16(weight))
    for now, before in zip(classifier.delf.get_weights(), exact, strict=True):
        np.testing.assert_array_equal(now, before)


def test_a_weight_too_large_for_float16(make_classifier_of):
    classifier = make_classifier_of("descriptor")
    kernel = classifier.delf.backbone.stem.conv.kernel
    kernel.assign(np.full(kernel.shape, 70_000))
    trained_delf(classifier)
    with pytest.raises(ValueError, match="NaN or infinity in .*conv1_conv"):
        trained_delf(classifier, half=True)


def test_the_pca_is_that_of_the_strongest_features(finished):
    pca = finished.extractor.pca
    expected = fit_pca_on_features(
        [features[:60] for features in finished.features],
        OPTIONS.pca,
        model_fingerprint(finished.delf),
    )
    assert pca.whiten
    assert pca.model_fingerprint == expected.model_fingerprint
    np.testing.assert_allclose(pca.mean, expected.mean, atol=1e-5)
    np.testing.assert_allclose(pca.projection, expected.projection, atol=1e-3)


def test_the_threshold_keeps_enough_in_nine_of_ten(finished, images):
    """Of 11 photographs in 10: the flat one does not have so many."""
    threshold = finished.extractor.options.score_threshold
    extracted = finished.extractor.extract(list(images.paths))
    kept = [len(features) for features in extracted]
    assert kept == [
        np.count_nonzero(each.scores >= threshold) for each in finished.features
    ]
    assert sum(count >= 60 for count in kept) == 10
    assert kept[4] < 60

    # A higher one would not do.
    above = [
        np.count_nonzero(each.scores > threshold) for each in finished.features
    ]
    assert sum(count >= 60 for count in above) == 9


def test_what_the_extractor_is_like(finished):
    extractor = finished.extractor
    assert extractor.model is finished.delf
    assert extractor.source == {"origin": "a test"}
    assert extractor.options.max_image_size == 96
    assert extractor.options.max_features == ExtractionOptions.max_features


def test_a_pca_of_older_weights_is_refused(finished, make_classifier_of):
    newer = trained_delf(make_classifier_of("attention"))
    newer.attention.conv_2.bias.assign([0.25])
    with pytest.raises(ValueError, match="fitted on the features of other"):
        Extractor(newer, finished.extractor.pca)


def test_too_few_features_for_the_pca(finished, images):
    options = FinishingOptions(PcaOptions(100), 60, 96)
    with pytest.raises(ValueError, match="Received: dimension=100"):
        finish(finished.delf, images.select([4]), options)


def test_without_pca(finished, images):
    options = FinishingOptions(PcaOptions(0), 60, 96)
    extractor = finish(finished.delf, images.select([0]), options)
    assert extractor.pca is None
    assert extractor.options.score_threshold == pytest.approx(
        finished.features[0].scores[59], rel=1e-5
    )


def test_a_photograph_of_no_use_is_left_out(finished, images, tmp_path, caplog):
    """A strip, of which nothing is left when its longer side is shrunk."""
    strip = str(tmp_path / "strip.png")
    Image.fromarray(np.zeros((12, 960, 3), np.uint8)).save(strip)
    strips = LabelledImages.from_files([strip], [0], ("thing",))
    with pytest.raises(ValueError, match="1 photographs, none of use"):
        finish(finished.delf, strips, OPTIONS)
    assert "Skipped: A photograph has at least 10 pixels" in caplog.text
