"""Whose run the folder of an unfinished run is."""

import dataclasses
import json

from delf_keras.atomic import atomic_path
from delf_keras.cli.training_flags import option_values

_RUN_FILE = "run.json"
# Flags that a run may go on with others of: they are for its end alone.
_FOR_THE_END = (
    "output",
    "description",
    "licence",
    "tensorboard",
    "keep",
    "pca_dimension",
    "whiten",
    "features",
    "half",
)


def check_same_run(folder, flags):
    """Refuses a folder whose run has finished epochs with other flags.

    Args:
        folder: `Path`, which need not exist.
        flags: Parsed `absl.flags.FlagValues`.

    Raises:
        ValueError: if they are others.
    """
    from delf_keras.training.state import read_state

    if not read_state(folder).epochs:
        return
    before = json.loads((folder / _RUN_FILE).read_text())
    values = _values(flags)
    changed = sorted(
        name
        for name in values
        if name not in _FOR_THE_END and values[name] != before.get(name)
    )
    if changed:
        raise ValueError(
            f"{folder} is of a run with other flags: remove it to start anew. "
            f"Received: another {', '.join(changed)}"
        )


def claim(folder, flags):
    """Makes the folder of a run, and says in it whose it is."""
    with atomic_path(folder / _RUN_FILE) as temporary:
        temporary.write_text(json.dumps(_values(flags), indent=2))


def used_options(flags, options, views):
    """Returns every option of a run, whether it was given or not.

    Args:
        flags: Parsed `absl.flags.FlagValues`.
        options: `TrainingOptions`.
        views: `PipelineOptions`.

    Returns:
        dict, JSON.
    """
    of_views = dataclasses.asdict(views)
    augmentation = of_views.pop("augmentation")
    return _json(
        _values(flags) | dataclasses.asdict(options) | of_views | augmentation
    )


def _values(flags):
    """Returns the value of every flag, the stage's default if not given."""
    return _json(option_values(flags))


def _json(values):
    """Returns values as a file has them, which knows no tuples."""
    return json.loads(json.dumps(values))
