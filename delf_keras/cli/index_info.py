"""Tells what an index holds.

    delf-keras index-info --index=my_index --verify

--verify checks every file against its checksum, and ends with exit code 1 if
one is damaged. --json writes what is told to a file.
"""

import json

from absl import flags as absl_flags

from delf_keras.atomic import atomic_path


def define_flags(flags):
    """Defines the flags of this verb."""
    texts = {"index": "Index folder.", "json": "File to write to."}
    for name, text in texts.items():
        absl_flags.DEFINE_string(name, None, text, flag_values=flags)
    absl_flags.mark_flag_as_required("index", flag_values=flags)
    absl_flags.DEFINE_bool(
        "verify", False, "Whether to check all files.", flag_values=flags
    )


def run(flags, args):
    """Prints a line for each fact."""
    from delf_keras.retrieval import index_info, verify_index

    if args:
        raise ValueError(f"index-info takes no arguments. Received: {args}")
    problems = verify_index(flags.index) if flags.verify else {}
    for name, problem in problems.items():
        print(f"Damaged: {name}: {problem}")
    if problems:
        return 1
    info = index_info(flags.index)
    if flags.json:
        with atomic_path(flags.json) as temporary:
            temporary.write_text(json.dumps(info, indent=1))
    for name, value in info.items():
        print(f"{name:20} {value}")
    if flags.verify:
        print("All files are as they were written.")
    return 0
