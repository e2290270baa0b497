"""Views of a photograph that a model is trained and validated on.

Everything random is a function of a seed, so that a view can be made again.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

CROPS = ("centre", "area")

_ASPECTS = (3 / 4, 4 / 3)
_ATTEMPTS = 100

# What is drawn for a view, whether it is used or not.
DRAWS = (
    ("top", "left", "mirrored", "greyed", "blurred", "blur")
    + ("exposure", "contrast", "saturation", "hue")
    + ("red", "green", "blue")
)

# How far factors are from 1 at most, at a strength of 1.
_CHANGES = {"exposure": 0.5, "contrast": 0.5, "saturation": 0.5}
_CHANGES |= {"red": 0.15, "green": 0.15, "blue": 0.15}
_HUE_TURNS = 0.1

# Brightness and two axes of colour (NTSC's YIQ) from RGB.
_YIQ = np.array(
    [
        [0.299, 0.587, 0.114],
        [0.5959, -0.2746, -0.3213],
        [0.2115, -0.5227, 0.3112],
    ],
    np.float32,
)
_RGB = np.linalg.inv(_YIQ)

# Standard deviations, and where the kernel ends, in pixels of the view.
_BLURS = (0.5, 1.5)
_BLUR_RADIUS = 4


@dataclass(frozen=True)
class Augmentation:
    """How views of a photograph differ from each other.

    Attributes:
        crop: "centre" for a square of fixed size somewhere in the centre
            square, "area" for a box of any area and aspect.
        min_area: The least share of the photograph in a box of "area".
        flip: Whether half of the views are mirrored. Few landmarks are mirror
            images of themselves.
        colour: Strength in [0, 1] of changes of exposure, contrast,
            saturation, hue and the colour of light.
        grey: Probability of a view without colours.
        blur: Probability of a view out of focus.

    Reference:
        "centre" is the crop of sections 4.1 and 4.2 of the DELF paper, "area"
        that of tensorflow/models.
    """

    crop: str = "centre"
    min_area: float = 0.08
    flip: bool = False
    colour: float = 0.0
    grey: float = 0.0
    blur: float = 0.0

    def __post_init__(self):
        problems = {
            "crop": self.crop not in CROPS,
            "min_area": not 0 < self.min_area <= 1,
            "colour": not 0 <= self.colour <= 1,
            "grey": not 0 <= self.grey <= 1,
            "blur": not 0 <= self.blur <= 1,
        }
        for name, wrong in problems.items():
            if wrong:
                raise ValueError(
                    f"crop must be one of {CROPS}, min_area in (0, 1], and "
                    "colour, grey and blur in [0, 1]. "
                    f"Received: {name}={getattr(self, name)!r}"
                )


def augment(image, image_size, resize_size, augmentation, seed):
    """Makes a random view of a photograph, in a TensorFlow graph.

    Args:
        image: uint8 tensor `[height, width, 3]`.
        image_size: int or int32 scalar tensor. Side of the view, in pixels.
        resize_size: int or int32 scalar tensor, at least `image_size`. Side
            to which the centre square is resized for a crop of "centre".
        augmentation: `Augmentation`.
        seed: int tensor `[2]`.

    Returns:
        float32 tensor `[image_size, image_size, 3]`, 0 to 255.
    """
    values = tf.random.stateless_uniform([len(DRAWS)], seed)
    draws = dict(zip(DRAWS, tf.unstack(values), strict=True))
    if augmentation.crop == "centre":
        room = tf.cast(resize_size - image_size + 1, tf.float32)
        corner = tf.floor(room * tf.stack([draws["top"], draws["left"]]))
        view = _window(image, image_size, resize_size, corner)
    else:
        # With the same seed, the box would depend on the other draws.
        box_seed = tf.random.fold_in(seed, 1)
        view = _distorted(image, image_size, augmentation.min_area, box_seed)
    if augmentation.flip:
        view = tf.cond(
            draws["mirrored"] < 0.5,
            lambda: tf.reverse(view, [1]),
            lambda: view,
        )
    if augmentation.colour or augmentation.grey:
        view = _change_colours(view, augmentation, draws)
    if augmentation.blur:
        view = tf.cond(
            draws["blurred"] < augmentation.blur,
            lambda: _blur(view, draws["blur"]),
            lambda: view,
        )
    return view


def centre_view(image, image_size, resize_size):
    """Makes the view of a photograph that a model is validated on.

    Args:
        image: uint8 tensor `[height, width, 3]`.
        image_size: int. Side of the view, in pixels.
        resize_size: int, at least `image_size`. Side to which the centre
            square is resized before its own centre is taken.

    Returns:
        float32 tensor `[image_size, image_size, 3]`, 0 to 255.
    """
    margin = (resize_size - image_size) // 2
    return _window(image, image_size, resize_size, [margin, margin])


def _window(image, image_size, resize_size, corner):
    """Takes a square window out of the centre square, resized."""
    height, width = tf.unstack(tf.shape(image)[:2])
    side = tf.minimum(height, width)
    begin = [(height - side) // 2, (width - side) // 2, 0]
    square = tf.slice(image, begin, [side, side, 3])
    return _resample(square, image_size, resize_size, corner)


def _distorted(image, image_size, min_area, seed):
    """Resizes a random box to a square, whatever its aspect."""
    begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
        tf.shape(image),
        tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
        seed,
        min_object_covered=0.0,
        aspect_ratio_range=_ASPECTS,
        area_range=(min_area, 1.0),
        max_attempts=_ATTEMPTS,
    )
    return _resample(tf.slice(image, begin, size), image_size, image_size, 0)


def _resample(image, image_size, resize_size, corner):
    """Resizes an image to a square, of which only a window is computed.

    Bilinear with antialiasing, as the image pyramid is made. Averages over
    areas would make blocks of photographs that are enlarged.
    """
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    view = tf.raw_ops.ScaleAndTranslate(
        images=image[None],
        size=tf.stack([image_size, image_size]),
        scale=tf.cast(resize_size, tf.float32) / size,
        translation=tf.broadcast_to(-tf.cast(corner, tf.float32), [2]),
        kernel_type="triangle",
        antialias=True,
    )
    return tf.ensure_shape(view[0], [None, None, 3])


def _change_colours(view, augmentation, draws):
    """Applies all changes of colour, which are linear, as one product."""
    strength = augmentation.colour
    change = {
        name: 1 + reach * strength * (2 * draws[name] - 1)
        for name, reach in _CHANGES.items()
    }
    gains = change["exposure"] * tf.stack(
        [change["red"], change["green"], change["blue"]]
    )
    saturation = tf.where(
        draws["greyed"] < augmentation.grey, 0.0, change["saturation"]
    )
    angle = 2 * np.pi * _HUE_TURNS * strength * (2 * draws["hue"] - 1)
    matrix = _colour_matrix(saturation, angle) * gains
    # Contrast is the distance from the mean brightness, which saturation and
    # hue leave as it is.
    mean = tf.reduce_sum(_YIQ[0] * gains * tf.reduce_mean(view, [0, 1]))
    contrast = change["contrast"]
    view = tf.matmul(view, contrast * matrix, transpose_b=True)
    return tf.clip_by_value(view + (1 - contrast) * mean, 0.0, 255.0)


def _colour_matrix(saturation, angle):
    """Scales and turns the axes of colour of RGB, and keeps brightness."""
    cosine = saturation * tf.cos(angle)
    sine = saturation * tf.sin(angle)
    turn = tf.stack(
        [[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]]
    )
    return _RGB @ turn @ _YIQ


def _blur(view, draw):
    """Convolves with a Gaussian, by shifts: faster than a convolution."""
    deviation = _BLURS[0] + draw * (_BLURS[1] - _BLURS[0])
    offsets = np.arange(-_BLUR_RADIUS, _BLUR_RADIUS + 1, dtype=np.float32)
    kernel = tf.nn.softmax(-0.5 * (offsets / deviation) ** 2)
    size = tf.shape(view)[0]
    margin = [_BLUR_RADIUS, _BLUR_RADIUS]
    view = tf.pad(view, [margin, margin, [0, 0]], "SYMMETRIC")
    # Rows of one axis, of colours side by side, are added the fastest.
    rows = tf.reshape(view, [size + 2 * _BLUR_RADIUS, -1])
    rows = sum(kernel[i] * rows[i : i + size] for i in range(len(offsets)))
    rows = sum(
        kernel[i] * rows[:, 3 * i : 3 * (i + size)] for i in range(len(offsets))
    )
    return tf.reshape(rows, [size, size, 3])
