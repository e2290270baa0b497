"""Files of flags: `--flagfile=FILE`, as editors of any system write them."""

from pathlib import Path

from absl import flags as absl_flags


def with_flag_files(arguments, parents=()):
    """Puts the lines of flag files where they are named.

    Args:
        arguments: Iterable of str. Arguments of a command.
        parents: tuple of `Path`. Files that these arguments are from.

    Returns:
        list of str. Comments, blank lines, indentation and the byte order
        mark of files are left out.

    Raises:
        `absl.flags.Error`: If a file cannot be read, or names itself.
    """
    expanded, rest = [], iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if argument == "--":
            return [*expanded, argument, *rest]
        if name.lstrip("-") != "flagfile" or not name.startswith("-"):
            expanded.append(argument)
            continue
        path = Path(value if equals else next(rest, "")).expanduser()
        if path in parents:
            raise absl_flags.Error(
                f"A flag file names itself. Received: {path}"
            )
        expanded += with_flag_files(_lines(path), (*parents, path))
    return expanded


def _lines(path):
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise absl_flags.Error(
            f"A file of flags is expected ({error}). Received: {path}"
        ) from error
    lines = map(str.strip, text.split("\n"))
    return [
        line for line in lines if line and line[:1] != "#" and line[:2] != "//"
    ]
