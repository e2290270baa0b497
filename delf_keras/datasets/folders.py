"""Photographs in folders that are named by what they show."""

from pathlib import Path

from delf_keras.datasets.labelled_images import LabelledImages
from delf_keras.photograph_files import is_hidden, list_photographs

_TRAIN = "train"
_VALIDATION = ("val", "validation")


def read_folder(folder):
    """Lists the photographs of a folder with a subfolder for each class.

    Subfolders may also lie in `train` and `val` (or `validation`). A subfolder
    without photographs is no class; photographs in its own subfolders, at any
    depth, are of its class.

    Args:
        folder: str or `Path`.

    Returns:
        (train, validation), each `LabelledImages`; validation is None where
        the folder has no such part. Classes are sorted by name, photographs
        by class and name.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it has no class, or the validation part has one that
            the training part does not have.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            "A folder with a subfolder of photographs for each class is "
            f"expected. Received: folder={folder}, which is none"
        )
    train, validation = _parts(folder)
    classes = _photographs_of_classes(train)
    names = tuple(classes)
    if validation is None:
        return _labelled(classes, names), None
    held_out = _photographs_of_classes(validation)
    unknown = sorted({*held_out} - {*names})
    if unknown:
        raise ValueError(
            f"Each class of {validation} must have photographs in {train}. "
            f"Received: {', '.join(unknown)}, which has none"
        )
    return _labelled(classes, names), _labelled(held_out, names)


def _parts(folder):
    """Returns the folders of the training and the validation classes."""
    train = folder / _TRAIN
    validations = [
        folder / name for name in _VALIDATION if (folder / name).is_dir()
    ]
    if not train.is_dir() or not (validations or _subfolders(train)):
        return folder, None
    if len(validations) > 1:
        raise ValueError(
            f"A folder has one validation part. Received: folder={folder} with "
            f"{' and '.join(_VALIDATION)}"
        )
    return train, validations[0] if validations else None


def _subfolders(folder):
    return sorted(
        path
        for path in folder.iterdir()
        if not is_hidden(path.name) and path.is_dir()
    )


def _photographs_of_classes(folder):
    """Returns a dict of the name of a class to paths of its photographs."""
    paths = {
        path.name: [f"{path}/{name}" for name in list_photographs(path)]
        for path in _subfolders(folder)
    }
    classes = {name: each for name, each in paths.items() if each}
    if not classes:
        raise ValueError(
            "A folder with a subfolder of photographs for each class is "
            f"expected. Received: folder={folder}, with no photograph in "
            f"{len(paths)} subfolders"
        )
    return classes


def _labelled(classes, class_names):
    """Lists the photographs of a dict of class name to paths."""
    numbers = {name: number for number, name in enumerate(class_names)}
    paths = [path for each in classes.values() for path in each]
    labels = [numbers[name] for name, each in classes.items() for _ in each]
    return LabelledImages.from_files(paths, labels, class_names)
