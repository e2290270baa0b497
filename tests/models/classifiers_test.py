"""Classifiers that a `Delf` is trained in, on every backend of Keras."""

import functools
import json

import keras
import numpy as np
import pytest

from delf_keras.models.classifiers import (
    AttentionClassifier,
    DescriptorClassifier,
    JointClassifier,
)
from delf_keras.models.delf import Delf
from delf_keras.models.resnet import ResNet

CLASSES = 5
LABELS = np.array([3, 0])

# Class of the classifier, options of the `Delf`, and its own.
CONV = {"attention": "conv"}
AUTOENCODER = {"attention": "conv", "autoencoder": 6}
VARIANTS = {
    "descriptor": (DescriptorClassifier, {}, {}),
    "attention": (AttentionClassifier, CONV, {}),
    "attention_autoencoder": (
        AttentionClassifier,
        AUTOENCODER,
        {"pooling": "mean"},
    ),
    "joint": (JointClassifier, CONV, {"pooling": "sum"}),
    "joint_autoencoder": (JointClassifier, AUTOENCODER, {}),
}


@pytest.fixture(scope="module")
def images(make_photograph):
    return np.stack([make_photograph(48, 64, seed) for seed in (1, 2)])


@pytest.fixture(scope="module")
def make_classifier(make_model, randomise):
    """A function that makes a variant, built, with random weights."""

    def make_classifier(variant, **changes):
        kind, options, arguments = VARIANTS[variant]
        delf = make_model(**{**options, **changes})
        classifier = kind(delf, CLASSES, **arguments)
        classifier.build((None, None, None, 3))
        return randomise(classifier, seed=1)

    return make_classifier


@pytest.fixture(scope="module")
def shared(make_classifier):
    """A function like `make_classifier`, of what is not to be trained."""
    return functools.cache(make_classifier)


def numpy_of(tensor):
    return keras.ops.convert_to_numpy(tensor)


def dense(layer, x):
    """A dense layer, or a 1x1 convolution, in NumPy."""
    kernel, bias = map(numpy_of, layer.weights)
    return x @ kernel.reshape(kernel.shape[-2:]) + bias


def learnable(layer):
    """Returns the paths of the weights of a `ResNet` that a step changes.

    Statistics are among them. Biases are not: batch norms take them away,
    and their gradient is no more than noise.
    """
    return {v.path for v in layer.weights if not v.path.endswith("conv/bias")}


