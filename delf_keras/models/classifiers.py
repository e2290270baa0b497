"""Classifiers that a `Delf` is trained with, and parted from afterwards."""

import keras
from keras import ops

from delf_keras.models.attention import Attention
from delf_keras.models.heads import AttentionHead, DescriptorHead


class _Classifier(keras.Model):
    """A `Delf` and what turns its features into logits of classes.

    Args:
        delf: `Delf`.
        num_classes: int.
        trained: Names of the parts of the `Delf` that learn; the others are
            frozen, or batch norms of theirs would move all the same.

    Attributes:
        loss_names: Names of the outputs, each of which has a loss.

    Raises:
        ValueError: if the attention is to learn and has no weights.
    """

    def __init__(self, delf, num_classes, trained, **kwargs):
        super().__init__(dtype=delf.dtype_policy, **kwargs)
        if "attention" in trained and not isinstance(delf.attention, Attention):
            raise ValueError(
                'The attention of the Delf must be "conv" to be trained. '
                f"Received: {type(delf.attention).__name__}"
            )
        self.delf = delf
        self.num_classes = num_classes
        # Nothing of a model that is frozen itself learns.
        set_trainable(delf, True)
        for name in ("backbone", "autoencoder", "attention"):
            part = getattr(delf, name)
            if part is not None:
                set_trainable(part, name in trained)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        return super().compute_loss(
            x, self._targets(y), y_pred, sample_weight, training
        )

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(
            x, self._targets(y), y_pred, sample_weight
        )

    def _targets(self, labels):
        """Returns the labels as the target of every output.

        That of "reconstruction", which is a loss itself, is not used.
        """
        return dict.fromkeys(self.loss_names, labels)

    def get_config(self):
        return super().get_config() | {
            "delf": keras.saving.serialize_keras_object(self.delf),
            "num_classes": self.num_classes,
        }

    @classmethod
    def from_config(cls, config):
        delf = keras.saving.deserialize_keras_object(config["delf"])
        config = {**config, "delf": delf}
        # That of the `Delf` is meant.
        config.pop("dtype", None)
        return cls(**config)

    def _build_delf(self, input_shape):
        """Builds the `Delf` if need be, and returns its features' shape."""
        if not self.delf.built:
            self.delf.build(input_shape)
        return self.delf.backbone.compute_output_shape(tuple(input_shape))


def set_trainable(layer, trainable):
    """Lets all of a layer learn, or nothing of it.

    With TensorFlow, Keras overlooks a value that the layer itself has already,
    although one that was frozen when it was saved has parts that are not.

    Args:
        layer: Keras layer or model.
        trainable: bool.
    """
    layer.trainable = not trainable
    layer.trainable = trainable


@keras.saving.register_keras_serializable(package="delf_keras")
class DescriptorClassifier(_Classifier):
    """Trains the backbone of a `Delf` to tell landmarks apart.

    The backbone is followed by block 4, if it is a `ResNet` without it, global
    average pooling and a softmax.

    Args:
        delf: `Delf`, whose backbone is the one part that is trained.
        num_classes: int.

    Input shape:
        `[batch, height, width, 3]`, see `Delf`.

    Output:
        A dict of "descriptor", logits, float32 `[batch, num_classes]`.

    Reference:
        Noh et al., arXiv 1612.06321, section 4.1.
    """

    loss_names = ("descriptor",)

    def __init__(self, delf, num_classes, **kwargs):
        super().__init__(delf, num_classes, ("backbone",), **kwargs)
        self.descriptor_head = DescriptorHead(delf.backbone, num_classes)

    def build(self, input_shape):
        self.descriptor_head.build(self._build_delf(input_shape))
        self.built = True

    def call(self, inputs, training=None):
        features = self.delf.backbone_features(inputs, training)
        logits = self.descriptor_head(features, training=training)
        return {"descriptor": logits}


@keras.saving.register_keras_serializable(package="delf_keras")
class AttentionClassifier(_Classifier):
    """Trains the attention of a `Delf` to weigh what tells landmarks apart.

    The backbone stays as it is, its batch norms too: it runs in inference
    mode, and no gradient enters it.

    Args:
        delf: `Delf` with "conv" attention, the one part that is trained.
        num_classes: int.
        pooling: "sum" over the cells, as in the paper, or "mean", as in
            tensorflow/models.

    Input shape:
        `[batch, height, width, 3]`, see `Delf`.

    Output:
        A dict of "attention", logits, float32 `[batch, num_classes]`.

    Reference:
        Noh et al., arXiv 1612.06321, section 4.2.
    """

    loss_names = ("attention",)

    def __init__(self, delf, num_classes, pooling="sum", **kwargs):
        super().__init__(delf, num_classes, ("attention",), **kwargs)
        self.attention_head = AttentionHead(
            delf.attention, num_classes, pooling
        )

    def build(self, input_shape):
        self.attention_head.build(self._build_delf(input_shape))
        self.built = True

    def call(self, inputs, training=None):
        features = self.delf.backbone_features(inputs, training=False)
        restored = features
        if self.delf.autoencoder is not None:
            _, restored = self.delf.autoencoder(features)
        logits = self.attention_head(
            [ops.stop_gradient(features), ops.stop_gradient(restored)],
            training=training,
        )
        return {"attention": logits}

    def get_config(self):
        return super().get_config() | {"pooling": self.attention_head.pooling}


@keras.saving.register_keras_serializable(package="delf_keras")
class JointClassifier(_Classifier):
    """Trains all of a `Delf` at once, as tensorflow/models does.

    The backbone learns from the descriptor's logits alone: gradients of the
    attention and of the autoencoder stop before it.

    Args:
        delf: `Delf` with "conv" attention.
        num_classes: int.
        pooling: See `AttentionClassifier`.

    Input shape:
        `[batch, height, width, 3]`, see `Delf`.

    Output:
        A dict of "descriptor" and "attention", logits, float32
        `[batch, num_classes]`, and with an autoencoder "reconstruction",
        float32 `[batch]`, the mean squared error of the features that it
        restores.

    Reference:
        Cao et al., arXiv 2001.05027, section 3.4.
    """

    def __init__(self, delf, num_classes, pooling="mean", **kwargs):
        trained = ("backbone", "autoencoder", "attention")
        super().__init__(delf, num_classes, trained, **kwargs)
        self.descriptor_head = DescriptorHead(delf.backbone, num_classes)
        self.attention_head = AttentionHead(
            delf.attention, num_classes, pooling
        )

    @property
    def loss_names(self):
        names = ("descriptor", "attention")
        has_autoencoder = self.delf.autoencoder is not None
        return (*names, "reconstruction") if has_autoencoder else names

    def build(self, input_shape):
        shape = self._build_delf(input_shape)
        self.descriptor_head.build(shape)
        self.attention_head.build(shape)
        self.built = True

    def call(self, inputs, training=None):
        features = self.delf.backbone_features(inputs, training)
        outputs = {
            "descriptor": self.descriptor_head(features, training=training)
        }
        features = restored = ops.stop_gradient(features)
        if self.delf.autoencoder is not None:
            _, restored = self.delf.autoencoder(features)
            error = ops.cast(restored, "float32") - ops.cast(
                features, "float32"
            )
            outputs["reconstruction"] = ops.mean(
                ops.square(error), axis=(1, 2, 3)
            )
        outputs["attention"] = self.attention_head(
            [features, restored], training=training
        )
        return outputs

    def get_config(self):
        return super().get_config() | {"pooling": self.attention_head.pooling}
