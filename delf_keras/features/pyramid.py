"""The image pyramid: sizes, resizing and the grid of keypoint locations."""

import tensorflow as tf


def level_size(size, scale):
    """Returns the (height, width) of a pyramid level, float32 of whole pixels.

    Args:
        size: float32 tensor `[2]`. Height and width of the photograph.
        scale: float or scalar tensor.
    """
    return tf.maximum(tf.round(size * scale), 1.0)


def fit_scale(size, max_image_size, min_image_size=0):
    """Returns the scale at which the longer side is within its limits.

    Args:
        size: float32 tensor `[2]`.
        max_image_size: int. Pixels, or 0 for no limit.
        min_image_size: int. Pixels, or 0. The other limit goes first.
    """
    longer = tf.reduce_max(size)
    scale = tf.maximum(min_image_size / longer, 1.0)
    if not max_image_size:
        return scale
    return tf.minimum(max_image_size / longer, scale)


def resize(images, size, resampling="antialias"):
    """Resizes images bilinearly.

    Args:
        images: uint8 or float32 tensor `[batch, height, width, 3]`.
        size: float32 tensor `[2]` of whole pixels.
        resampling: "antialias", where images shrink, or without it as
            TensorFlow 2 ("tf2") or TensorFlow 1 ("tf1") do.

    Returns:
        float32 tensor `[batch, size[0], size[1], 3]`.
    """
    size = tf.cast(size, tf.int32)
    resized = tf.cond(
        tf.reduce_all(size == tf.shape(images)[1:3]),
        lambda: tf.cast(images, tf.float32),
        lambda: _resized(images, size, resampling),
    )
    return tf.ensure_shape(resized, [None, None, None, 3])


def _resized(images, size, resampling):
    if resampling == "antialias":
        return tf.image.resize(images, size, antialias=True)
    return tf.raw_ops.ResizeBilinear(
        images=images, size=size, half_pixel_centers=resampling == "tf2"
    )


def to_image(points, image_size, level_size):
    """Maps pixels of a level to those of the image it was resized from.

    Whole numbers are the centers of pixels, and resizing keeps the edges of
    an image, not its first center, where they are: what "antialias" and
    "tf2" do.

    Args:
        points: float32 tensor `[N, 2]`, (y, x) in pixels of the level, or
            `[N, 4]` of two corners.
        image_size: float32 tensor `[2]`. Height and width of the image.
        level_size: float32 tensor `[2]`. The same of the level.

    Returns:
        float32 tensor like `points`, in pixels of the image; the same numbers
        to the last bit where both are of one size.
    """
    ratio = tf.tile(image_size / level_size, [points.shape[-1] // 2])
    return points * ratio + (ratio - 1) / 2


def cell_origins(grid, stride):
    """Returns the pixels of a level from which cells of a map are counted.

    Args:
        grid: int32 tensor `[2]`. Rows and columns of the feature map.
        stride: int. Pixels of the level from one cell to the next.

    Returns:
        float32 tensor `[rows * columns, 2]`, (y, x): `stride * index`, row by
        row, see `ReceptiveField`.
    """
    rows, columns = tf.meshgrid(
        tf.range(grid[0]), tf.range(grid[1]), indexing="ij"
    )
    index = tf.reshape(tf.stack([rows, columns], axis=-1), [-1, 2])
    return tf.cast(index * stride, tf.float32)