def compile_plainly(classifier, **loss_weights):
    """Compiles for gradient descent, a step of which can be retraced."""
    losses = dict.fromkeys(
        classifier.loss_names,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    if "reconstruction" in losses:
        losses["reconstruction"] = lambda _, error: error
    classifier.compile(
        keras.optimizers.SGD(0.01),
        losses,
        loss_weights=dict.fromkeys(losses, 1.0) | loss_weights,
        # One step is quicker than what it takes to compile it.
        run_eagerly=True,
    )


def values_by_path(layer):
    return {v.path: numpy_of(v).copy() for v in layer.weights}


def changed(layer, before):
    """Returns the paths of the weights of a layer that are not as before."""
    return {
        variable.path
        for variable in layer.weights
        if not np.array_equal(numpy_of(variable), before[variable.path])
    }


@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs(shared, images, variant):
    classifier = shared(variant)
    kind, options, _ = VARIANTS[variant]
    shapes = {
        DescriptorClassifier: {"descriptor": (2, CLASSES)},
        AttentionClassifier: {"attention": (2, CLASSES)},
        JointClassifier: {
            "descriptor": (2, CLASSES),
            "attention": (2, CLASSES),
        },
    }[kind]
    if variant == "joint_autoencoder":
        shapes = shapes | {"reconstruction": (2,)}
    outputs = classifier(images)

    assert {name: tuple(each.shape) for name, each in outputs.items()} == shapes
    assert set(classifier.loss_names) == set(shapes)


@pytest.mark.parametrize(
    ("depth", "stride_placement", "output_stride"),
    [(14, "first", 16), (14, "first", 32), (26, "last", 32)],
)
def test_descriptor_logits_are_of_block_4(
    make_classifier, images, depth, stride_placement, output_stride
):
    """Of the ResNet that goes on to block 4, whose weights are given to it."""
    layout = {
        "stride_placement": stride_placement,
        "output_stride": output_stride,
    }
    classifier = make_classifier("descriptor", depth=depth, resnet=layout)
    head, delf = classifier.descriptor_head, classifier.delf
    whole = ResNet(depth, 8, stride_placement, output_block=4, output_stride=32)
    whole.build((None, None, None, 3))
    parts = delf.backbone.convolutions() + [
        conv for unit in head.block_4 for conv in unit.convolutions()
    ]
    for part, target in zip(parts, whole.convolutions(), strict=True):
        target.set_weights(part.get_weights())

    block_4 = numpy_of(whole(delf.pixel_scaling(images)))
    expected = dense(head.classifier, block_4.mean(axis=(1, 2)))
    received = numpy_of(classifier(images)["descriptor"])
    np.testing.assert_allclose(received, expected, atol=1e-4 * expected.max())


def test_a_backbone_with_block_4_gets_no_other(make_classifier, images):
    resnet = {"output_block": 4, "output_stride": 32}
    classifier = make_classifier("descriptor", resnet=resnet)
    head = classifier.descriptor_head
    features = numpy_of(classifier.delf(images)["features"])

    assert head.block_4 == []
    np.testing.assert_allclose(
        numpy_of(classifier(images)["descriptor"]),
        dense(head.classifier, features.mean(axis=(1, 2))),
        rtol=1e-4,
        atol=1e-4,
    )


def test_a_backbone_of_any_layers_gets_none(make_network, images):
    classifier = DescriptorClassifier(Delf(make_network()), CLASSES)
    logits = numpy_of(classifier(images)["descriptor"])
    features = numpy_of(classifier.delf(images)["features"])
    head = classifier.descriptor_head

    assert head.block_4 == [] and len(head.weights) == 2
    np.testing.assert_allclose(
        logits,
        dense(head.classifier, features.mean(axis=(1, 2))),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize("variant", [*VARIANTS][1:])
def test_attention_logits(shared, images, variant):
    """Backbone features of unit length, by the scores of the `Delf`."""
    classifier = shared(variant)
    delf, head = classifier.delf, classifier.attention_head
    features = numpy_of(delf.backbone_features(images))
    scores = numpy_of(delf(images)["attention_scores"])
    unit = features / np.linalg.norm(features, axis=-1, keepdims=True)
    pooled = np.einsum("brc,brcd->bd", scores, unit)
    if head.pooling == "mean":
        pooled = pooled / scores[0].size

    expected = dense(head.classifier, pooled)
    received = numpy_of(classifier(images)["attention"])
    np.testing.assert_allclose(
        received, expected, atol=1e-5 * np.abs(expected).max()
    )


def test_reconstruction_is_the_mean_squared_error(shared, images):
    classifier = shared("joint_autoencoder")
    delf = classifier.delf
    features = numpy_of(delf.backbone_features(images))
    reduced = dense(delf.autoencoder.encoder, features)
    restored = np.maximum(dense(delf.autoencoder.decoder, reduced), 0)
    expected = np.square(restored - features).mean(axis=(1, 2, 3))

    received = numpy_of(classifier(images)["reconstruction"])
    np.testing.assert_allclose(received, expected, rtol=1e-4)


def test_labels_are_the_target_of_every_output(make_classifier, images):
    classifier = make_classifier("joint_autoencoder")
    compile_plainly(classifier, attention=0.5, reconstruction=10.0)
    outputs = {
        name: numpy_of(each) for name, each in classifier(images).items()
    }

    def cross_entropy(logits):
        logits = logits - logits.max(axis=-1, keepdims=True)
        picked = logits[np.arange(2), LABELS]
        return np.mean(np.log(np.exp(logits).sum(axis=-1)) - picked)

    expected = (
        cross_entropy(outputs["descriptor"])
        + 0.5 * cross_entropy(outputs["attention"])
        + 10.0 * outputs["reconstruction"].mean()
    )
    loss = classifier.compute_loss(images, LABELS, outputs)
    assert numpy_of(loss) == pytest.approx(expected, rel=1e-5)


def test_the_descriptor_stage_trains_the_backbone(make_classifier, images):
    classifier = make_classifier("descriptor")
    compile_plainly(classifier)
    before = values_by_path(classifier)
    classifier.train_on_batch(images, LABELS)

    delf = classifier.delf
    assert not changed(delf.attention, before)
    for part in (delf.backbone, classifier.descriptor_head):
        assert changed(part, before) >= learnable(part)


@pytest.mark.parametrize("variant", ["attention", "attention_autoencoder"])
def test_the_attention_stage_trains_attention_alone(
    make_classifier, images, variant
):
    classifier = make_classifier(variant)
    delf, head = classifier.delf, classifier.attention_head
    trainable = {v.path for v in classifier.trainable_weights}
    parts = (delf.attention, head.classifier)
    assert trainable == {v.path for p in parts for v in p.trainable_weights}

    compile_plainly(classifier)
    before = values_by_path(classifier)
    classifier.train_on_batch(images, LABELS)
    statistics = {v.path for v in delf.attention.bn_1.non_trainable_weights}
    # Which the batch norm takes away.
    no_gradient = {delf.attention.conv_1.bias.path}
    assert changed(classifier, before) == (trainable - no_gradient | statistics)


def test_only_the_descriptor_loss_reaches_the_backbone(make_classifier, images):
    """What a step does to the backbone does not depend on other losses."""
    after = {}
    for weight in (0.0, 1.0):
        classifier = make_classifier("joint_autoencoder")
        before = values_by_path(classifier)
        compile_plainly(classifier, attention=weight, reconstruction=weight)
        classifier.train_on_batch(images, LABELS)
        delf = classifier.delf
        after[weight] = delf.backbone.get_weights()
        for part in (delf.attention.conv_2, delf.autoencoder):
            assert bool(changed(part, before)) == (weight > 0)
        assert changed(delf.backbone, before) >= learnable(delf.backbone)
    for alone, together in zip(after[0.0], after[1.0], strict=True):
        np.testing.assert_allclose(together, alone, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    "variant", ["descriptor", "attention_autoencoder", "joint_autoencoder"]
)
def test_keras_file(tmp_path, shared, images, variant):
    classifier = shared(variant)
    classifier.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")

    # JSON has no tuples.
    configs = [json.dumps(each.get_config()) for each in (loaded, classifier)]
    assert configs[0] == configs[1]
    expected = classifier(images)
    for name, values in loaded(images).items():
        np.testing.assert_array_equal(
            numpy_of(values), numpy_of(expected[name])
        )
    assert len(loaded.trainable_weights) == len(classifier.trainable_weights)


@pytest.mark.parametrize("variant", ["descriptor", "joint_autoencoder"])
def test_mixed_bfloat16(make_classifier, shared, images, variant):
    """Layers compute in the policy of the `Delf`; logits are float32."""
    classifier = make_classifier(
        variant, dtype="mixed_bfloat16", resnet={"dtype": "mixed_bfloat16"}
    )
    exact = shared(variant)(images)

    assert classifier.compute_dtype == "bfloat16"
    for unit in classifier.descriptor_head.block_4:
        assert unit.compute_dtype == "bfloat16"
    for name, values in classifier(images).items():
        assert keras.backend.standardize_dtype(values.dtype) == "float32"
        expected = numpy_of(exact[name])
        difference = np.abs(numpy_of(values) - expected)
        assert difference.max() < 0.05 * np.abs(expected).max()


def test_a_backbone_that_was_saved_frozen_stays_frozen(shared):
    """Keras makes the parts of such a backbone as if they were to learn."""
    frozen = shared("attention").delf
    config = keras.saving.serialize_keras_object(frozen)
    delf = keras.saving.deserialize_keras_object(config)
    assert not delf.backbone.trainable

    classifier = AttentionClassifier(delf, CLASSES)
    classifier.build((None, None, None, 3))
    assert len(classifier.trainable_weights) == 8
    assert not any(v.trainable for v in delf.backbone.weights)


def test_a_frozen_delf_learns_all_the_same(make_model):
    delf = make_model(**AUTOENCODER)
    delf.trainable = False
    assert len(JointClassifier(delf, CLASSES).delf.trainable_weights) == len(
        make_model(**AUTOENCODER).trainable_weights
    )


@pytest.mark.parametrize("kind", [AttentionClassifier, JointClassifier])
def test_norm_attention_has_nothing_to_train(make_model, kind):
    with pytest.raises(ValueError, match='"conv".*Received: NormAttention'):
        kind(make_model(), CLASSES)


def test_unknown_pooling(make_model):
    with pytest.raises(
        ValueError, match='"sum" or "mean". Received: pooling=\'max\''
    ):
        AttentionClassifier(make_model(**CONV), CLASSES, pooling="max")
