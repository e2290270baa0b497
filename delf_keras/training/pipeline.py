"""Batches of views of labelled photographs.

The batch of a step is a function of the options and the number of the step
alone, so that a run that goes on sees what it would have seen.
"""

import contextlib
import functools
import threading
from dataclasses import dataclass, fields

import numpy as np
import tensorflow as tf

from delf_keras.datasets.augmentation import Augmentation, augment, centre_view
from delf_keras.features.decoding import decode_image
from delf_keras.features.pillow_formats import for_tensorflow
from delf_keras.features.tracing import untranslated
from delf_keras.training.options import with_stage_defaults
from delf_keras.training.photographs import load_photograph

# Batches that wait for the model. At 720 pixels one may take 0.4 GB.
_PREFETCHED = 2


@dataclass(frozen=True)
class PipelineOptions:
    """How batches are made of photographs.

    Attributes:
        image_size: Side of a view, in pixels.
        resize_size: Side, in pixels, to which the centre square of a
            photograph is resized before a view is cropped.
        batch_size: Views of a batch.
        seed: Of the order of photographs and of views.
        gammas: Factors in (0, 1], of which each batch draws one: both sizes
            are multiplied by it.
        augmentation: `Augmentation`.

    Reference:
        Sections 4.1 (224 and 250 pixels) and 4.2 (720 and 900 pixels, and
        gamma) of the DELF paper.
    """

    image_size: int
    resize_size: int
    batch_size: int
    seed: int = 0
    gammas: tuple[float, ...] = (1.0,)
    augmentation: Augmentation = Augmentation()

    def __post_init__(self):
        object.__setattr__(self, "gammas", tuple(self.gammas))
        problems = {
            "image_size": self.image_size < 1,
            "resize_size": self.resize_size < self.image_size,
            "batch_size": self.batch_size < 1,
            "seed": self.seed < 0,
            "gammas": not self.gammas
            or min(self.gammas) <= 0
            or max(self.gammas) > 1,
        }
        for name, wrong in problems.items():
            if wrong:
                raise ValueError(
                    "image_size and batch_size must be positive, resize_size "
                    "at least image_size, seed not negative, gammas in (0, 1]. "
                    f"Received: {name}={getattr(self, name)!r}"
                )

    @classmethod
    def of_stage(cls, stage, **options):
        """Returns the options of a stage of training.

        Args:
            stage: str. One of `training.options.STAGES`.
            **options: Fields of this class and of `Augmentation`; those that
                are absent or None have the default of the stage.

        Returns:
            `PipelineOptions`.
        """
        own, of_view = (
            {field.name for field in fields(kind)}
            for kind in (cls, Augmentation)
        )
        if unknown := options.keys() - own - of_view:
            raise TypeError(
                f"Options must be of {sorted(own | of_view)}. "
                f"Received: {sorted(unknown)}"
            )
        values = with_stage_defaults(stage, options)
        view, batch = (
            {name: values[name] for name in names & values.keys()}
            for names in (of_view, own)
        )
        return cls(**{"augmentation": Augmentation(**view)} | batch)

    def sizes(self):
        """Returns (image size, resize size) of each gamma, whole pixels."""
        return [
            tuple(
                max(round(size * gamma), 1)
                for size in (self.image_size, self.resize_size)
            )
            for gamma in self.gammas
        ]


def batch_members(count, batch_size, seed, step):
    """Returns which photographs the batch of a step is made of.

    Steps go through all photographs in a random order, then through all of
    them in another one.

    Args:
        count: int. Number of photographs.
        batch_size: int.
        seed: int.
        step: int, counted from 0.

    Returns:
        int64 array `[batch_size]`, indices of photographs.
    """
    first = step * batch_size
    return np.array(
        [_member(count, seed, first + i) for i in range(batch_size)], np.int64
    )


def _member(count, seed, position):
    """Returns the photograph at a position of the endless order."""
    number, place = divmod(int(position), count)
    # Threads that meet at the start of a pass would each shuffle all of it.
    with _pass_lock:
        return _pass(count, seed, number)[place]


