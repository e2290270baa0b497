"""The receptive field that is derived, and the one that gradients see."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from delf_keras.features import pyramid
from delf_keras.features.extraction_options import DEFAULT_SCALES
from delf_keras.features.receptive_field import (
    ReceptiveField,
    least_side,
    receptive_field,
    receptive_field_of,
)
from delf_keras.models.residual import LAYOUTS
from delf_keras.models.resnet import ResNet


@pytest.mark.parametrize("stride_placement", LAYOUTS)
@pytest.mark.parametrize(
    ("output_block", "output_stride", "expected"),
    [
        # The constants of Google's code, which are those of ResNet50.
        (3, 16, ReceptiveField(291, 16, 145)),
        (3, 32, ReceptiveField(291, 32, 145)),
        (4, 32, ReceptiveField(483, 32, 241)),
    ],
)
def test_resnet50(stride_placement, output_block, output_stride, expected):
    backbone = ResNet(
        50,
        stride_placement=stride_placement,
        output_block=output_block,
        output_stride=output_stride,
    )
    assert receptive_field(backbone.spatial_layers()) == expected


def test_resnet101():
    """17 units more in block 3, of 32 pixels each."""
    field = receptive_field(ResNet(101).spatial_layers())
    assert field == ReceptiveField(291 + 17 * 32, 16, 145 + 17 * 16)


@pytest.mark.parametrize("depth", [14, 26, 50])
@pytest.mark.parametrize("stride_placement", LAYOUTS)
def test_is_symmetric_about_its_centre(depth, stride_placement):
    backbone = ResNet(depth, stride_placement=stride_placement)
    field = receptive_field(backbone.spatial_layers())
    assert field.size == 2 * field.padding + 1


def test_kernels_as_numbers_or_pairs():
    field = receptive_field([(7, 2), ((3, 3), (2, 2)), (1, 1)])
    assert field == ReceptiveField(7 + 2 * 2, 4, 3 + 2)
    assert receptive_field([]) == ReceptiveField(1, 1, 0)


@pytest.mark.parametrize(("output_stride", "cells"), [(16, 24463), (32, 6143)])
def test_cells_of_a_photograph(output_stride, cells):
    """As many features as Google's DELF has on 1024x768 pixels."""
    backbone = ResNet(output_stride=output_stride)
    size = tf.constant([768.0, 1024.0])
    levels = [
        pyramid.level_size(size, scale).numpy().astype(int)
        for scale in DEFAULT_SCALES
    ]
    shapes = [backbone.compute_output_shape((1, *level, 3)) for level in levels]

    assert sum(rows * columns for _, rows, columns, _ in shapes) == cells


def seen_pixels(backbone, height, width, cell):
    """First and last row and column that move a cell, of many images.

    A max pooling passes the gradient to one pixel alone; so it takes some
    images until every pixel that may be seen is.
    """
    images = np.random.default_rng(1).normal(0, 1, (16, height, width, 3))
    images = tf.constant(images, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        response = tf.reduce_sum(backbone(images)[:, *cell])
    gradient = np.abs(tape.gradient(response, images)).sum(axis=(0, 3))
    rows, columns = np.nonzero(gradient)
    return rows.min(), rows.max(), columns.min(), columns.max()


@pytest.mark.parametrize("output_stride", [16, 32])
@pytest.mark.parametrize(
    ("stride_placement", "pool_padding", "size", "shift"),
    [
        ("first", None, (160, 191), (0, 0)),
        ("last", "symmetric", (160, 191), (0, 0)),
        # As TF-slim does, "same" pads at the end alone what is even after the
        # first convolution.
        ("last", None, (162, 189), (0, 0)),
        ("last", None, (160, 191), (2, 2)),
        # As in tensorflow/models, whose boxes do not say so.
        ("tf2", None, (160, 191), (3, 2)),
    ],
)
def test_what_a_cell_sees(
    randomise, output_stride, stride_placement, pool_padding, size, shift
):
    """The receptive field, later by the shift of rows and of columns."""
    backbone = ResNet(
        14,
        width=8,
        stride_placement=stride_placement,
        output_stride=output_stride,
        pool_padding=pool_padding,
    )
    backbone.build((None, None, None, 3))
    randomise(backbone)
    field = receptive_field(backbone.spatial_layers())
    cell = (64 // output_stride, 96 // output_stride)
    y, x = (
        field.stride * index + late
        for index, late in zip(cell, shift, strict=True)
    )

    assert (field.size, field.padding) == (67, 33)
    assert seen_pixels(backbone, *size, cell) == (
        y - field.padding,
        y + field.padding,
        x - field.padding,
        x + field.padding,
    )


@pytest.mark.parametrize("excited", [False, True])
def test_of_a_functional_model(make_network, excited):
    """What gradients see, but for what is pooled of the whole image.

    The sides are even wherever "same" pads.
    """
    field = receptive_field_of(make_network(excited=excited))
    y, x = 8 * 5 - field.padding, 8 * 9 - field.padding
    last = field.size - 1

    assert field.stride == 8
    assert seen_pixels(make_network(), 132, 196, (5, 9)) == (
        y,
        y + last,
        x,
        x + last,
    )


def test_of_keras_applications():
    """A ResNet of Keras' own has the field of ours."""
    network = keras.applications.ResNet50(
        weights=None, include_top=False, input_shape=(None, None, 3)
    )
    output = network.get_layer("conv4_block6_out").output
    field = receptive_field_of(keras.Model(network.input, output))
    assert field == receptive_field(ResNet(50).spatial_layers())


def layers_of(*layers):
    return keras.Sequential([keras.Input((None, None, 3)), *layers])


def functional(layer):
    inputs = keras.Input((None, None, 3))
    return keras.Model(inputs, layer(inputs))


def test_of_a_sequential_model():
    convolution = layers_of(keras.layers.Conv2D(4, 5, 2))
    model = layers_of(convolution, keras.layers.MaxPooling2D())
    assert receptive_field_of(model) == ReceptiveField(7, 4, 0)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv2DTranspose(4, 3, 2),
        keras.layers.UpSampling2D(),
        functional(keras.layers.Conv2D(4, 3)),
    ],
)
def test_what_cannot_be_derived(layer):
    model = layers_of(layer)
    with pytest.raises(ValueError, match=f"`spatial_.*Received: {model.name}"):
        receptive_field_of(model)


def test_least_side(make_network):
    """Of which there is a cell, though layers without padding refuse less."""
    without_padding = layers_of(keras.layers.Conv2D(4, 5, 2))
    resnet = ResNet(14, stride_placement="tf2")
    sides = list(map(least_side, (ResNet(14), resnet, without_padding)))
    assert sides == [1, 5, 5]
    network = make_network()
    side = least_side(network)
    assert all(network.compute_output_shape((1, side, side, 3)))
