"""Lists the built-in presets.

    delf-keras presets

A preset is also any folder that `delf-keras fit-pca` or
`Delf.save_to_preset` wrote.
"""


def define_flags(flags):
    """Defines no flags."""


def run(flags, args):
    """Prints a line for each preset."""
    from delf_keras.models.presets import list_presets

    if args:
        raise ValueError(f"presets takes no arguments. Received: {args}")
    for name, description in list_presets().items():
        print(f"{name}  {description}")
    return 0
