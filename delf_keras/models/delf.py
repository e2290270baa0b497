"""DELF: a backbone and attention, from pixels to a map of local features."""

import keras

from delf_keras.models.attention import Attention, NormAttention
from delf_keras.models.autoencoder import Autoencoder
from delf_keras.models.pixels import PixelScaling
from delf_keras.models.resnet import ResNet

ATTENTIONS = ("norm", "conv")
# How the levels of the image pyramid are resized, bilinearly all: with
# antialiasing, without as TensorFlow 2 does, or as TensorFlow 1 did, whose
# pixels have their centres at whole numbers.
RESAMPLINGS = ("antialias", "tf2", "tf1")


@keras.saving.register_keras_serializable(package="delf_keras")
class Delf(keras.Model):
    """Dense local features of photographs and their attention scores.

    Args:
        backbone: `ResNet`, or any Keras model from pixels to a feature map,
            such as one of keras.applications up to a layer. Extraction needs
            its receptive field, which is derived from the layers of a
            functional model; any other has a method `spatial_layers()`, as
            `ResNet` has. Defaults to ResNet50 up to block 3.
        attention: "norm" for the L2 norm of a feature, which needs no
            training, or "conv" for the trained attention of the paper.
        attention_batch_norm: bool. Whether "conv" attention is
            batch-normalised.
        scaling: The pixel range that the backbone's weights expect, see
            `PixelScaling`. It is applied inside the model.
        autoencoder: int. Channels to which an autoencoder reduces the
            features, or None for those of the backbone. The attention then
            scores the features that it restores.
        resampling: "antialias", "tf2" or "tf1": how the image pyramid that
            the weights expect is resized.

    Input shape:
        `[batch, height, width, 3]`, RGB, 0 to 255, uint8 or float.

    Output:
        A dict: "features", `[batch, rows, columns, channels]` in the compute
        dtype, and "attention_scores", float32 `[batch, rows, columns]`.

    Example:

    ```python
    model = delf_keras.Delf.from_preset("delf_resnet50_imagenet")
    outputs = model.predict(photographs)  # [8, 480, 640, 3], uint8
    outputs["features"].shape  # (8, 30, 40, 1024)
    outputs["attention_scores"].shape  # (8, 30, 40)

    network = keras.applications.MobileNetV2(
        include_top=False, input_shape=(None, None, 3)
    )
    output = network.get_layer("block_13_expand_relu").output
    backbone = keras.Model(network.input, output)
    model = delf_keras.Delf(backbone, scaling="tf")
    model.build((None, None, None, 3))
    features = delf_keras.Extractor(model).extract("photograph.jpg")
    ```

    Reference:
        Noh et al., "Large-Scale Image Retrieval with Attentive Deep Local
        Features", arXiv 1612.06321.
    """

    def __init__(
        self,
        backbone=None,
        attention="norm",
        attention_batch_norm=True,
        scaling="caffe",
        autoencoder=None,
        resampling="antialias",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if attention not in ATTENTIONS:
            raise ValueError(
                f"attention must be one of {ATTENTIONS}. "
                f"Received: attention={attention!r}"
            )
        if resampling not in RESAMPLINGS:
            raise ValueError(
                f"resampling must be one of {RESAMPLINGS}. "
                f"Received: resampling={resampling!r}"
            )
        self.resampling = resampling
        policy = self.dtype_policy
        self.pixel_scaling = PixelScaling(scaling, dtype=policy)
        self.backbone = backbone or ResNet(dtype=policy)
        self.attention = (
            NormAttention(dtype=policy)
            if attention == "norm"
            else Attention(batch_norm=attention_batch_norm, dtype=policy)
        )
        self.autoencoder = None
        if autoencoder:
            channels = self._backbone_shape((None, None, None, 3))[-1]
            self.autoencoder = Autoencoder(autoencoder, channels, dtype=policy)
        self._config = {
            "attention": attention,
            "attention_batch_norm": attention_batch_norm,
            "scaling": scaling,
            "autoencoder": autoencoder,
        }
        # Left out, it leaves the fingerprints of older models as they are.
        if resampling != "antialias":
            self._config["resampling"] = resampling

    def build(self, input_shape):
        # A deserialized backbone comes built.
        if not self.backbone.built:
            self.backbone.build(input_shape)
        feature_shape = self._backbone_shape(input_shape)
        if self.autoencoder is not None:
            self.autoencoder.build(feature_shape)
        self.attention.build(feature_shape)
        self.built = True

    def _backbone_shape(self, input_shape):
        return self.backbone.compute_output_shape(tuple(input_shape))

    @property
    def channels(self):
        """Channels of the features."""
        if self.autoencoder is not None:
            return self.autoencoder.dimension
        return self._backbone_shape((None, None, None, 3))[-1]

    def call(self, inputs, training=None):
        features = self.backbone_features(inputs, training)
        restored = features
        if self.autoencoder is not None:
            features, restored = self.autoencoder(features)
        scores = self.attention(restored, training=training)
        return {"features": features, "attention_scores": scores}

    def backbone_features(self, inputs, training=None):
        """Returns the backbone's features of photographs.

        Args:
            inputs: `[batch, height, width, 3]`, see the class.
            training: bool. Whether batch norms are those of the batch.

        Returns:
            `[batch, rows, columns, channels]`, compute dtype.
        """
        return self.backbone(self.pixel_scaling(inputs), training=training)

    def get_config(self):
        return super().get_config() | {
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            **self._config,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        config["backbone"] = keras.saving.deserialize_keras_object(
            config["backbone"]
        )
        return cls(**config)

    @classmethod
    def from_preset(cls, preset, weights=None, dtype=None):
        """Loads a model by the name, folder or URL of a preset.

        Args:
            preset: str. A name of `delf_keras.list_presets()`, a folder that
                `save_to_preset` wrote, or the URL of an archive of one.
            weights: str or `Path`. A local file of ImageNet weights of
                keras.applications, in place of the download.
            dtype: A Keras dtype policy such as "mixed_bfloat16". Defaults to
                the global policy.

        Returns:
            `Delf`, built, with its weights.

        Raises:
            ValueError: if the preset is unknown, or a file does not fit it.
            FileNotFoundError: if a file of it is missing.
        """
        from delf_keras.models import presets

        found = presets.find_preset(preset)
        return presets.load_model(found, weights, dtype)

    def save_to_preset(self, folder, description=""):
        """Writes the model as a preset folder.

        Args:
            folder: str or `Path`. A folder that does not exist yet.
            description: str. One sentence for `delf-keras presets`.
        """
        from delf_keras.models import presets

        presets.save_model(self, folder, {"description": description})
