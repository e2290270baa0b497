"""Pixel scaling: from RGB, 0 to 255, to what a backbone was trained on."""

import keras

# Name: (channel order, mean, scale) with output = (ordered - mean) / scale.
SCALINGS = {
    # keras.applications ResNet: BGR less the ImageNet mean.
    "caffe": ((2, 1, 0), (103.939, 116.779, 123.68), 1.0),
    # tensorflow/models DELF.
    "tf_models": ((0, 1, 2), (128.0, 128.0, 128.0), 128.0),
}


@keras.saving.register_keras_serializable(package="delf_keras")
class PixelScaling(keras.layers.Layer):
    """Scales RGB pixels as the weights of a backbone expect them.

    Args:
        scaling: "caffe" (BGR, mean subtracted) or "tf_models"
            (`(x - 128) / 128`).

    Input shape:
        `[batch, height, width, 3]`, RGB, 0 to 255, uint8 or float.

    Output shape:
        The same, in the layer's compute dtype.
    """

    def __init__(self, scaling, **kwargs):
        # Bfloat16 has 8 bits of precision: autocast would spoil pixels before
        # the mean is taken off.
        super().__init__(autocast=False, **kwargs)
        if scaling not in SCALINGS:
            raise ValueError(
                f"scaling must be one of {sorted(SCALINGS)}. "
                f"Received: scaling={scaling!r}"
            )
        self.scaling = scaling

    def call(self, inputs):
        order, mean, scale = SCALINGS[self.scaling]
        pixels = keras.ops.cast(inputs, "float32")
        if order != (0, 1, 2):
            pixels = keras.ops.flip(pixels, axis=-1)
        pixels = (pixels - keras.ops.convert_to_tensor(mean, "float32")) / scale
        return keras.ops.cast(pixels, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"scaling": self.scaling}
