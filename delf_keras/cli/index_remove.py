"""Removes photographs from an index, by their names or paths.

    delf-keras index-remove --index=my_index old/photograph.jpg other.jpg

Names are relative to the folder that was indexed; paths are those that
`delf-keras search` prints. All of them are removed, or none if the index does
not have one.
"""

from absl import flags as absl_flags


def define_flags(flags):
    """Defines the flags of this verb."""
    texts = {
        "index": "Index folder to change.",
        "root": "Folder of the photographs of the index, if it has moved.",
    }
    for name, text in texts.items():
        absl_flags.DEFINE_string(name, None, text, flag_values=flags)
    absl_flags.mark_flag_as_required("index", flag_values=flags)


def run(flags, args):
    """Removes the photographs."""
    from delf_keras.retrieval import remove_photographs

    if not args:
        raise ValueError(
            "index-remove takes the names of photographs. Received: none"
        )
    report = remove_photographs(flags.index, args, root=flags.root)
    print(
        f"{flags.index}: {len(report.removed)} photographs removed; version "
        f"{report.version}."
    )
    return 0
