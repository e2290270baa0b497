"""Rendered data sets."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from delf_keras.datasets.builders import (
    SyntheticLandmarks,
    SyntheticLandmarksConfig,
)
from delf_keras.datasets.synthetic import render_distractor, render_view
from delf_keras.datasets.synthetic.photographs import encode_jpeg

SIZE = (96, 128)


def few(**changes):
    """A config of its own, with very few photographs."""
    numbers = {
        "name": "few",
        "num_landmarks": 2,
        "train_views": 2,
        "validation_views": 1,
        "num_distractors": 1,
        "size": SIZE,
    }
    return SyntheticLandmarksConfig(**{**numbers, **changes})


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    """A data set that is built."""
    folder = tmp_path_factory.mktemp("synthetic")
    builder = SyntheticLandmarks(data_dir=folder, config=few())
    builder.download_and_prepare()
    return builder


@pytest.fixture(scope="module")
def splits(builder, examples):
    """Examples of each split."""
    return {name: examples(builder, name) for name in builder.info.splits}


def seeds(examples):
    return [(each["landmark_seed"], each["view_seed"]) for each in examples]


def test_numbers_of_photographs(splits):
    numbers = {name: len(each) for name, each in splits.items()}
    assert numbers == {"train": 4, "validation": 2, "distractors": 1}


def test_splits_have_the_same_classes_and_different_views(splits):
    classes = [
        {int(each["label"]) for each in splits[name]}
        for name in ("train", "validation")
    ]
    assert classes == [{0, 1}, {0, 1}]
    train, validation = seeds(splits["train"]), seeds(splits["validation"])
    assert len({*train, *validation}) == 6
    # Those for validation come first: they stay when training gets more.
    assert {view for _, view in validation} == {0}


def test_classes_have_names(builder):
    names = builder.info.features["label"].names
    assert names == ["landmark_0000", "landmark_0001"]


def test_photographs_are_views_and_their_homographies_true(splits):
    for each in splits["train"] + splits["validation"]:
        seed = int(each["landmark_seed"])
        view = render_view(seed, int(each["view_seed"]), SIZE)
        np.testing.assert_array_equal(each["homography"], view.homography)
        assert each["image"] == encode_jpeg(view.image)
        landmarks = [int(each["landmark_seed"]) for each in splits["train"]]
        assert each["label"] == seed - min(landmarks)


def test_distractors_show_no_landmark(splits):
    (distractor,) = splits["distractors"]
    assert distractor["label"] == -1
    assert distractor["landmark_seed"] == -1
    assert np.isnan(distractor["homography"]).all()
    expected = render_distractor(int(distractor["view_seed"]), SIZE)
    assert distractor["image"] == encode_jpeg(expected)


def test_photographs_are_decoded(builder):
    shapes = [
        (image.shape, label.shape)
        for image, label in builder.as_dataset("train", as_supervised=True)
    ]
    assert shapes == [((*SIZE, 3), ())] * 4


def test_landmarks_are_not_those_of_the_demonstration(splits):
    assert min(seed for seed, _ in seeds(splits["train"])) > 1000


def test_another_seed_has_other_landmarks(build, splits, examples):
    config = few(
        name="other",
        seed=2,
        num_landmarks=1,
        train_views=1,
        validation_views=0,
        num_distractors=0,
    )
    builder = build(SyntheticLandmarks, config=config)
    assert list(builder.info.splits) == ["train"]
    (example,) = examples(builder, "train")
    assert example["landmark_seed"] > max(seeds(splits["train"]))[0]


def test_progress(tmp_path):
    """It hears of each split, with its number of photographs."""
    heard = []

    def progress(photographs, total, label):
        heard.append((label, total))
        return photographs

    config = few(num_landmarks=1, train_views=1)
    SyntheticLandmarks(
        data_dir=tmp_path, config=config, progress=progress
    ).download_and_prepare()
    assert heard == [
        ("render train", 1),
        ("render validation", 1),
        ("render distractors", 1),
    ]


def test_configs_by_name(tmp_path):
    for name in ("tiny", "small", "default"):
        builder = tfds.builder(f"synthetic_landmarks/{name}", data_dir=tmp_path)
        classes = builder.info.features["label"].num_classes
        assert classes == builder.builder_config.num_landmarks


def test_refuses_no_worker(tmp_path):
    with pytest.raises(ValueError, match="workers=0"):
        SyntheticLandmarks(data_dir=tmp_path, workers=0)
