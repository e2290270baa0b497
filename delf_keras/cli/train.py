"""Trains a model on labelled photographs and writes a preset.

    delf-keras train --preset=delf_resnet50_imagenet --dataset=folder:PATH \\
        --stage=descriptor --output=my_descriptors
    delf-keras train --preset=my_descriptors --dataset=folder:PATH \\
        --stage=attention --output=my_preset

An interrupted run goes on where it was when the same command is given again;
until it ends, its checkpoints and its log.csv are in OUTPUT.partial. Flags can
be read from a file with --flagfile; those of the paper and those for small sets
of photographs are in the folder training/recipes of the package.
"""

import contextlib
import shutil
from pathlib import Path

from delf_keras.cli.progress import show_progress
from delf_keras.cli.training_flags import (
    define_training_flags,
    finishing_options,
    pipeline_options,
    training_options,
    with_length,
)
from delf_keras.cli.training_run import check_same_run, claim, used_options

# Photographs of which TensorBoard shows the attention.
_SHOWN = 8


def define_flags(flags):
    """Defines the flags of this verb."""
    define_training_flags(flags)


def run(flags, args):
    """Trains and writes the preset."""
    if args:
        raise ValueError(f"train takes no arguments. Received: {args}")
    if Path(flags.output).exists():
        raise FileExistsError(
            f"The preset folder exists already. Received: {flags.output}"
        )
    if bool(flags.preset) == bool(flags.depth):
        raise ValueError(
            "Training starts from --preset, or from a new network of --depth. "
            f"Received: preset={flags.preset}, depth={flags.depth}"
        )
    work = Path(f"{flags.output.rstrip('/')}.partial")
    check_same_run(work, flags)
    options, views = training_options(flags), pipeline_options(flags)
    report = _checked_dataset(flags)
    print(report.table(), flush=True)
    options = with_length(
        options, flags.steps, len(report.train), views.batch_size
    )
    classifier, preset = _classifier(flags, options, report.train.num_classes)
    callbacks = _callbacks(flags, views, report.validation or report.train)
    _check_monitor(flags, classifier, report.validation)
    claim(work, flags)
    state = _train(flags, options, views, classifier, report, work, callbacks)
    record = used_options(flags, options, views)
    return _finish(flags, record, classifier, state, report, preset, work)


def _checked_dataset(flags):
    """Returns the `DatasetReport` of the photographs."""
    from delf_keras.datasets.loading import load_dataset
    from delf_keras.datasets.splitting import split_stratified
    from delf_keras.training.checks import check_dataset

    names = ("validation", "image_root", "relabeling", "num_classes")
    splits = load_dataset(
        flags.dataset,
        **{name: flags[name].value for name in (*names, "data_dir")},
        progress=show_progress,
    )
    train, validation = splits.train, splits.validation
    if validation is None and flags.validation_fraction:
        train, validation = split_stratified(
            train, flags.validation_fraction, flags.seed
        )
        validation = validation if len(validation) else None
    return check_dataset(train, validation, show_progress)


def _check_monitor(flags, classifier, validation):
    """Refuses a metric that no epoch will have."""
    from delf_keras.training.retrieval_quality import METRICS
    from delf_keras.training.stages import metric_names

    names = metric_names(classifier)
    if validation is not None:
        names += [f"val_{name}" for name in names]
    if flags.eval_set:
        names += METRICS
    if flags.monitor not in (None, *names):
        raise ValueError(
            f"The best epoch is chosen by one of {', '.join(names)}. "
            f"Received: monitor={flags.monitor}"
        )


def _classifier(flags, options, num_classes):
    """Returns the compiled classifier, and the `Preset` it starts from."""
    import keras

    from delf_keras.training.stages import compile_classifier, make_classifier

    keras.utils.set_random_seed(options.seed)
    with _strategy_scope(flags.strategy):
        delf, preset = _starting_delf(flags)
        classifier = make_classifier(delf, options, num_classes)
        if preset is not None and preset.folder is None:
            _load_block_4(classifier, flags.weights)
        compile_classifier(
            classifier, options, options.epochs * options.steps_per_epoch
        )
    return classifier, preset


def _load_block_4(classifier, weights):
    """Gives what follows the backbone in training its ImageNet weights."""
    from delf_keras.models.imagenet import load_imagenet_block

    head = getattr(classifier, "descriptor_head", None)
    if head is not None and not load_imagenet_block(
        head.block_4, classifier.delf.backbone, weights
    ):
        print(
            f"Block 4 starts from random weights: {weights} ends before it.",
            flush=True,
        )


