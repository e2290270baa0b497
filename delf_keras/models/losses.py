"""Losses of the classifiers, which Keras finds in a file of one."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="delf_keras")
class CrossEntropy(keras.losses.Loss):
    """Cross entropy of logits and labels, which may be smoothed.

    Args:
        label_smoothing: float in [0, 1). Share of the label that all classes
            have alike.
        **kwargs: See `keras.losses.Loss`.
    """

    def __init__(self, label_smoothing=0.0, **kwargs):
        super().__init__(**kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        classes = ops.cast(ops.reshape(y_true, [-1]), "int32")
        return keras.losses.categorical_crossentropy(
            ops.one_hot(classes, y_pred.shape[-1]),
            y_pred,
            from_logits=True,
            label_smoothing=self.label_smoothing,
        )

    def get_config(self):
        return super().get_config() | {"label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="delf_keras")
def output_itself(_, output):
    """The loss of an output that is one itself."""
    return output
