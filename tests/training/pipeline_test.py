"""Batches: which photographs, which pixels, and the same ones again."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from delf_keras.datasets.augmentation import Augmentation, centre_view
from delf_keras.datasets.labelled_images import LabelledImages
from delf_keras.features.decoding import ImageError
from delf_keras.training.pipeline import (
    PipelineOptions,
    batch_members,
    naming_unreadable,
    training_batches,
    validation_batches,
)

COUNT = 10


def as_arrays(batches):
    """Returns lists of the images and of the labels of batches."""
    return zip(*batches.as_numpy_iterator(), strict=True)


@pytest.fixture(scope="module")
def images(make_photograph, tmp_path_factory):
    """Ten PNG files, each a class of its own, of which one is tiny, one grey.

    The odd ones are parts of one file.
    """
    folder = tmp_path_factory.mktemp("labelled")
    shard = folder / "shard"
    paths, offsets, lengths = [], [], []
    for i in range(COUNT):
        size = (10, 12) if i == 3 else (40 + i, 60)
        pixels = Image.fromarray(make_photograph(*size, seed=i))
        path = folder / f"{i}.png"
        pixels.convert("L" if i == 4 else "RGB").save(path)
        paths.append(str(shard if i % 2 else path))
        offsets.append(0)
        lengths.append(-1)
        if i % 2:
            contents = path.read_bytes()
            path.unlink()
            offsets[i] = shard.stat().st_size if shard.exists() else 0
            lengths[i] = len(contents)
            with shard.open("ab") as file:
                file.write(contents)
    return LabelledImages(
        paths=np.array(paths, object),
        offsets=np.array(offsets),
        lengths=np.array(lengths),
        labels=np.arange(COUNT),
        class_names=tuple("abcdefghij"),
    )


def test_each_pass_has_all_photographs_in_another_order():
    members = np.stack([batch_members(12, 4, 7, step) for step in range(9)])
    passes = members.reshape(3, 12)

    assert members.dtype == np.int64
    np.testing.assert_array_equal(np.sort(passes), [range(12)] * 3)
    assert len(np.unique(passes, axis=0)) == 3


def test_batches_go_from_one_pass_to_the_next():
    members = [batch_members(5, 7, 0, step) for step in range(5)]
    passes = np.concatenate(members).reshape(7, 5)
    np.testing.assert_array_equal(np.sort(passes), [range(5)] * 7)


def test_members_are_a_function_of_seed_and_step():
    forwards = [batch_members(1000, 8, 3, step) for step in (0, 400, 80_000)]
    backwards = [batch_members(1000, 8, 3, step) for step in (80_000, 400, 0)]

    np.testing.assert_array_equal(forwards, backwards[::-1])
    assert (batch_members(1000, 8, 4, 0) != forwards[0]).any()


AUGMENTED = PipelineOptions(
    image_size=24,
    resize_size=30,
    batch_size=4,
    seed=5,
    gammas=(0.5, 0.71, 1.0),
    augmentation=Augmentation(
        "area", flip=True, colour=0.5, grey=0.2, blur=0.3
    ),
)


def test_a_run_that_goes_on_sees_the_same_pixels(images):
    whole, whole_labels = as_arrays(training_batches(images, AUGMENTED, 0, 8))
    rest, rest_labels = as_arrays(training_batches(images, AUGMENTED, 5, 3))

    assert len(whole) == 8 and len(rest) == 3
    np.testing.assert_array_equal(rest_labels, whole_labels[5:])
    for received, expected in zip(rest, whole[5:], strict=True):
        np.testing.assert_array_equal(received, expected)


def test_labels_are_those_of_the_members(images):
    _, labels = as_arrays(training_batches(images, AUGMENTED, 2, 6))
    # Each photograph is a class of its own.
    members = [batch_members(COUNT, 4, 5, step) for step in range(2, 8)]

    assert {batch.dtype for batch in labels} == {np.dtype("int64")}
    np.testing.assert_array_equal(labels, members)


def test_views_of_a_photograph_differ(images):
    """Without augmentation by the place of the crop alone."""
    options = PipelineOptions(24, 30, 5, seed=1)
    batches, labels = as_arrays(training_batches(images, options, 0, 8))
    views = np.concatenate(batches)
    labels = np.concatenate(labels)

    assert views.shape == (40, 24, 24, 3) and views.dtype == np.float32
    assert views.min() > -0.01 and 200 < views.max() < 255.01
    for label in range(COUNT):
        assert len(np.unique(views[labels == label], axis=0)) > 1


def test_each_batch_has_one_of_the_sizes(images):
    batches = training_batches(images, AUGMENTED, 0, 40)
    shapes = [batch.shape for batch, _ in batches]

    assert batches.element_spec[0].shape.as_list() == [4, None, None, 3]
    # 0.71 of 24 is 17.04 pixels.
    sides, counts = np.unique([s[1] for s in shapes], return_counts=True)
    assert sides.tolist() == [12, 17, 24]
    assert counts.min() > 5
    assert all(s == (4, s[1], s[1], 3) for s in shapes)


def test_gamma_shrinks_what_the_view_shows(images):
    """And not how much of the photograph it shows."""
    options = PipelineOptions(40, 40, COUNT, gammas=(0.5,))
    small, labels = next(
        training_batches(images, options, 0, 1).take(1).as_numpy_iterator()
    )
    options = PipelineOptions(20, 20, COUNT)
    validation, _ = next(
        validation_batches(images, options).as_numpy_iterator()
    )
    np.testing.assert_allclose(small, validation[labels], atol=1e-3)


def test_validation_is_one_pass_in_order(images):
    options = PipelineOptions(
        24, 30, 4, gammas=(0.5,), augmentation=Augmentation("area", colour=1.0)
    )
    batches, labels = as_arrays(validation_batches(images, options))

    assert [len(batch) for batch in labels] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(labels), images.labels)
    for index, view in enumerate(np.concatenate(batches)):
        pixels = tf.io.decode_png(images.read(index), channels=3)
        np.testing.assert_allclose(view, centre_view(pixels, 24, 30), atol=1e-3)


def test_photographs_that_are_turned_and_those_of_pillow(tmp_path, images):
    """A PNG that lies on its side, and a TIFF, show what the PNG does."""
    exif = Image.Exif()
    exif[0x0112] = 8
    with Image.open(images.paths[0]) as image:
        image.convert("RGB").save(tmp_path / "a.tiff")
        lying = image.transpose(Image.Transpose.ROTATE_270)
        lying.save(tmp_path / "a.png", exif=exif)
    paths = [images.paths[0], tmp_path / "a.tiff", tmp_path / "a.png"]
    same = LabelledImages.from_files([*map(str, paths)], [0, 0, 0], ["a"])
    (views,), _ = as_arrays(
        validation_batches(same, PipelineOptions(24, 30, 4))
    )
    np.testing.assert_array_equal(views[1], views[0])
    np.testing.assert_array_equal(views[2], views[0])


class Colours(keras.Model):
    """Classifies by the mean colour, and counts how often it is traced."""

    def __init__(self):
        super().__init__()
        self.classify = keras.layers.Dense(COUNT)
        self.calls = []

    def call(self, inputs):
        self.calls.append(tuple(inputs.shape))
        return self.classify(keras.ops.mean(inputs, axis=(1, 2)) / 255)


def test_fit_does_not_trace_again_for_each_size(images):
    model = Colours()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True))
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(len(model.calls))
    )
    model.fit(
        training_batches(images, AUGMENTED, 0, 20),
        steps_per_epoch=10,
        epochs=2,
        callbacks=[watch],
        shuffle=False,
        verbose=0,
    )

    # As often as before the end of the first batch, and for any size.
    assert seen == 20 * [seen[0]]
    assert model.calls[-1][1:] == (None, None, 3)


@pytest.fixture
def damaged(images, tmp_path):
    """The photographs, of which the one of label 6 is cut short."""
    path = tmp_path / "damaged.png"
    path.write_bytes(images.read(6)[:500])
    paths = images.paths.copy()
    paths[6] = str(path)
    return LabelledImages(
        paths, images.offsets, images.lengths, images.labels, images.class_names
    )


def test_a_damaged_photograph_is_named(damaged):
    options = PipelineOptions(24, 30, 2)
    step = 0
    with (
        pytest.raises(ImageError, match=r"is whole\. Received: .*damaged\.png"),
        naming_unreadable(damaged, lambda: batch_members(COUNT, 2, 0, step)),
    ):
        for _ in training_batches(damaged, options, 0, 5):
            step += 1
    # It was looked for where it is.
    assert 6 in batch_members(COUNT, 2, 0, step)


def test_a_missing_photograph_is_named(damaged):
    (path,) = {path for path in damaged.paths if "damaged" in path}
    tf.io.gfile.remove(path)
    with (
        pytest.raises(
            ImageError, match=r"cannot be read\. Received: .*damaged"
        ),
        naming_unreadable(damaged, lambda: range(COUNT)),
    ):
        list(validation_batches(damaged, PipelineOptions(24, 30, 4)))


def test_other_errors_stay_what_they_are(images):
    with (
        pytest.raises(tf.errors.InvalidArgumentError, match="not a photograph"),
        naming_unreadable(images, lambda: range(COUNT)),
    ):
        raise tf.errors.InvalidArgumentError(None, None, "not a photograph")


def test_options_of_a_stage():
    """Its defaults, in which a smaller view shows as much of a photograph."""
    options = PipelineOptions.of_stage("joint", image_size=107, flip=True)
    assert options == PipelineOptions(
        107, 119, 32, augmentation=Augmentation("area", flip=True)
    )
    with pytest.raises(TypeError, match="Received: .'imagesize'"):
        PipelineOptions.of_stage("joint", imagesize=107)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image_size", 0),
        ("resize_size", 223),
        ("batch_size", 0),
        ("seed", -1),
        ("gammas", ()),
        ("gammas", (0.5, 1.5)),
        ("gammas", (0.0,)),
    ],
)
def test_wrong_options(name, value):
    with pytest.raises(ValueError, match="Received: "):
        PipelineOptions.of_stage("descriptor", **{name: value})
