"""Which parts each stage trains, by which losses, and that they learn."""

import keras
import numpy as np
import pytest

from delf_keras.training.options import TrainingOptions
from delf_keras.training.stages import (
    compile_classifier,
    make_classifier,
    metric_names,
)

CLASSES = 3
NORM = {"attention": "norm", "autoencoder": None}
CONV = {"attention": "conv", "autoencoder": None}
AUTOENCODER = {"attention": "conv", "autoencoder": 6}


def numpy_of(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.mark.parametrize(
    ("stage", "start", "result"),
    [
        ("descriptor", NORM, NORM),
        ("descriptor", AUTOENCODER, NORM),
        ("attention", NORM, CONV),
        ("attention", AUTOENCODER, AUTOENCODER),
        ("joint", CONV, AUTOENCODER),
    ],
)
def test_parts(make_model, stage, start, result):
    """A stage takes the backbone, and makes the other parts that it lacks."""
    delf = make_model(
        scaling="tf_models",
        attention_batch_norm=False,
        resampling="tf1",
        name="mine",
        **start,
    )
    options = TrainingOptions(stage, autoencoder=6 if stage == "joint" else 0)
    trained = make_classifier(delf, options, CLASSES).delf
    wanted = delf.get_config() | result
    received = trained.get_config()

    assert trained.backbone is delf.backbone
    for name in wanted:
        if name != "backbone":
            assert received.get(name) == wanted[name], name
    if start == result:
        assert trained is delf
    elif start == CONV:
        for each in ("conv_1", "conv_2"):
            kept, given = (
                getattr(of.attention, each).get_weights()
                for of in (trained, delf)
            )
            assert all(map(np.array_equal, kept, given))


def test_a_joint_stage_without_autoencoder(make_model):
    delf = make_model(**AUTOENCODER)
    classifier = make_classifier(delf, TrainingOptions("joint"), CLASSES)
    assert classifier.delf.autoencoder is None
    assert classifier.loss_names == ("descriptor", "attention")


def test_pooling_is_that_of_the_options(make_model):
    for pooling in ("sum", "mean"):
        options = TrainingOptions("attention", pooling=pooling)
        classifier = make_classifier(make_model(**CONV), options, CLASSES)
        assert classifier.attention_head.pooling == pooling


@pytest.fixture(scope="module")
def joint(make_model):
    """A classifier of all losses."""
    options = TrainingOptions("joint", autoencoder=6)
    return make_classifier(make_model(**AUTOENCODER), options, CLASSES)


def compile_joint(classifier, **options):
    options = TrainingOptions("joint", autoencoder=6, **options)
    compile_classifier(classifier, options, total_steps=100)


def test_losses(joint):
    """Cross-entropies as Keras has them, weighted, and the reconstruction."""
    compile_joint(
        joint,
        optimizer="adamw",
        label_smoothing=0.2,
        attention_weight=0.5,
        reconstruction_weight=7.0,
    )
    rng = np.random.default_rng(1)
    outputs = {
        name: rng.normal(0, 2, (4, CLASSES)).astype(np.float32)
        for name in ("descriptor", "attention")
    }
    outputs["reconstruction"] = np.float32([0.5, 1.0, 1.5, 3.0])
    labels = np.array([0, 2, 1, 2])
    reference = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=0.2
    )
    one_hot = np.eye(CLASSES)[labels]
    expected = (
        numpy_of(reference(one_hot, outputs["descriptor"]))
        + 0.5 * numpy_of(reference(one_hot, outputs["attention"]))
        + 7.0 * 1.5
    )

    # A data set of Keras' own may give a column of labels.
    for target in (labels, labels[:, None], labels.astype(np.float32)):
        loss = joint.compute_loss(None, target, outputs)
        assert numpy_of(loss) == pytest.approx(expected, rel=1e-5)


def test_weight_decay_in_the_loss(joint):
    """Of every kernel that learns, unless the optimizer does it."""
    compile_joint(joint, optimizer="adamw", weight_decay=0.1)
    assert not joint.losses

    compile_joint(joint, weight_decay=0.1)
    kernels = [
        numpy_of(v) for v in joint.trainable_variables if v.name == "kernel"
    ]
    expected = 0.05 * sum(np.sum(kernel**2) for kernel in kernels)
    # Backbone and block 4, attention, autoencoder, and two classifiers.
    assert len(kernels) == 17 + 2 + 2 + 2
    assert sum(map(numpy_of, joint.losses)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("stage", "steps", "eagerly"),
    # Tracing the gradient of a backbone takes as long as ten steps without.
    [("attention", 12, False), ("joint", 5, True)],
)
def test_learning_in_bfloat16(make_model, stage, steps, eagerly):
    """Of which "joint" has the losses of all stages."""
    keras.utils.set_random_seed(1)
    delf = make_model(
        width=4,
        scaling="tf_models",
        dtype="mixed_bfloat16",
        resnet={"dtype": "mixed_bfloat16"},
    )
    options = TrainingOptions(
        stage, optimizer="adam", learning_rate=0.01, schedule="constant"
    )
    classifier = make_classifier(delf, options, CLASSES)
    compile_classifier(classifier, options, steps, run_eagerly=eagerly)
    rng = np.random.default_rng(1)
    labels = np.arange(6) % CLASSES
    colours = 60 + 130 * np.eye(3)[labels]
    images = colours[:, None, None] + rng.normal(0, 20, (6, 32, 32, 3))
    history = classifier.fit(
        images.astype(np.float32), labels, epochs=steps, verbose=0
    ).history

    losses = {
        "attention": ["loss"],
        "joint": ["descriptor_loss", "attention_loss"],
    }
    for name in losses[stage]:
        assert history[name][-1] < 0.8 * history[name][0]
    assert set(history) == set(metric_names(classifier))
    assert {v.dtype for v in classifier.trainable_variables} == {"float32"}
