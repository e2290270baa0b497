"""Labelled photographs by the name of a data set."""

from dataclasses import dataclass

from delf_keras.datasets.folders import read_folder
from delf_keras.datasets.labelled_images import LabelledImages
from delf_keras.datasets.tables import read_relabeling, read_table
from delf_keras.datasets.tfds_sets import read_tfds
from delf_keras.datasets.tfrecords import find_shards, read_tfrecords


@dataclass(frozen=True, eq=False)
class DatasetSplits:
    """The photographs of a data set.

    Attributes:
        train: `LabelledImages` to train on.
        validation: `LabelledImages` of the same classes, or None where the
            data set has no such part.
    """

    train: LabelledImages
    validation: LabelledImages | None = None


# Which options of `load_dataset` are for which kind of data set.
_OPTIONS = {
    "folder": (),
    "csv": ("validation", "image_root", "relabeling"),
    "tfrecord": ("validation", "relabeling", "num_classes"),
    "tfds": ("data_dir",),
}


def load_dataset(
    spec,
    *,
    validation=None,
    image_root=None,
    relabeling=None,
    num_classes=None,
    data_dir=None,
    progress=lambda iterable, total, label: iterable,
):
    """Lists the photographs of a data set.

    Args:
        spec: str, one of

            - `folder:PATH`, see `read_folder`;
            - `csv:PATH`, see `read_table`;
            - `tfrecord:PATTERN`, see `read_tfrecords`;
            - `tfds:NAME`, see `read_tfds`.
        validation: str. A second PATH of `csv` or PATTERN of `tfrecord`, of
            the photographs for validation.
        image_root: str or `Path`, for `csv`. See `read_table`.
        relabeling: str or `Path`, for `csv` and `tfrecord`. See
            `read_relabeling`. Shards have the new labels already, to which it
            gives the old ones as names.
        num_classes: int, for `tfrecord`. Defaults to the largest label + 1.
        data_dir: str or `Path`, for `tfds`. See `read_tfds`.
        progress: Wraps an iterable, its length and a label, for a progress
            bar.

    Returns:
        `DatasetSplits`.

    Raises:
        FileNotFoundError: if the data set is not there.
        ValueError: if the data set is none of these or not as it should be,
            or an option is given that is for others.
    """
    kind, _, place = spec.partition(":")
    if kind not in _OPTIONS or not place:
        raise ValueError(
            "A data set must be folder:PATH, csv:PATH, tfrecord:PATTERN or "
            f"tfds:NAME. Received: dataset={spec}"
        )
    options = {
        "validation": validation,
        "image_root": image_root,
        "relabeling": relabeling,
        "num_classes": num_classes,
        "data_dir": data_dir,
    }
    given = {name: each for name, each in options.items() if each is not None}
    _check_options(kind, given)
    if kind == "folder":
        return DatasetSplits(*read_folder(place))
    if kind == "tfds":
        return DatasetSplits(*read_tfds(place, progress=progress, **given))
    validation = given.pop("validation", None)
    if kind == "csv":
        return _load_tables(place, validation, given)
    return _load_shards(place, validation, given, progress)


def _check_options(kind, given):
    """Refuses options that the kind of data set does not have."""
    for name in given:
        kinds = [each for each in _OPTIONS if name in _OPTIONS[each]]
        if kind not in kinds:
            raise ValueError(
                f"{name} is an option of {' and '.join(kinds)} alone. "
                f"Received: {name}={given[name]} with a data set of {kind}"
            )


def _load_tables(path, validation, options):
    train = read_table(path, **options)
    if validation is None:
        return DatasetSplits(train)
    held_out = read_table(validation, class_names=train.class_names, **options)
    return DatasetSplits(train, held_out)


def _load_shards(pattern, validation, options, progress):
    class_names = _class_names(**options)
    train = read_tfrecords(
        find_shards(pattern), class_names=class_names, progress=progress
    )
    if validation is None:
        return DatasetSplits(train)
    held_out = read_tfrecords(
        find_shards(validation),
        class_names=train.class_names,
        progress=progress,
    )
    return DatasetSplits(train, held_out)


def _class_names(relabeling=None, num_classes=None):
    """Returns the names of the classes of shards, None if none are given."""
    if relabeling is None:
        return None if num_classes is None else [*map(str, range(num_classes))]
    if num_classes is not None:
        raise ValueError(
            "The classes of shards are given by relabeling or by num_classes. "
            f"Received: relabeling={relabeling}, num_classes={num_classes}"
        )
    return read_relabeling(relabeling)
