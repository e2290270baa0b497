"""A stratified split keeps each class's share in both parts."""

import numpy as np
import pytest
from sklearn.model_selection import StratifiedShuffleSplit

from delf_keras.datasets.labelled_images import LabelledImages
from delf_keras.datasets.splitting import split_stratified


def make_images(counts, seed=0):
    """Photographs of classes, mixed, each with a name of its own."""
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = np.random.default_rng(seed).permutation(labels)
    names = [f"{i}.jpg" for i in range(len(labels))]
    return LabelledImages.from_files(
        names, labels, map(str, range(len(counts)))
    )


def counts_of(images):
    return np.bincount(images.labels, minlength=images.num_classes).tolist()


def test_every_class_in_both_parts():
    images = make_images([1, 2, 3, 0, 10, 100])
    train, validation = split_stratified(images, 0.2, seed=0)

    assert counts_of(validation) == [0, 1, 1, 0, 2, 20]
    assert counts_of(train) == [1, 1, 2, 0, 8, 80]
    for part in (train, validation):
        assert part.class_names == images.class_names


def test_large_share_leaves_one_for_training():
    train, validation = split_stratified(make_images([2, 3, 9]), 0.99, seed=0)

    assert counts_of(train) == [1, 1, 1]
    assert counts_of(validation) == [1, 2, 8]


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.8])
def test_shares_are_those_of_scikit_learn(fraction):
    """To a photograph: there the parts' sizes are exact, here the classes'."""
    counts = [10, 15, 23, 57, 190, 41]
    images = make_images(counts)
    _, validation = split_stratified(images, fraction, seed=0)

    splitter = StratifiedShuffleSplit(1, test_size=fraction, random_state=0)
    _, test = next(splitter.split(images.labels, images.labels))
    expected = np.bincount(images.labels[test])
    np.testing.assert_allclose(counts_of(validation), expected, atol=1)
    assert len(validation) == pytest.approx(len(test), abs=len(counts) / 2)


def test_parts_are_disjoint_and_in_order():
    images = make_images([5, 9, 30])
    train, validation = split_stratified(images, 0.3, seed=3)

    for part in (train, validation):
        numbers = [int(name.removesuffix(".jpg")) for name in part.paths]
        assert numbers == sorted(numbers)
        np.testing.assert_array_equal(part.labels, images.labels[numbers])
    assert sorted([*train.paths, *validation.paths]) == sorted(images.paths)


def test_seed_alone_decides():
    images = make_images([50, 50])
    parts = [split_stratified(images, 0.2, seed)[1].paths for seed in (1, 1, 2)]

    np.testing.assert_array_equal(parts[0], parts[1])
    assert {*parts[0]} != {*parts[2]}


def test_any_photograph_may_be_held_out():
    """Over many seeds each is as often, 20 times of 100 (4 sigma: 16)."""
    images = make_images([10])
    held_out = [
        name
        for seed in range(100)
        for name in split_stratified(images, 0.2, seed)[1].paths
    ]
    _, times = np.unique(held_out, return_counts=True)

    assert len(times) == 10
    assert np.abs(times - 20).max() <= 16


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_fraction_out_of_range(fraction):
    with pytest.raises(ValueError, match=f"Received: fraction={fraction}"):
        split_stratified(make_images([5, 5]), fraction, seed=0)
