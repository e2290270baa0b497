"""Brings an index to one segment, without the photographs removed.

    delf-keras index-compact --index=my_index

Searches of an index of many segments, or with many photographs removed, are
faster afterwards. --output writes another folder and leaves the index as it
is.
"""

from absl import flags as absl_flags


def define_flags(flags):
    """Defines the flags of this verb."""
    texts = {
        "index": "Index folder to compact.",
        "output": "Index folder to write, in place of changing the other.",
    }
    for name, text in texts.items():
        absl_flags.DEFINE_string(name, None, text, flag_values=flags)
    absl_flags.mark_flag_as_required("index", flag_values=flags)


def run(flags, args):
    """Compacts the index."""
    from delf_keras.retrieval import compact_index

    if args:
        raise ValueError(f"index-compact takes no arguments. Received: {args}")
    report = compact_index(flags.index, flags.output)
    folder = flags.output or flags.index
    print(f"{folder}: compacted; version {report.version}.")
    return 0
