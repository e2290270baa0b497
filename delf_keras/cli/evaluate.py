"""Computes mAP and mP@k of rankings, as the reference evaluators do.

Revisited Oxford and Paris, easy, medium and hard; the ranks are an integer
array of shape (database images, queries), one full ranking a column:

    delf-keras evaluate --gnd=gnd_roxford5k.pkl --ranks=ranks.npy

Oxford5k and Paris6k with their text files of ground truth; the rankings are a
folder of QUERY.txt, one image name a line, or a JSON object of query to list
of names:

    delf-keras evaluate --gnd=oxford5k_gt --ranks=rankings --name=oxford5k

Rankings must hold the whole database. --json=FILE also writes the figures, in
percent, to a file.
"""

import json
import math
import tokenize
from pathlib import Path

import numpy as np
from absl import flags as absl_flags

from delf_keras import evaluation
from delf_keras.atomic import atomic_path
from delf_keras.evaluation.oxford import read_names


def define_flags(flags):
    """Defines the flags of this verb.

    Args:
        flags: `absl.flags.FlagValues` to define them on.
    """
    texts = {
        "gnd": "Ground truth: gnd_*.pkl, or a folder of *_query.txt, "
        "*_good.txt, *_ok.txt and *_junk.txt.",
        "ranks": "Rankings: .npy for gnd_*.pkl, else a folder of text files "
        "or a .json file.",
        "name": "Name of the data set in the output; that of the ground "
        "truth if not given.",
        "json": "File to write the figures to, in percent.",
    }
    for name, text in texts.items():
        absl_flags.DEFINE_string(name, None, text, flag_values=flags)
    absl_flags.mark_flags_as_required(["gnd", "ranks"], flag_values=flags)


def run(flags, args):
    """Evaluates and prints the figures.

    Args:
        flags: Parsed `absl.flags.FlagValues` with those of `define_flags`.
        args: list of str. Positional arguments, of which there are none.

    Returns:
        int exit code.

    Raises:
        FileNotFoundError, ValueError: If a file is missing or malformed.
    """
    if args:
        raise ValueError(f"evaluate takes only flags. Received: {args[0]}")
    gnd, ranks = Path(flags.gnd), Path(flags.ranks)
    name = flags.name or gnd.resolve().stem.removeprefix("gnd_")
    evaluate = _evaluate_oxford if gnd.is_dir() else _evaluate_revisited
    lines, figures = evaluate(name, gnd, ranks)
    if flags.json:
        _write_json(flags.json, figures)
    print(lines)
    return 0


def _evaluate_revisited(name, gnd, ranks):
    ground_truth = evaluation.load_revisited(gnd)
    results = evaluation.evaluate_revisited(ground_truth, _load_array(ranks))
    figures = {
        protocol: _percent(result.mean_average_precision)
        for protocol, result in results.items()
    }
    figures["mP@k"] = {
        protocol: {
            str(k): _percent(value)
            for k, value in result.mean_precision.items()
        }
        for protocol, result in results.items()
    }
    return evaluation.format_revisited(name, results), figures


def _evaluate_oxford(name, gnd, ranks):
    result = evaluation.evaluate_oxford(
        evaluation.load_oxford(gnd), _load_names(ranks)
    )
    figures = {
        "mAP": _percent(result.mean_average_precision),
        "AP": {
            query: _percent(value)
            for query, value in result.average_precision.items()
        },
    }
    return evaluation.format_oxford(name, result), figures


def _load_array(path):
    try:
        with open(path, "rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    # numpy reads a header as Python, and believes the size that it states.
    except (
        IsADirectoryError,
        ValueError,
        SyntaxError,
        tokenize.TokenError,
        MemoryError,
    ) as error:
        raise ValueError(
            f"Expected a .npy file of ranks ({error}). Received: {path}"
        ) from error


def _load_names(path):
    if path.is_dir():
        return {
            file.stem: read_names(file) for file in sorted(path.glob("*.txt"))
        }
    try:
        rankings = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(
            f"Expected a folder or a JSON file of rankings ({error}). "
            f"Received: {path}"
        ) from error
    if not isinstance(rankings, dict) or not all(
        isinstance(names, list) and all(isinstance(n, str) for n in names)
        for names in rankings.values()
    ):
        raise ValueError(
            "Expected a JSON object of query to list of image names. "
            f"Received: {path}"
        )
    return rankings


def _percent(value):
    # JSON has no NaN, which is what a protocol without positives gives.
    return None if math.isnan(value) else 100 * value


def _write_json(path, figures):
    with atomic_path(path) as temporary:
        text = json.dumps(figures, indent=2, allow_nan=False) + "\n"
        temporary.write_text(text, encoding="utf-8")