def _strategy_scope(name):
    if name == "none":
        return contextlib.nullcontext()
    import tensorflow as tf

    return tf.distribute.MirroredStrategy().scope()


def _starting_delf(flags):
    """Returns the `Delf` to train and its `Preset`, None for a new network."""
    from delf_keras.features.extraction_options import PRECISIONS
    from delf_keras.models import Delf, ResNet
    from delf_keras.models.presets import find_preset, load_model

    dtype = PRECISIONS[flags.precision]
    if flags.preset:
        preset = find_preset(flags.preset)
        return load_model(preset, flags.weights, dtype), preset
    backbone = ResNet(
        depth=flags.depth,
        width=flags.width,
        stride_placement=flags.stride_placement,
        dtype=dtype,
    )
    delf = Delf(backbone, scaling="tf_models", dtype=dtype)
    delf.build((None, None, None, 3))
    return delf, None


def _train(flags, options, views, classifier, report, work, callbacks):
    """Runs `fit`, and returns the `TrainingState` at its end."""
    from delf_keras.cli.training_progress import TrainingProgress
    from delf_keras.training import pipeline
    from delf_keras.training.loop import TrainingData, train

    images, validation = report.train, report.validation

    def members(step):
        return pipeline.batch_members(
            len(images), views.batch_size, views.seed, step
        )

    data = TrainingData(
        batches=lambda first_step, num_steps: pipeline.training_batches(
            images, views, first_step, num_steps
        ),
        names=lambda step: [images.name(i) for i in members(step)],
        validation=validation
        and (lambda: pipeline.validation_batches(validation, views)),
    )
    with (
        contextlib.closing(TrainingProgress(views.batch_size)) as progress,
        pipeline.naming_unreadable(
            validation or images, lambda: range(len(validation or ()))
        ),
        pipeline.naming_unreadable(
            images, lambda: members(int(classifier.optimizer.iterations))
        ),
    ):
        return train(
            classifier,
            data,
            options.epochs,
            options.steps_per_epoch,
            work,
            monitor=flags.monitor or ("mAP_M" if flags.eval_set else None),
            # Last, to show what the others measured.
            callbacks=[*callbacks, progress],
        )


def _callbacks(flags, views, shown):
    from delf_keras.features.extraction_options import ExtractionOptions
    from delf_keras.training.pipeline import validation_batches
    from delf_keras.training.retrieval_quality import RetrievalQuality
    from delf_keras.training.tensorboard import tensorboard_callbacks

    callbacks = []
    if flags.eval_set:
        extraction = ExtractionOptions(max_image_size=flags.max_image_size)
        callbacks.append(RetrievalQuality(flags.eval_set, extraction))
    if flags.tensorboard:
        first = validation_batches(
            shown.select(range(min(_SHOWN, len(shown)))), views
        )
        pixels = next(iter(first.unbatch().batch(_SHOWN)))[0]
        callbacks += tensorboard_callbacks(flags.tensorboard, pixels)
    return callbacks


def _finish(flags, record, classifier, state, report, preset, work):
    """Writes the preset of the epoch that is kept."""
    from delf_keras.training.finishing import finish, trained_delf
    from delf_keras.training.record import training_source
    from delf_keras.training.state import LOG_FILE, load_epoch

    kept = state.best_epoch if flags.keep == "best" else state.epochs - 1
    load_epoch(work, classifier, kept)
    delf = trained_delf(classifier, flags.half)
    extractor = finish(
        delf,
        report.train,
        finishing_options(flags),
        training_source(record, preset, report, state, kept),
        show_progress,
    )
    extractor.save_to_preset(flags.output, _description(flags), flags.half)
    shutil.copy(work / LOG_FILE, flags.output)
    shutil.rmtree(work)
    metrics = state.history[kept]
    dimension = flags.pca_dimension
    pca = f"PCA to {dimension} dimensions" if dimension else "no PCA"
    print(
        f"{flags.output}: epoch {kept + 1} of {state.epochs}, "
        f"{state.monitor} {metrics[state.monitor]:.4g}; {pca}, "
        f"score threshold {extractor.options.score_threshold:.4g}."
    )
    return 0


def _description(flags):
    start = flags.preset or f"a new network of depth {flags.depth}"
    return flags.description or (
        f"{start}, trained on {flags.dataset} (stage {flags.stage})."
    )
