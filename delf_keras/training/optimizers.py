"""Optimizers, schedules and weight decay."""

import keras


def make_optimizer(options, total_steps):
    """Makes the optimizer of a run.

    Args:
        options: `TrainingOptions`.
        total_steps: int. Steps in which the schedule ends.

    Returns:
        `keras.optimizers.Optimizer`.
    """
    arguments = {
        "learning_rate": _schedule(options, total_steps),
        "global_clipnorm": options.clip_norm or None,
    }
    if options.optimizer == "sgd":
        return keras.optimizers.SGD(momentum=0.9, **arguments)
    if options.optimizer == "adam":
        return keras.optimizers.Adam(**arguments)
    optimizer = keras.optimizers.AdamW(
        weight_decay=options.weight_decay, **arguments
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _schedule(options, total_steps):
    schedules = keras.optimizers.schedules
    if options.schedule == "linear":
        return schedules.PolynomialDecay(
            options.learning_rate, total_steps, end_learning_rate=0.0
        )
    if options.schedule == "cosine":
        return schedules.CosineDecay(options.learning_rate, total_steps)
    return options.learning_rate


def add_weight_decay(model, rate):
    """Adds half the squared L2 norm of every kernel that learns to the loss.

    Half, so that the gradient is `rate` times the kernel.

    Args:
        model: Keras model, built.
        rate: float.
    """
    for variable in model.trainable_variables:
        if variable.name == "kernel":
            variable.regularizer = keras.regularizers.L2(rate / 2)
