"""The functions that an exported model serves.

See `delf_keras.serving.contract` for what they take and return.
"""

import tensorflow as tf

from delf_keras.features.graph import (
    extraction_function,
    frozen_network,
    level_cells,
)
from delf_keras.features.selection import select
from delf_keras.features.tracing import graph_function
from delf_keras.serving import contract
from delf_keras.serving.admission import admit_file, admit_size


def describe(extractor):
    """Returns the `ExtractorDescription` of an `Extractor`."""
    pca = extractor.pca
    return contract.ExtractorDescription(
        fingerprint=extractor.fingerprint,
        pca=pca is not None,
        dimension=pca.dimension if pca else extractor.model.channels,
        options=vars(extractor.options),
    )


def make_signatures(extractor, limits):
    """Makes the functions of an extractor, of which all share one network.

    Args:
        extractor: `Extractor`.
        limits: `Limits`.

    Returns:
        dict of the name of a signature to its concrete function.
    """
    network = frozen_network(extractor.model, extractor.options.precision)
    extract = _padded_extraction(
        extraction_function(network, extractor.pca, extractor.options),
        describe(extractor),
        extractor.options.max_features,
    )
    size = extractor.options.max_image_size
    functions = {
        contract.EXTRACT: _extract_files(extract, limits, extractor.options),
        contract.EXTRACT_PIXELS: _extract_pixels(extract, limits, size),
        contract.DELF_COMPAT: _delf_compat(
            network, extractor.options.iou_threshold, limits.max_pixels
        ),
    }
    return {
        name: function.get_concrete_function()
        for name, function in functions.items()
    }


def _padded_extraction(extract, description, max_features):
    """Returns a function of images and their status, with outputs of one size.

    Where the status is not `OK`, the images are not looked at.
    """

    def features_of(images):
        outputs = extract(images)
        count = outputs.pop("num_features")
        return {
            name: _padded(rows, count, max_features)
            for name, rows in outputs.items()
        } | {"num_features": count}

    def nothing_of(images):
        def zeros(*shape, dtype=tf.float32):
            return tf.zeros([tf.shape(images)[0], *shape], dtype)

        return {
            "locations": zeros(max_features, 2),
            "descriptors": zeros(max_features, description.dimension),
            "scores": zeros(max_features),
            "scales": zeros(max_features),
            "num_features": zeros(dtype=tf.int32),
        }

    def extract_admitted(images, status):
        outputs = tf.cond(
            status == contract.OK,
            lambda: features_of(images),
            lambda: nothing_of(images),
        )
        count = tf.shape(images)[0]
        outputs |= {
            "image_size": tf.tile(tf.shape(images)[None, 1:3], [count, 1]),
            "status": tf.repeat(status, count),
            "extractor": tf.repeat(description.to_json(), count),
        }
        return {
            name: tf.ensure_shape(rows, [None, *_row_shape(name, description)])
            for name, rows in outputs.items()
        }

    return extract_admitted


def _row_shape(name, description):
    """Returns the shape of an output of one photograph."""
    rows = description.options["max_features"]
    return {
        "locations": (rows, 2),
        "descriptors": (rows, description.dimension),
        "scores": (rows,),
        "scales": (rows,),
        "image_size": (2,),
    }.get(name, ())


def _padded(rows, count, length):
    """Sets rows beyond the count of a photograph to zero, up to a length."""
    valid = tf.sequence_mask(count, tf.shape(rows)[1])
    valid = tf.reshape(valid, tf.concat([tf.shape(valid), [1, 1]], 0))
    flat = tf.reshape(rows, tf.concat([tf.shape(rows)[:2], [1, -1]], 0))
    kept = tf.reshape(tf.where(valid, flat, 0.0), tf.shape(rows))
    missing = length - tf.shape(rows)[1]
    return tf.pad(kept, [[0, 0], [0, missing]] + [[0, 0]] * (rows.ndim - 2))


def _extract_files(extract, limits, options):
    def extract_one(contents):
        image, status = admit_file(contents, limits, options)
        outputs = extract(image[None], status)
        return {name: rows[0] for name, rows in outputs.items()}

    @graph_function(
        input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")]
    )
    def extract_files(image_bytes):
        # One after the other, since each pyramid takes much memory.
        one = tf.TensorSpec([], tf.string)
        outputs = graph_function(extract_one).get_concrete_function(one)
        specs = {
            name: tf.TensorSpec(spec.shape, spec.dtype)
            for name, spec in outputs.structured_outputs.items()
        }
        return tf.map_fn(
            outputs,
            image_bytes,
            parallel_iterations=1,
            fn_output_signature=specs,
        )

    return extract_files


def _extract_pixels(extract, limits, max_image_size):
    @graph_function(
        input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.uint8, "images")
        ]
    )
    def extract_pixels(images):
        status = admit_size(tf.shape(images)[1:3], limits, max_image_size)
        return extract(images, status)

    return extract_pixels


def _delf_compat(network, iou_threshold, max_pixels):
    """Returns the extraction of tensorflow/models, under its names.

    Its features are those of the network, neither normalised nor projected:
    the scripts that call it do both. It shrinks no image; they do. A level of
    more pixels than a photograph may have is refused.
    """

    @graph_function(
        input_signature=[
            tf.TensorSpec([None, None, 3], tf.uint8, "input_image"),
            tf.TensorSpec([None], tf.float32, "input_scales"),
            tf.TensorSpec([], tf.int32, "input_max_feature_num"),
            tf.TensorSpec([], tf.float32, "input_abs_thres"),
        ]
    )
    def delf_compat(
        input_image, input_scales, input_max_feature_num, input_abs_thres
    ):
        size = tf.cast(tf.shape(input_image)[:2], tf.float32)

        def level(scale):
            within = tf.reduce_prod(size * scale) <= max_pixels
            expected = f"A scale is positive, its level of {max_pixels} pixels"
            admitted = tf.debugging.Assert(
                (scale > 0) & within, [f"{expected} at most", scale]
            )
            with tf.control_dependencies([admitted]):
                scale = tf.identity(scale)
            cells = level_cells(network, input_image[None], scale)
            return {
                "features": tf.cast(cells["features"][0], tf.float32),
                "scores": cells["scores"][0],
                "boxes": cells["boxes"],
                "scales": cells["scales"],
            }

        cells = _of_every_scale(level, input_scales)
        selected, count = select(
            cells["scores"][None],
            cells["boxes"],
            input_max_feature_num,
            input_abs_thres,
            iou_threshold,
        )
        chosen = {
            name: tf.gather(rows, selected[0, : count[0]])
            for name, rows in cells.items()
        }
        return chosen | {"scores": chosen["scores"][:, None]}

    return delf_compat


def _of_every_scale(level, scales):
    """Joins the cells of the levels of a pyramid."""
    level = graph_function(level).get_concrete_function(
        tf.TensorSpec([], tf.float32)
    )
    specs = level.structured_outputs
    joined = tf.map_fn(
        level,
        scales,
        parallel_iterations=1,
        fn_output_signature={
            name: tf.RaggedTensorSpec(spec.shape, spec.dtype, ragged_rank=0)
            for name, spec in specs.items()
        },
    )
    # Without a scale, the joined rows would lose their length.
    return {
        name: tf.reshape(rows.values, [-1, *specs[name].shape[1:]])
        for name, rows in joined.items()
    }
