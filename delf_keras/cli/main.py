"""The command `delf-keras VERB --flags`."""

import importlib
import logging
import os
import sys

from absl import flags as absl_flags

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


def main(argv=None):
    """Runs one verb.

    Args:
        argv: list of str. The arguments after the name of the command.
            Defaults to those of the process.

    Returns:
        int. 0 for success, 1 for bad input, 2 for a wrong command line, 130
        for an interruption.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
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
    if set(arguments) & {"-h", "--help", "-help"}:
        print(f"{module.__doc__}\nFlags:\n{flags.get_help()}")
        return 0
    try:
        positional = flags([f"delf-keras {verb}", *arguments])[1:]
        if verb not in _WITHOUT_TENSORFLOW:
            _import_tensorflow()
        return module.run(flags, positional)
    except absl_flags.Error as error:
        problem = _in_one_line(error).rstrip(".")
        print(
            f"delf-keras {verb}: {problem}. Flags: delf-keras {verb} --help",
            file=sys.stderr,
        )
        return _USAGE_EXIT_CODE
    except (ValueError, OSError, ImportError) as error:
        print(f"delf-keras {verb}: {_in_one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        hint = "; the same command goes on from where it was"
        print(
            f"delf-keras {verb}: interrupted"
            f"{hint if verb in _RESUMABLE else ''}.",
            file=sys.stderr,
        )
        return _INTERRUPTED_EXIT_CODE


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
        summary = _module(verb).__doc__.split("\n", 1)[0]
        lines.append(f"  {verb:14} {summary}")
    lines += ["", "delf-keras VERB --help shows its flags and an example."]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
