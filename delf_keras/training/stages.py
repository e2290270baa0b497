"""The stages of training: a `Delf` and the classifier it is trained in."""

import keras

from delf_keras.models.classifiers import (
    AttentionClassifier,
    DescriptorClassifier,
    JointClassifier,
)
from delf_keras.models.delf import Delf
from delf_keras.models.losses import CrossEntropy, output_itself
from delf_keras.training.optimizers import add_weight_decay, make_optimizer


def make_classifier(delf, options, num_classes):
    """Makes the classifier of a stage.

    Args:
        delf: `Delf`, built. Its backbone becomes part of the classifier; so
            do its attention and its autoencoder where the stage keeps them.
        options: `TrainingOptions`.
        num_classes: int.

    Returns:
        Keras model, built, not compiled. Its `delf` is the one that learns.
        After the descriptor stage it has "norm" attention, since an attention
        that was trained on other features fits no longer.
    """
    delf = _delf_for(delf, options)
    if options.stage == "descriptor":
        classifier = DescriptorClassifier(delf, num_classes)
    else:
        kind = {"attention": AttentionClassifier, "joint": JointClassifier}
        classifier = kind[options.stage](
            delf, num_classes, pooling=options.pooling
        )
    classifier.build((None, None, None, 3))
    return classifier


def _delf_for(delf, options):
    """Returns a `Delf` around the same backbone that has a stage's parts."""
    config = delf.get_config()
    wanted = {
        "attention": "norm" if options.stage == "descriptor" else "conv",
        "autoencoder": {
            "descriptor": None,
            "attention": config["autoencoder"],
            "joint": options.autoencoder or None,
        }[options.stage],
    }
    kept = [part for part in wanted if wanted[part] == config[part]]
    if len(kept) == len(wanted):
        return delf
    result = Delf(**config | wanted | {"backbone": delf.backbone})
    result.build((None, None, None, 3))
    for part in kept:
        if getattr(delf, part) is not None:
            getattr(result, part).set_weights(getattr(delf, part).get_weights())
    return result


def compile_classifier(classifier, options, total_steps, **arguments):
    """Compiles a classifier for `fit`.

    Args:
        classifier: Result of `make_classifier`.
        options: `TrainingOptions`.
        total_steps: int. Steps of the whole run.
        **arguments: Further arguments of `compile`.
    """
    if options.optimizer != "adamw" and options.weight_decay:
        add_weight_decay(classifier, options.weight_decay)
    logits = [n for n in classifier.loss_names if n != "reconstruction"]
    losses = dict.fromkeys(logits, CrossEntropy(options.label_smoothing))
    weights = dict.fromkeys(logits, 1.0)
    if options.stage == "joint":
        weights["attention"] = options.attention_weight
    if "reconstruction" in classifier.loss_names:
        losses["reconstruction"] = output_itself
        weights["reconstruction"] = options.reconstruction_weight
    classifier.compile(
        optimizer=make_optimizer(options, total_steps),
        loss=losses,
        loss_weights=weights,
        metrics={
            name: [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
            for name in logits
        },
        # XLA would compile anew for every size of image.
        jit_compile=False
        if keras.backend.backend() == "tensorflow"
        else "auto",
        **arguments,
    )


def metric_names(classifier):
    """Returns the names of what `fit` measures of a classifier in training.

    In validation they start with `val_`.
    """
    names = classifier.loss_names
    if len(names) == 1:
        return ["loss", "accuracy"]
    accuracies = [f"{n}_accuracy" for n in names if n != "reconstruction"]
    return ["loss", *(f"{name}_loss" for name in names), *accuracies]
