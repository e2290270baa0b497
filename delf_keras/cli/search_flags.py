"""Flags of every verb that searches: one for each of `SearchOptions`."""

import dataclasses

from absl import flags as absl_flags

from delf_keras.search_options import SearchOptions

_DEFINE = {
    int: absl_flags.DEFINE_integer,
    float: absl_flags.DEFINE_float,
    bool: absl_flags.DEFINE_bool,
}
# Of other options that have these names.
_RENAMED = {"seed": "ransac_seed"}


def define_search_flags(flags):
    """Defines the flags that `search_options` reads.

    Args:
        flags: `absl.flags.FlagValues`.
    """
    for each in dataclasses.fields(SearchOptions):
        name, text = _flag_of(each), each.metadata["help"]
        choices = each.metadata.get("choices")
        if choices:
            absl_flags.DEFINE_enum(
                name, each.default, choices, text, flag_values=flags
            )
        else:
            define = _DEFINE[type(each.default)]
            define(name, each.default, text, flag_values=flags)


def search_options(flags):
    """Returns the `SearchOptions` that the flags describe."""
    return SearchOptions(
        **{
            each.name: flags[_flag_of(each)].value
            for each in dataclasses.fields(SearchOptions)
        }
    )


def _flag_of(field):
    return _RENAMED.get(field.name, field.name)
