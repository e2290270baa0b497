"""Extraction as one TensorFlow graph: from pixels to descriptors."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from delf_keras.features import pyramid
from delf_keras.features.extraction_options import PRECISIONS
from delf_keras.features.global_pooling import global_descriptor
from delf_keras.features.pca import to_descriptors
from delf_keras.features.receptive_field import (
    ReceptiveField,
    least_side,
    receptive_field_of,
)
from delf_keras.features.selection import select
from delf_keras.features.tracing import graph_function
from delf_keras.models.folding import fold_batch_norm


def extraction_graph(model, pca, options):
    """Builds the graph that extracts local features.

    Batch norms are folded and variables frozen to constants, so that
    TensorFlow fuses every convolution with its bias and ReLU. Height and
    width are free: no image size makes it trace again.

    Args:
        model: `Delf`, built.
        pca: `Pca` or None.
        options: `ExtractionOptions`.

    Returns:
        A function of uint8 images `[batch, height, width, 3]` that returns a
        dict of tensors: `locations` `[batch, K, 2]`, `descriptors`
        `[batch, K, D]`, `scores` `[batch, K]`, `scales` `[batch, K]`, all
        float32, and `num_features`, int32 `[batch]`, the number of valid
        ones, which come first. With `global_power`, also
        `global_descriptor`, float32 `[batch, C]` of unit length.
    """
    network = frozen_network(model, options.precision)
    return extraction_function(network, pca, options)


@dataclass(frozen=True)
class DenseNetwork:
    """A network that is run on every level of an image pyramid.

    Attributes:
        run: A function from float32 images `[batch, height, width, 3]` to the
            outputs of `Delf`.
        field: `ReceptiveField` of its cells.
        resampling: How levels are resized, see `Delf`.
        least_side: Pixels on a side below which an image has no cell.
    """

    run: Callable
    field: ReceptiveField
    resampling: str
    least_side: int = 1

    @classmethod
    def of(cls, model, run):
        """Returns that of a `Delf`, which `run` computes."""
        return cls(
            run,
            receptive_field_of(model.backbone),
            model.resampling,
            least_side(model.backbone),
        )

    def cells_of(self, images):
        """Returns what `run` does, which never sees an image without a cell.

        Of nothing, TensorFlow's convolutions make another number of channels.
        """
        if self.least_side == 1:
            return self.run(images)
        sides = tf.shape(images)[1:3]
        missing = tf.maximum(self.least_side - sides, 0)
        outputs = self.run(
            tf.pad(images, [[0, 0], [0, missing[0]], [0, missing[1]], [0, 0]])
        )
        whole = tf.cast(missing == 0, tf.int32)
        rows, columns = tf.unstack(tf.shape(outputs["features"])[1:3] * whole)
        return {
            name: values[:, :rows, :columns] for name, values in outputs.items()
        }


def extraction_function(network, pca, options):
    """Builds what `extraction_graph` returns, of a network that is frozen.

    Args:
        network: `DenseNetwork`.
        pca: `Pca` or None.
        options: `ExtractionOptions`.
    """

    @graph_function(
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)]
    )
    def extract(images):
        cells = dense_features(network, images, options)
        selected, count = select(
            cells["scores"],
            cells["boxes"],
            options.max_features,
            options.score_threshold,
            options.iou_threshold,
        )
        features = tf.gather(cells["features"], selected, batch_dims=1)
        outputs = {
            "locations": tf.gather(cells["locations"], selected),
            "descriptors": to_descriptors(features, pca),
            "scores": tf.gather(cells["scores"], selected, batch_dims=1),
            "scales": tf.gather(cells["scales"], selected),
            "num_features": count,
        }
        if options.global_power:
            outputs["global_descriptor"] = cells["global_descriptor"]
        return outputs

    return extract


def frozen_network(model, precision):
    """Freezes a model into constants.

    Args:
        model: `Delf`, built.
        precision: "float32" or "bfloat16".

    Returns:
        `DenseNetwork`.
    """
    folded = fold_batch_norm(model, PRECISIONS[precision])
    signature = [tf.TensorSpec([None, None, None, 3], tf.float32)]
    concrete = graph_function(
        lambda images: folded(images, training=False), signature
    ).get_concrete_function()
    frozen = convert_to_constants.convert_variables_to_constants_v2(concrete)

    # Inlined, every level of the pyramid would be a copy of the network for
    # TensorFlow to optimize before the first photograph.
    @graph_function(
        input_signature=signature, experimental_attributes={"_noinline": True}
    )
    def network(images):
        # Freezing keeps the order of the outputs, and loses their structure.
        return {
            name: tf.ensure_shape(value, specification.shape)
            for value, (name, specification) in zip(
                frozen(images),
                sorted(concrete.structured_outputs.items()),
                strict=True,
            )
        }

    return DenseNetwork.of(model, network)


def dense_features(network, images, options):
    """Computes the features of every cell of every level of the pyramid.

    Args:
        network: `DenseNetwork`.
        images: uint8 tensor `[batch, height, width, 3]`.
        options: `ExtractionOptions`.

    Returns:
        A dict of tensors: `features` `[batch, cells, channels]`, `scores`
        `[batch, cells]`, `locations` `[cells, 2]`, `scales` `[cells]` and
        `boxes` `[cells, 4]`, the last three in pixels of the photograph, and
        `global_descriptor` `[batch, channels]` if there is to be one.
    """
    size = tf.cast(tf.shape(images)[1:3], tf.float32)
    fit = pyramid.fit_scale(
        size, options.max_image_size, options.min_image_size
    )
    fitted_size = pyramid.level_size(size, fit)
    images = pyramid.resize(images, fitted_size)
    levels = [level_cells(network, images, scale) for scale in options.scales]
    cells = {
        name: tf.concat([level[name] for level in levels], axis)
        for name, axis in (
            ("features", 1),
            ("scores", 1),
            ("locations", 0),
            ("scales", 0),
            ("boxes", 0),
        )
    }
    for name in ("locations", "boxes"):
        cells[name] = pyramid.to_image(cells[name], size, fitted_size)
    cells["scales"] /= fit
    if options.global_power:
        cells["global_descriptor"] = global_descriptor(
            [level["features"] for level in levels], options
        )
    return cells


def level_cells(network, images, scale):
    """Computes the features of every cell of one level of the pyramid.

    Args:
        network: `DenseNetwork`.
        images: uint8 or float32 tensor `[batch, height, width, 3]`.
        scale: float or scalar tensor. Scale of the level.

    Returns:
        A dict of tensors, as `dense_features` returns it, row by row, in
        pixels of the images. Of "tf1" and "tf2", boxes are those of
        tensorflow/models to the last bit, which "tf2" does not center on the
        locations.
    """
    size = tf.cast(tf.shape(images)[1:3], tf.float32)
    level_size = pyramid.level_size(size, scale)

    level = pyramid.resize(images, level_size, network.resampling)
    outputs = network.cells_of(level)
    grid = tf.shape(outputs["features"])[:3]
    field = network.field
    low = pyramid.cell_origins(grid[1:], field.stride) - field.padding
    boxes = tf.concat([low, low + (field.size - 1)], axis=1)

    def divided(points):
        return points / scale

    def mapped(points):
        return pyramid.to_image(points, size, level_size)

    of_points = divided if network.resampling == "tf1" else mapped
    of_boxes = mapped if network.resampling == "antialias" else divided
    batch, count = grid[0], grid[1] * grid[2]
    features = outputs["features"]
    return {
        "features": tf.reshape(features, [batch, count, features.shape[-1]]),
        "scores": tf.reshape(outputs["attention_scores"], [batch, count]),
        "locations": of_points(low + (field.size - 1) / 2),
        "scales": tf.fill([count], 1.0 / scale),
        "boxes": of_boxes(boxes),
    }
