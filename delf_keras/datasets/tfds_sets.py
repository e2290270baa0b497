"""Classification sets of TensorFlow Datasets (TFDS)."""

import importlib

from delf_keras.datasets.tfrecords import RecordKeys, read_tfrecords

_TRAIN = "train"
# What serves for validation, the first that a set has.
_VALIDATION = ("validation", "test")


def read_tfds(
    name,
    *,
    data_dir=None,
    progress=lambda iterable, total, label: iterable,
):
    """Lists the photographs of a set that TFDS has prepared.

    Args:
        name: str, as NAME, NAME/CONFIG or NAME/CONFIG:VERSION.
        data_dir: str or `Path`. Where TFDS keeps its sets. Defaults to where
            TFDS itself looks.
        progress: See `read_tfrecords`.

    Returns:
        (train, validation), each `LabelledImages`; validation is the split of
        that name, else `test`, else None.

    Raises:
        ImportError: if TFDS is not installed.
        FileNotFoundError: if the set is not prepared.
        ValueError: if it has no `train` split, has not one photograph and one
            class for each example, or is not kept in TFRecords.
    """
    info = _prepared(name, data_dir).info
    if info.file_format.value != "tfrecord":
        raise ValueError(
            "A TFDS set must be prepared with the file format tfrecord. "
            f"Received: {name} with {info.file_format.value}"
        )
    filled = [split for split in info.splits if info.splits[split].num_examples]
    if _TRAIN not in filled:
        raise ValueError(
            f"A TFDS set must have examples in its split {_TRAIN}. Received: "
            f"{name} with {', '.join(filled) or 'no example'}"
        )
    keys = _keys(info, name)
    class_names = info.features[keys.label].names
    held_out = [split for split in _VALIDATION if split in filled]
    parts = [
        _read_split(info.splits[split], keys, class_names, progress)
        for split in (_TRAIN, *held_out[:1])
    ]
    return parts[0], parts[1] if held_out else None


def _import_tfds():
    """Returns the module of TFDS, which then knows our own sets too."""
    # Says what to install where TFDS is not.
    importlib.import_module("delf_keras.datasets.builders")
    return importlib.import_module("tensorflow_datasets")


def _prepared(name, data_dir):
    """Returns the builder of a set whose files are there."""
    folder = None if data_dir is None else str(data_dir)
    try:
        builder = _import_tfds().builder(name, data_dir=folder)
        reason = "its files are not there"
        prepared = builder.is_prepared()
    # What TFDS raises where it lacks a version.
    except (ValueError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        prepared = False
    if not prepared:
        raise FileNotFoundError(
            "A TFDS set must be prepared, by delf-keras dataset "
            f"--name={name}. Received: {name}, data_dir={data_dir} ({reason})"
        )
    return builder


def _keys(info, name):
    """Returns the `RecordKeys` of a set's photograph and class."""
    kinds = _import_tfds().features
    image = label = None
    if isinstance(info.features, kinds.FeaturesDict):
        image = _key_of(info, kinds.Image)
        label = _key_of(info, kinds.ClassLabel)
    if image is None or label is None:
        raise ValueError(
            "Each example of a TFDS set must have one Image and one "
            f"ClassLabel. Received: {name} with {info.features}"
        )
    # TFDS keeps the bits of such images in the four channels of a PNG.
    if info.features[image].np_dtype == "float32":
        raise ValueError(
            "The photographs of a TFDS set must be of integers. Received: "
            f"{name} with {image} of float32"
        )
    return RecordKeys(image, label)


def _key_of(info, kind):
    """Returns the name of a set's one feature of a kind, None if unclear."""
    names = [
        name
        for name, feature in info.features.items()
        if isinstance(feature, kind)
    ]
    if len(names) > 1:
        names = [name for name in names if name in (info.supervised_keys or ())]
    return names[0] if len(names) == 1 else None


def _read_split(split, keys, class_names, progress):
    images = read_tfrecords(
        split.filepaths, keys=keys, class_names=class_names, progress=progress
    )
    if len(images) != split.num_examples:
        raise ValueError(
            f"The shards of a TFDS set must be whole. Received: {len(images)} "
            f"of {split.num_examples} examples of {split.filepaths[0].parent}"
        )
    return images
