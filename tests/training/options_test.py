"""Options of a run, and what the stages change of them."""

import dataclasses

import pytest

from delf_keras.training.options import (
    STAGE_DEFAULTS,
    STAGES,
    TrainingOptions,
)


def names_of(kind):
    return {field.name for field in dataclasses.fields(kind)}


@pytest.mark.tf_only
def test_defaults_of_stages_are_of_known_options():
    from delf_keras.datasets.augmentation import Augmentation
    from delf_keras.training.pipeline import PipelineOptions

    kinds = (TrainingOptions, PipelineOptions, Augmentation)
    known = set().union(*map(names_of, kinds))
    assert set(STAGE_DEFAULTS) == set(STAGES)
    for defaults in STAGE_DEFAULTS.values():
        assert set(defaults) <= known


def test_a_stage_has_its_defaults():
    attention, joint = map(TrainingOptions, ("attention", "joint"))
    assert (attention.optimizer, attention.learning_rate) == ("adam", 1e-3)
    assert (joint.optimizer, joint.learning_rate) == ("sgd", 0.01)
    assert (attention.pooling, joint.pooling) == ("sum", "mean")
    given = TrainingOptions("attention", optimizer="sgd", learning_rate=1.0)
    assert (given.optimizer, given.learning_rate) == ("sgd", 1.0)


def test_sizes_of_the_paper():
    """250 and 224 pixels in section 4.1, 900 and 720 in section 4.2."""
    sizes = {
        stage: (defaults["resize_size"], defaults["image_size"])
        for stage, defaults in STAGE_DEFAULTS.items()
    }
    assert sizes["descriptor"] == (250, 224)
    assert sizes["attention"] == (900, 720)


@pytest.mark.parametrize(
    ("steps_per_epoch", "num_images", "length"),
    [(0, 100, 12), (0, 96, 12), (0, 5, 1), (7, 100, 7), (500, 100, 500)],
)
def test_length_of_an_epoch(steps_per_epoch, num_images, length):
    options = TrainingOptions("joint", steps_per_epoch=steps_per_epoch)
    assert options.epoch_length(num_images, batch_size=8) == length


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stage", "both"),
        ("epochs", 0),
        ("steps_per_epoch", -1),
        ("optimizer", "lamb"),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("schedule", "step"),
        ("weight_decay", -1e-4),
        ("clip_norm", -1.0),
        ("label_smoothing", 1.0),
        ("label_smoothing", -0.1),
        ("pooling", "max"),
        ("autoencoder", -1),
        ("attention_weight", -1.0),
        ("reconstruction_weight", -1.0),
        ("seed", -1),
    ],
)
def test_wrong_options(name, value):
    with pytest.raises(ValueError, match=rf"Received: {name}={value!r}$"):
        TrainingOptions(**{"stage": "joint", name: value})
