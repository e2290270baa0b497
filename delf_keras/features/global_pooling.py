"""One descriptor of a whole photograph: generalised-mean pooling."""

import math

import tensorflow as tf

# Up to half an octave around the photograph's own size, as DELG does.
_OCTAVES = 0.5


def global_descriptor(level_features, options):
    """Pools the features of the pyramid to one descriptor.

    Each level is pooled by the generalised mean, between the mean (power 1)
    and the maximum (power to infinity), and brought to unit length; so is the
    sum of the levels. Levels of more than half an octave from scale 1 are left
    out, unless all are. Negative features, as those of an autoencoder may be,
    keep their sign.

    Args:
        level_features: list of tensors `[batch, cells, channels]`, one for
            each of the scales.
        options: `ExtractionOptions`.

    Returns:
        float32 tensor `[batch, channels]` of unit length; zeros where no level
        has a cell.

    Reference:
        Radenovic et al., "Fine-tuning CNN image retrieval with no human
        annotation", TPAMI 2018, section 3.2; Cao et al., "Unifying deep local
        and global features for image search", ECCV 2020, section 5.1.
    """
    near = [
        features
        for features, scale in zip(level_features, options.scales, strict=True)
        if abs(math.log2(scale)) < _OCTAVES + 0.01
    ]
    pooled = [
        _generalised_mean(features, options.global_power)
        for features in near or level_features
    ]
    return tf.math.l2_normalize(tf.add_n(pooled), axis=-1)


def _generalised_mean(features, power):
    features = tf.cast(features, tf.float32)
    # A level that is too small has no cell.
    count = tf.cast(tf.maximum(tf.shape(features)[1], 1), tf.float32)
    mean = tf.reduce_sum(_signed_power(features, power), axis=1) / count
    return tf.math.l2_normalize(_signed_power(mean, 1.0 / power), axis=-1)


def _signed_power(values, power):
    """Returns powers of absolute values, with the sign of the values."""
    return tf.sign(values) * tf.abs(values) ** power
