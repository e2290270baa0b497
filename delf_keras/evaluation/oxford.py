"""Oxford5k and Paris6k with their original text files of ground truth."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from delf_keras.evaluation.average_precision import (
    average_precision,
    mean_average_precision,
    mean_precision_at,
    remove_junk,
)

# Oxford5k prefixes the images of queries, and only there.
_QUERY_PREFIX = "oxc1_"


@dataclass(frozen=True)
class OxfordQuery:
    """One query and the images that show its landmark.

    Attributes:
        image_name: Name of the query image, which is in the database and
            among its own positives.
        box: The landmark in it: left, top, right, bottom in pixels.
        positives: Names of the images labelled good or ok.
        junk: Names of the images that count neither way.
    """

    image_name: str
    box: tuple[float, float, float, float]
    positives: frozenset[str]
    junk: frozenset[str]

    def __post_init__(self):
        both = sorted(self.positives & self.junk)
        if both:
            raise ValueError(
                "An image must not be both positive and junk. "
                f"Received: {both[0]} for query image {self.image_name}"
            )


@dataclass(frozen=True)
class OxfordResult:
    """Precisions, in [0, 1].

    Attributes:
        mean_average_precision: Over the queries that have positives.
        average_precision: Query to its average precision, NaN for a query
            without positives.
        mean_precision: k to mean precision at k over the queries that have
            positives.
    """

    mean_average_precision: float
    average_precision: dict[str, float]
    mean_precision: dict[int, float] = field(default_factory=dict)


def load_oxford(folder):
    """Reads the ground truth of Oxford5k or Paris6k.

    For each query there are `NAME_query.txt` (image name and box),
    `NAME_good.txt`, `NAME_ok.txt` and `NAME_junk.txt` (one image name a
    line). A name that a file lists twice is one image, as in the reference
    evaluator.

    Args:
        folder: str or `Path` of the folder of text files.

    Returns:
        dict of query, such as "all_souls_1", to `OxfordQuery`, sorted.

    Raises:
        FileNotFoundError: If the folder has no queries, or a query lacks one
            of its files.
        ValueError: If the file of a query is malformed.

    Reference:
        Philbin et al., CVPR 2007, section 2.
    """
    suffix = "_query.txt"
    paths = sorted(Path(folder).glob(f"*{suffix}"))
    if not paths:
        raise FileNotFoundError(
            f"Expected files *{suffix} in the folder of ground truth. "
            f"Received: folder={folder}"
        )
    queries = [path.name.removesuffix(suffix) for path in paths]
    return {query: _load_query(Path(folder), query) for query in queries}


def evaluate_oxford(ground_truth, ranked_names, ks=(1, 5, 10)):
    """Evaluates one ranking for each query.

    Args:
        ground_truth: dict of query to `OxfordQuery`, see `load_oxford`.
        ranked_names: dict of query to the names of all database images, best
            first. A short list must be completed with the images it leaves
            out, or the positives among them would not count as missed.
        ks: Sequence of ints for the precision at k, see `precision_at`.

    Returns:
        `OxfordResult`.

    Raises:
        ValueError: If rankings and queries differ, or a ranking lists an
            image twice or misses a positive.
    """
    _check_queries(ground_truth, ranked_names)
    positions = [
        _positions_of_positives(query, truth, ranked_names[query])
        for query, truth in ground_truth.items()
    ]
    precisions = [average_precision(each) for each in positions]
    at_ks = mean_precision_at(positions, ks).tolist()
    return OxfordResult(
        mean_average_precision=mean_average_precision(positions),
        average_precision=dict(zip(ground_truth, precisions, strict=True)),
        mean_precision=dict(zip(ks, at_ks, strict=True)),
    )


def format_oxford(name, result):
    """Returns the line that evaluators of Oxford5k print, in percent.

    Args:
        name: Name of the data set, such as "oxford5k".
        result: `OxfordResult`.

    Returns:
        str of one line.
    """
    return f">> {name}: mAP {100 * result.mean_average_precision:.2f}"


def _load_query(folder, query):
    path = folder / f"{query}_query.txt"
    fields = _read_text(path).rsplit(maxsplit=4)
    try:
        image_name, *box = fields
        left, top, right, bottom = map(float, box)
    except ValueError as error:
        raise ValueError(
            "Expected an image name and the four sides of a box. "
            f"Received: {' '.join(fields)!r}, path={path}"
        ) from error
    good, ok, junk = (
        frozenset(read_names(folder / f"{query}_{label}.txt"))
        for label in ("good", "ok", "junk")
    )
    return OxfordQuery(
        image_name=image_name.removeprefix(_QUERY_PREFIX),
        box=(left, top, right, bottom),
        positives=good | ok,
        junk=junk,
    )


def read_names(path):
    """Reads names of images, of which a file has one a line.

    Args:
        path: `Path` of a text file. Names may have spaces.

    Returns:
        list of str.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not in UTF-8.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected a file of image names. Received: path={path}"
        )
    # Not `str.splitlines`, which splits at more than ends of lines.
    lines = map(str.strip, _read_text(path).split("\n"))
    return [*filter(None, lines)]


def _read_text(path):
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Names of images are expected in UTF-8 ({error}). "
            f"Received: path={path}"
        ) from error


def _check_queries(ground_truth, ranked_names):
    unknown = sorted(set(ranked_names) - set(ground_truth))
    if unknown:
        raise ValueError(
            "Rankings must be of queries of the ground truth, such as "
            f"{next(iter(ground_truth), None)}. "
            f"Received: query={unknown[0]}"
        )
    missing = sorted(set(ground_truth) - set(ranked_names))
    if missing:
        raise ValueError(
            f"Each of {len(ground_truth)} queries needs a ranking. "
            f"Received: {len(ranked_names)} rankings, none for {missing[0]}"
        )


def _positions_of_positives(query, truth, names):
    positions = {name: position for position, name in enumerate(names)}
    if len(positions) != len(names):
        raise ValueError(
            "A ranking must list an image once. Received: "
            f"{len(names) - len(positions)} repetitions for query {query}"
        )
    missed = sorted(truth.positives - positions.keys())
    if missed:
        raise ValueError(
            f"The ranking of query {query} misses {len(missed)} of "
            f"{len(truth.positives)} positives. Complete a short list with "
            "the database images it leaves out, named as in the ground truth. "
            f"Received: {len(names)} images without {missed[0]}"
        )
    junk = [positions[name] for name in truth.junk & positions.keys()]
    positives = [positions[name] for name in truth.positives]
    return remove_junk(np.array(positives, int), np.array(junk, int))
