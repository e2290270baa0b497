"""Builds a data set of TensorFlow Datasets, and describes it.

    delf-keras dataset --name=synthetic_landmarks/tiny --data_dir=datasets
    delf-keras dataset --name=landmarks_folder/castles --data_dir=datasets \\
        --manual_dir=photographs
    delf-keras dataset --list

The data set is downloaded or, where it says so, made from the files in
--manual_dir; what is built already is only described. The data sets of
TensorFlow Datasets itself are built as well. Downloads are kept in
DATA_DIR/downloads, so that the same command given again after an interruption
does not download them again.
"""

import contextlib
import inspect
import io
from pathlib import Path

from absl import flags as absl_flags

from delf_keras.cli.progress import show_progress
from delf_keras.documentation import documentation

# The one builder whose configs users name.
_OWN_FOLDER = "landmarks_folder"


def define_flags(flags):
    """Defines the flags of this verb."""
    strings = {
        "name": "Data set, as NAME or NAME/CONFIG.",
        "data_dir": "Folder of data sets; that of TensorFlow Datasets if not "
        "given.",
        "manual_dir": "Folder of files that are not to be downloaded.",
    }
    for name, text in strings.items():
        absl_flags.DEFINE_string(name, None, text, flag_values=flags)
    switches = {
        "describe": "Only describe; build nothing.",
        "list": "List the data sets of this project.",
    }
    for name, text in switches.items():
        absl_flags.DEFINE_bool(name, False, text, flag_values=flags)
    absl_flags.DEFINE_integer(
        "workers",
        None,
        "Processes that render, or threads that read; one for each core if "
        "not given.",
        lower_bound=1,
        flag_values=flags,
    )


def run(flags, args):
    """Builds and describes, or lists."""
    from delf_keras.datasets.builders import BUILDERS

    if args:
        raise ValueError(f"dataset takes no arguments. Received: {args}")
    if flags.list:
        for builder in BUILDERS:
            print(_list_line(builder))
        return 0
    if not flags.name:
        raise ValueError(
            "A data set is expected as --name; --list lists some. Received: "
            "none"
        )
    if flags.manual_dir and not Path(flags.manual_dir).is_dir():
        raise FileNotFoundError(
            f"There is no such folder. Received: manual_dir={flags.manual_dir}"
        )
    with _quiet_library():
        builder = _make_builder(flags)
        prepared = builder.is_prepared()
    if not prepared and not flags.describe:
        _build(builder, flags.manual_dir)
        prepared = True
    print("\n".join(_description(builder, prepared)))
    return 0


def _list_line(builder):
    configs = ",".join(config.name for config in builder.BUILDER_CONFIGS)
    name = f"{builder.name}/{{{configs}}}" if configs else builder.name
    summary, *_ = documentation(builder).split("\n")
    return f"{name}  {summary}"


@contextlib.contextmanager
def _quiet_library():
    """Keeps TFDS from writing what the command writes in its own way."""
    from absl import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(verbosity)


def _make_builder(flags):
    import tensorflow_datasets as tfds

    from delf_keras.datasets.builders import BUILDERS
    from delf_keras.parallel import usable_cores

    name, _, config = flags.name.partition("/")
    ours = {builder.name: builder for builder in BUILDERS}
    if name not in ours:
        if name.partition(":")[0] not in tfds.list_builders():
            raise ValueError(
                f"A data set is one of {', '.join(ours)}, or of TensorFlow "
                f"Datasets. Received: name={flags.name}"
            )
        return tfds.builder(flags.name, data_dir=flags.data_dir)
    options = {
        "data_dir": flags.data_dir,
        "workers": flags.workers or usable_cores(),
        "progress": show_progress,
    }
    configs = list(ours[name].builder_configs)
    if name == _OWN_FOLDER and config:
        config = tfds.core.BuilderConfig(name=config)
    elif config and config not in configs:
        raise ValueError(
            f"A config of {name} is one of {', '.join(configs) or 'none'}. "
            f"Received: name={flags.name}"
        )
    return ours[name](config=config or None, **options)


def _build(builder, manual_dir):
    import tensorflow as tf
    import tensorflow_datasets as tfds

    # Its bars would be mixed up with ours, and fill files with their steps.
    tfds.disable_progress_bar()
    options = tfds.download.DownloadConfig(manual_dir=manual_dir)
    try:
        with _quiet_library():
            builder.download_and_prepare(download_config=options)
    # What TFDS raises for files that are not as they should be.
    except (
        AssertionError,
        tfds.download.DownloadError,
        tf.errors.OpError,
    ) as error:
        raise ValueError(
            f"{builder.info.full_name} cannot be built: {error}"
        ) from error


def _description(builder, prepared):
    """Returns lines."""
    info = builder.info
    config = builder.builder_config
    rows = {
        "config": [f"{config.name}: {config.description}"] if config else [],
        "folder": [
            f"{builder.data_dir} "
            f"({info.dataset_size if prepared else 'not built'})"
        ],
        "splits": [
            f"{name}: {split.num_examples} examples"
            for name, split in info.splits.items()
        ],
        "classes": _classes(info.features),
        "features": [f"{key}: {each!r}" for key, each in info.features.items()],
        "homepage": _homepage(info),
        "licence": [info.redistribution_info.license],
        "citation": info.citation.split("\n"),
        "files": [] if prepared else [builder.MANUAL_DOWNLOAD_INSTRUCTIONS],
    }
    lines = [info.name, "", *inspect.cleandoc(info.description).split("\n"), ""]
    for heading, values in rows.items():
        for value in filter(None, values):
            lines.append(f"{heading:10}{value}")
            heading = ""
    return lines


def _classes(features):
    import tensorflow_datasets as tfds

    return [
        f"{key}: {each.num_classes}, {each.names[0]} to {each.names[-1]}"
        for key, each in features.items()
        if isinstance(each, tfds.features.ClassLabel) and each.num_classes
    ]


def _homepage(info):
    from delf_keras.datasets.builders import BUILDERS

    # TFDS gives a page of its catalogue to what has none, there or not.
    invented = info.homepage.endswith(f"/datasets/catalog/{info.name}")
    ours = info.name in [builder.name for builder in BUILDERS]
    return [] if ours and invented else [info.homepage]