_pass_lock = threading.Lock()


# Two, since a batch may go from one pass to the next.
@functools.lru_cache(maxsize=2)
def _pass(count, seed, number):
    return np.random.default_rng([seed, number]).permutation(count)


def training_batches(images, options, first_step, num_steps):
    """Makes the batches of some steps of training.

    Args:
        images: `LabelledImages`.
        options: `PipelineOptions`.
        first_step: int, counted from 0.
        num_steps: int.

    Returns:
        `tf.data.Dataset` of `num_steps` pairs of images, float32
        `[batch_size, side, side, 3]`, 0 to 255, and labels, int64
        `[batch_size]`.
    """
    batch_size, seed = options.batch_size, options.seed
    read = _reader(images, lambda i: _member(len(images), seed, i))
    sizes = options.sizes()
    side = sizes[0][0] if len(sizes) == 1 else None

    def view(position):
        image, label = read(position)
        image_size, resize_size = _draw_size(
            sizes, seed, position // batch_size
        )
        pixels = augment(
            image,
            image_size,
            resize_size,
            options.augmentation,
            tf.stack([seed, position]),
        )
        return tf.ensure_shape(pixels, [side, side, 3]), label

    positions = tf.data.Dataset.range(
        first_step * batch_size, (first_step + num_steps) * batch_size
    )
    return _batches(positions, view, batch_size, drop_remainder=True)


def _draw_size(sizes, seed, step):
    """Returns the (image size, resize size) of the batch of a step."""
    if len(sizes) == 1:
        return sizes[0]
    # Negative, where the numbers that seed views are not.
    choice = tf.random.stateless_uniform(
        [], tf.stack([seed, -1 - step]), 0, len(sizes), tf.int32
    )
    return tf.unstack(tf.constant(sizes)[choice])


def validation_batches(images, options):
    """Makes the batches of one pass of validation, in order.

    Args:
        images: `LabelledImages`.
        options: `PipelineOptions`; gammas and augmentation do not apply.

    Returns:
        `tf.data.Dataset` of pairs of images, float32 `[batch, image_size,
        image_size, 3]`, 0 to 255, and labels, int64 `[batch]`; the last batch
        holds what is left.
    """
    side = options.image_size
    read = _reader(images, lambda i: i)

    def view(index):
        image, label = read(index)
        pixels = centre_view(image, side, options.resize_size)
        return tf.ensure_shape(pixels, [side, side, 3]), label

    indices = tf.data.Dataset.range(len(images))
    return _batches(indices, view, options.batch_size, drop_remainder=False)


def _batches(numbers, view, batch_size, drop_remainder):
    return (
        numbers.map(untranslated(view), tf.data.AUTOTUNE, deterministic=True)
        .batch(batch_size, drop_remainder)
        .prefetch(_PREFETCHED)
    )


def _reader(images, index_of):
    """Returns a function of a number that reads and decodes a photograph.

    Paths stay in Python, of which millions would be too many constants of a
    graph, and a part of a file is read without the rest of it. Reading lets
    go of Python's lock.
    """

    def read(number):
        index = index_of(number)
        return for_tensorflow(images.read(index)), images.labels[index]

    def read_in_graph(number):
        contents, label = tf.numpy_function(
            read, [number], (tf.string, tf.int64), stateful=False
        )
        image = decode_image(tf.ensure_shape(contents, []))
        return image, tf.ensure_shape(label, [])

    return read_in_graph


@contextlib.contextmanager
def naming_unreadable(images, members):
    """Names the photograph that a pipeline could not read.

    TensorFlow's error says what is wrong, and not with which file. When one
    leaves the block, the photographs that it may be about are looked at again.

    Args:
        images: `LabelledImages`.
        members: Function that returns indices of the photographs to look at,
            such as those of the batch that was due.

    Raises:
        ImageError: that names the first one that cannot be read or decoded.
    """
    try:
        yield
    except tf.errors.OpError:
        for index in members():
            load_photograph(images, index)
        raise
