"""Flags of a training run, and the files of flags that come with it."""

import dataclasses
from importlib import resources

import pytest
from absl import flags as absl_flags

from delf_keras.cli import train
from delf_keras.cli.training_flags import (
    finishing_options,
    pipeline_options,
    training_options,
    with_length,
)
from delf_keras.datasets.augmentation import Augmentation
from delf_keras.features.pca_fitting import PcaOptions
from delf_keras.training.finishing import FinishingOptions
from delf_keras.training.options import STAGES, TrainingOptions
from delf_keras.training.pipeline import PipelineOptions

RECIPES = resources.files("delf_keras") / "training" / "recipes"


def parse(*arguments):
    flags = absl_flags.FlagValues()
    train.define_flags(flags)
    flags(["train", "--dataset=folder:a", "--output=b", *arguments])
    return flags


def every_option(flags):
    options = [
        training_options(flags),
        pipeline_options(flags),
        finishing_options(flags),
    ]
    return {
        name: value
        for each in options
        for name, value in vars(each).items()
        if name != "augmentation"
    } | vars(options[1].augmentation)


@pytest.mark.parametrize("stage", STAGES)
def test_defaults_are_the_library_s(stage):
    flags = parse(f"--stage={stage}")
    assert training_options(flags) == TrainingOptions(stage)
    assert pipeline_options(flags) == PipelineOptions.of_stage(stage)
    assert finishing_options(flags) == FinishingOptions()


def test_every_flag_arrives():
    training = TrainingOptions(
        "joint",
        epochs=3,
        steps_per_epoch=5,
        optimizer="adamw",
        learning_rate=0.25,
        schedule="cosine",
        weight_decay=0.5,
        clip_norm=2.0,
        label_smoothing=0.125,
        pooling="sum",
        autoencoder=7,
        attention_weight=3.0,
        reconstruction_weight=4.0,
        seed=9,
    )
    views = PipelineOptions(64, 70, 6, 9, (1.0, 0.25))
    augmentation = Augmentation("centre", 0.75, True, 0.5, 0.25, 0.625)
    finishing = FinishingOptions(PcaOptions(11, True, 9), 77, 640)
    values = vars(training) | vars(views) | vars(augmentation)
    values |= {"features": 77, "max_image_size": 640, "gammas": "1,0.25"}
    values |= {"pca_dimension": 11, "whiten": True}
    del values["augmentation"]
    flags = parse(*(f"--{name}={value}" for name, value in values.items()))

    assert training_options(flags) == training
    assert pipeline_options(flags) == dataclasses.replace(
        views, augmentation=augmentation
    )
    assert finishing_options(flags) == finishing


@pytest.mark.parametrize(
    ("arguments", "sizes"),
    [
        (("--image_size=112",), (112, 125)),
        (("--image_size=112", "--resize_size=112"), (112, 112)),
        (("--resize_size=300",), (224, 300)),
    ],
)
def test_sizes_go_together(arguments, sizes):
    """A smaller crop shows as much of a photograph."""
    views = pipeline_options(parse("--stage=descriptor", *arguments))
    assert (views.image_size, views.resize_size) == sizes


@pytest.mark.parametrize(
    ("arguments", "length"),
    [
        ((), (10, 12)),
        (("--epochs=3",), (3, 12)),
        (("--steps_per_epoch=5",), (10, 5)),
        # Of 12 steps each.
        (("--steps=36",), (3, 12)),
        (("--steps=5",), (1, 5)),
        # Rounded up.
        (("--steps=25",), (3, 9)),
        (("--steps=25", "--steps_per_epoch=5"), (5, 5)),
    ],
)
def test_length_of_a_run(arguments, length):
    flags = parse("--stage=joint", *arguments)
    options = with_length(training_options(flags), flags.steps, 100, 8)
    assert (options.epochs, options.steps_per_epoch) == length


def test_epochs_and_steps():
    flags = parse("--stage=joint", "--epochs=2", "--steps=9")
    with pytest.raises(
        ValueError, match="not both. Received: epochs=2, steps=9"
    ):
        training_options(flags)


@pytest.mark.parametrize(
    "argument",
    [
        "--stage=both",
        "--gammas=1,half",
        "--epochs=0",
        "--learning_rate=-1",
        "--batch_size=many",
        "--optimizer=lamb",
    ],
)
def test_wrong_flags(argument):
    name = argument.split("=")[0].removeprefix("--")
    with pytest.raises(absl_flags.Error, match=name):
        parse("--stage=joint", argument)


@pytest.mark.parametrize("name", ["dataset", "output", "stage"])
def test_required_flags(name):
    arguments = {"dataset": "folder:a", "output": "b", "stage": "joint"}
    del arguments[name]
    flags = absl_flags.FlagValues()
    train.define_flags(flags)
    with pytest.raises(absl_flags.Error, match=f"--{name} must have a value"):
        flags(["train", *(f"--{k}={v}" for k, v in arguments.items())])


def test_help_names_the_defaults_of_stages():
    text = " ".join(parse("--stage=joint").get_help().split())
    assert "descriptor: 224, attention: 720, joint: 321" in text


def test_recipes():
    """What the paper and tensorflow/models say, and what others make of it."""
    recipes = {
        path.name.removesuffix(".flags"): every_option(
            parse(f"--flagfile={path}")
        )
        for path in RECIPES.iterdir()
    }
    expected = {
        "paper_descriptor": {
            "stage": "descriptor",
            "resize_size": 250,
            "image_size": 224,
            "crop": "centre",
            "colour": 0.0,
        },
        "paper_attention": {
            "stage": "attention",
            "resize_size": 900,
            "image_size": 720,
            "crop": "centre",
            "pooling": "sum",
        },
        "tensorflow_models": {
            "stage": "joint",
            "image_size": 321,
            "batch_size": 32,
            "optimizer": "sgd",
            "learning_rate": 0.01,
            "schedule": "linear",
            "clip_norm": 10.0,
            "weight_decay": 1e-4,
            "autoencoder": 128,
            "attention_weight": 1.0,
            "reconstruction_weight": 10.0,
            "crop": "area",
            "min_area": 0.08,
        },
        "small_descriptor": {"stage": "descriptor", "crop": "area"},
        "small_attention": {"stage": "attention", "crop": "area"},
    }
    for name, options in expected.items():
        assert options.items() <= recipes[name].items(), name
    gammas = recipes["paper_attention"]["gammas"]
    assert len(gammas) > 1 and max(gammas) == 1.0
    for stage in ("descriptor", "attention"):
        small, paper = recipes[f"small_{stage}"], recipes[f"paper_{stage}"]
        assert small["image_size"] < paper["image_size"]
        assert small["learning_rate"] < paper["learning_rate"]
        assert small["colour"] > 0


def test_steps_of_tensorflow_models():
    flags = parse(f"--flagfile={RECIPES / 'tensorflow_models.flags'}")
    options = with_length(training_options(flags), flags.steps, 1_000_000, 32)
    assert options.epochs * options.steps_per_epoch == 500_000
