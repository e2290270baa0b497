"""Removes photographs from an index, by their names or paths.

    delf-keras index-remove --index=my_index old/photograph.jpg other.jpg

Names are relative to the folder that was indexed; paths are those that
`delf-keras search` prints. All of them are removed, or none if
the index does not have one.
"""

from absl import flags as absl_flags


def define_flags(flags):
    """Defines the flags of this verb."""
    absl_flags.DEFINE_string(
        "index", None, "Index folder to change.", flag_values=flags
    )
    absl_flags.mark_flag_as_required("index", flag_values=flags)


def run(flags, args):
    """Removes the photographs."""
    from delf_keras.retrieval import remove_photographs

    if not args:
        raise ValueError(
            "index-remove takes the names of photographs. Received: none"
        )
    report = remove_photographs(flags.index, args)
    print(
        f"{flags.index}: {len(report.removed)} photographs removed; version "
        f"{report.version}."
    )
    return 0
