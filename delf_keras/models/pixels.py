"""Pixel scaling: from RGB, 0 to 255, to what a backbone was trained on."""

import keras

_RGB = (0, 1, 2)
# Name: (channel order, mean, scale) with output = (ordered - mean) / scale.
SCALINGS = {
    # The modes of keras.applications: BGR less the ImageNet mean (ResNet, VGG),
    "caffe": ((2, 1, 0), (103.939, 116.779, 123.68), 1.0),
    # from -1 to 1 (MobileNet, Inception, Xception, ResNetV2),
    "tf": (_RGB, (127.5, 127.5, 127.5), 127.5),
    # less the ImageNet mean, by its deviation (DenseNet),
    "torch": (_RGB, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    # and by the network itself (EfficientNet, ConvNeXt, MobileNetV3).
    "none": (_RGB, (0.0, 0.0, 0.0), 1.0),
    # tensorflow/models DELF.
    "tf_models": (_RGB, (128.0, 128.0, 128.0), 128.0),
}


@keras.saving.register_keras_serializable(package="delf_keras")
class PixelScaling(keras.layers.Layer):
    """Scales RGB pixels as the weights of a backbone expect them.

    Args:
        scaling: "caffe", "tf", "torch" or "none", as the `preprocess_input`
            of a network of keras.applications does, or "tf_models",
            `(x - 128) / 128`.

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
        if order != _RGB:
            pixels = keras.ops.flip(pixels, axis=-1)
        mean, scale = (
            keras.ops.convert_to_tensor(each, "float32")
            for each in (mean, scale)
        )
        pixels = (pixels - mean) / scale
        return keras.ops.cast(pixels, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"scaling": self.scaling}
