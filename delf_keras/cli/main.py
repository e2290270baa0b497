"""The command `delf-keras VERB --flags`."""

import importlib
import logging
import os
import sys
import traceback

from absl import flags as absl_flags

from delf_keras.cli.flag_files import with_flag_files
from delf_keras.cli.output import safe_streams
from delf_keras.documentation import documentation
from delf_keras.version import __version__

VERBS = (
    "extract",
    "match",
    "index",
    "beam-index",
    "index-add",
    "index-remove",
    "index-compact",
    "index-info",
    "milvus-fill",
    "search",
    "evaluate",
    "benchmark",
    "presets",
    "dataset",
    "train",
    "fit-pca",
    "import",
    "export",
    "serve",
    "demo",
)

_WITHOUT_TENSORFLOW = ("evaluate",)
# Verbs that find what an interrupted run has done.
_RESUMABLE = (
    "beam-index",
    "benchmark",
    "extract",
    "index",
    "index-add",
    "milvus-fill",
    "train",
)

_USAGE_EXIT_CODE = 2
_INTERRUPTED_EXIT_CODE = 130
# As of a program that SIGPIPE ends.
_BROKEN_PIPE_EXIT_CODE = 141


def main(argv=None):
    """Runs one verb.

    Args:
        argv: list of str. The arguments after the name of the command.
            Defaults to those of the process.

    Returns:
        int. 0 for success, 1 for bad input, 2 for a wrong command line, 130
        for an interruption, 141 if the listing was not read to its end.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    with safe_streams() as stdout:
        code = _run(arguments)
        stdout.flush()
        if isinstance(stdout.error, BrokenPipeError):
            return code or _BROKEN_PIPE_EXIT_CODE
        if stdout.error:
            print(
                f"delf-keras: the listing: {_in_one_line(stdout.error)}",
                file=sys.stderr,
            )
            return code or 1
    return code


def _run(arguments):
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if arguments[0] == "--version":
        print(f"delf-keras {__version__}")
        return 0
    verb, *rest = arguments
    if verb not in VERBS:
        print(
            f"delf-keras: the verbs are {', '.join(VERBS)}. Received: {verb}",
            file=sys.stderr,
        )
        return _USAGE_EXIT_CODE
    # Read by TensorFlow when it is first imported: errors only.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    return _run_verb(verb, rest)


def _run_verb(verb, arguments):
    module = _module(verb)
    flags = absl_flags.FlagValues()
    module.define_flags(flags)
    absl_flags.DEFINE_bool(
        "traceback",
        False,
        "Whether an error shows where in the program it came from.",
        flag_values=flags,
    )
    if set(arguments) & {"-h", "--help", "-help"}:
        print(f"{documentation(module)}\n\nFlags:\n{flags.get_help()}")
        return 0
    try:
        arguments = with_flag_files(arguments)
        positional = flags([f"delf-keras {verb}", *arguments])[1:]
        if verb not in _WITHOUT_TENSORFLOW:
            _import_tensorflow()
        return module.run(flags, positional)
    except (Exception, KeyboardInterrupt) as error:
        if flags["traceback"].value:
            traceback.print_exc()
        code, message = _told(verb, error)
        print(f"delf-keras {verb}: {message}", file=sys.stderr)
        return code


def _told(verb, error):
    """Returns the exit code for an error, and what the user is told of it."""
    message = _in_one_line(error)
    if isinstance(error, absl_flags.Error):
        problem = message.rstrip(".")
        return _USAGE_EXIT_CODE, f"{problem}. Flags: delf-keras {verb} --help"
    if isinstance(error, KeyboardInterrupt):
        hint = "; the same command goes on from where it was"
        return (
            _INTERRUPTED_EXIT_CODE,
            f"interrupted{hint if verb in _RESUMABLE else ''}.",
        )
    if message and isinstance(error, (ValueError, OSError, ImportError)):
        return 1, message
    message = f"{type(error).__name__}: {message or 'no message'}"
    return 1, f"{message} (--traceback shows where it came from)"


def _in_one_line(error):
    """Joins the lines that absl and Keras give some of their messages."""
    return " ".join(filter(None, map(str.strip, str(error).splitlines())))


def _import_tensorflow():
    """Imports TensorFlow without what its libraries write meanwhile.

    They announce oneDNN on stderr, whatever the log level, and miss a GPU
    when they first look for one.
    """
    if "tensorflow" in sys.modules:
        return
    stderr = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        tensorflow = importlib.import_module("tensorflow")
        tensorflow.config.list_physical_devices()
    except ModuleNotFoundError as error:
        raise ImportError(
            'TensorFlow is needed: pip install "delf-keras[tensorflow]", or '
            f"[cpu]. Received: {error}"
        ) from error
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _module(verb):
    return importlib.import_module(f"delf_keras.cli.{verb.replace('-', '_')}")


def _overview():
    lines = [
        "delf-keras VERB --flags: local features, matching and retrieval.",
        "",
    ]
    for verb in VERBS:
        summary = documentation(_module(verb)).split("\n", 1)[0]
        lines.append(f"  {verb:14} {summary}")
    lines += ["", "delf-keras VERB --help shows its flags and an example."]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
