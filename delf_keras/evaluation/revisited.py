"""Revisited Oxford and Paris: the easy, medium and hard protocols."""

from dataclasses import dataclass

import numpy as np

from delf_keras.evaluation.average_precision import (
    average_precision,
    mean_average_precision,
    mean_precision_at,
    remove_junk,
)
from delf_keras.evaluation.restricted_pickle import load_restricted

# Which labels are positive and which are junk; what has none is negative.
_PROTOCOLS = {
    "E": (("easy",), ("junk", "hard")),
    "M": (("easy", "hard"), ("junk",)),
    "H": (("hard",), ("junk", "easy")),
}


@dataclass(frozen=True, eq=False)
class RevisitedGroundTruth:
    """Which database images show what each query shows, and how clearly.

    Further distractors, as of Revisited Oxford with one million of them, are
    names added to the end of `image_names`.

    Attributes:
        image_names: N names of the database images.
        query_names: Q names of the query images, which are not among the
            database images.
        boxes: float64 `[Q, 4]`. The landmark in the query image: left, top,
            right, bottom in pixels. Queries must be cropped to it.
        easy: Q int64 arrays. Database images that show the landmark clearly.
        hard: Q int64 arrays. Database images that show it under severe
            changes of viewpoint, light or occlusion.
        junk: Q int64 arrays. Database images that count neither way.

    Reference:
        Radenovic et al., CVPR 2018, section 2.
    """

    image_names: tuple[str, ...]
    query_names: tuple[str, ...]
    boxes: np.ndarray
    easy: tuple[np.ndarray, ...]
    hard: tuple[np.ndarray, ...]
    junk: tuple[np.ndarray, ...]

    def __post_init__(self):
        queries = len(self.query_names)
        boxes = np.asarray(self.boxes, np.float64)
        if boxes.shape != (queries, 4):
            raise ValueError(
                f"boxes must have shape ({queries}, 4), four sides for each "
                f"query. Received: boxes.shape={boxes.shape}"
            )
        object.__setattr__(self, "boxes", boxes)
        for label in ("easy", "hard", "junk"):
            lists = getattr(self, label)
            if len(lists) != queries:
                raise ValueError(
                    f"{label} must have one list for each of {queries} "
                    f"queries. Received: len({label})={len(lists)}"
                )
            arrays = tuple(_indices(label, values) for values in lists)
            object.__setattr__(self, label, arrays)
        for query, labels in enumerate(
            zip(self.easy, self.hard, self.junk, strict=True)
        ):
            self._check_labels(query, np.concatenate(labels))

    def _check_labels(self, query, labelled):
        name = self.query_names[query]
        images = len(self.image_names)
        outside = labelled[(labelled < 0) | (labelled >= images)]
        if len(outside):
            raise ValueError(
                f"Labels must be indices of the {images} images, from 0. "
                f"Received: {outside[0]} for query {name}"
            )
        values, counts = np.unique(labelled, return_counts=True)
        if (counts > 1).any():
            twice = self.image_names[values[counts > 1][0]]
            raise ValueError(
                "An image must be labelled easy, hard or junk at most once. "
                f"Received: image {twice} more than once for query {name}"
            )


@dataclass(frozen=True, eq=False)
class ProtocolResult:
    """What one protocol gives for one set of rankings, in [0, 1].

    Attributes:
        mean_average_precision: Over the queries that have positives; NaN if
            none has.
        mean_precision: k to mean precision at k over the same queries.
        average_precision: float64 `[Q]`, NaN for queries without positives.
    """

    mean_average_precision: float
    mean_precision: dict[int, float]
    average_precision: np.ndarray


def load_revisited(path):
    """Reads a ground truth in the layout of gnd_roxford5k.pkl.

    The pickle holds a dict of `imlist`, `qimlist` and `gnd`, which has a dict
    of `bbx`, `easy`, `hard` and `junk` (0-based) for each query. It may come
    from anybody: nothing of it is run.

    Args:
        path: str or `Path` of the pickle.

    Returns:
        `RevisitedGroundTruth`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not such a ground truth.
    """
    content = load_restricted(path)
    image_names, query_names, queries = _entries(
        content, ("imlist", "qimlist", "gnd"), path
    )
    if not isinstance(queries, list | tuple) or not queries:
        raise ValueError(
            "gnd must be a list with an entry for each query, at least one. "
            f"Received: {type(queries).__name__}, path={path}"
        )
    labels = ("bbx", "easy", "hard", "junk")
    rows = [_entries(query, labels, path) for query in queries]
    boxes, easy, hard, junk = zip(*rows, strict=True)
    try:
        return RevisitedGroundTruth(
            image_names=_names(image_names),
            query_names=_names(query_names),
            boxes=np.array([np.ravel(box) for box in boxes], np.float64),
            easy=easy,
            hard=hard,
            junk=junk,
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"{error}, path={path}") from error


def evaluate_revisited(ground_truth, ranks, ks=(1, 5, 10)):
    """Evaluates rankings by the easy, medium and hard protocols.

    Junk leaves the ranking before anything is counted, and queries without
    positives leave the means.

    Args:
        ground_truth: `RevisitedGroundTruth` of N images and Q queries.
        ranks: int `[N, Q]`. A column holds the 0-based indices of all
            database images, best first. A short list must be completed with
            the images it leaves out.
        ks: Sequence of ints for the precision at k.

    Returns:
        dict of "E", "M" and "H" to `ProtocolResult`.

    Raises:
        ValueError: If a column is not a permutation of the database.

    Reference:
        Radenovic et al., CVPR 2018, section 3.
    """
    ranks = np.asarray(ranks)
    _check_ranks(ground_truth, ranks)
    # Inverse permutations: positions[image, query].
    positions = np.empty(ranks.shape, np.int64)
    np.put_along_axis(positions, ranks, np.arange(len(ranks))[:, None], axis=0)
    results = {}
    for protocol, (positive_labels, junk_labels) in _PROTOCOLS.items():
        of_positives = [
            remove_junk(
                positions[
                    _labelled(ground_truth, positive_labels, query), query
                ],
                positions[_labelled(ground_truth, junk_labels, query), query],
            )
            for query in range(ranks.shape[1])
        ]
        precisions = mean_precision_at(of_positives, ks).tolist()
        results[protocol] = ProtocolResult(
            mean_average_precision=mean_average_precision(of_positives),
            mean_precision=dict(zip(ks, precisions, strict=True)),
            average_precision=np.array(
                [average_precision(each) for each in of_positives], np.float64
            ),
        )
    return results


def format_revisited(name, results):
    """Returns the two lines that the reference evaluator prints.

    Args:
        name: Name of the data set, such as "roxford5k".
        results: Result of `evaluate_revisited`.

    Returns:
        str of two lines, in percent: mAP, then mP@k.
    """
    means = ", ".join(
        f"{protocol}: {100 * result.mean_average_precision:.2f}"
        for protocol, result in results.items()
    )
    precisions = ", ".join(
        f"{protocol}: [{_spaced(result.mean_precision.values())}]"
        for protocol, result in results.items()
    )
    ks = " ".join(str(k) for k in results["E"].mean_precision)
    return f">> {name}: mAP {means}\n>> {name}: mP@k[{ks}] {precisions}"


def _spaced(values):
    return " ".join(f"{100 * value:.2f}" for value in values)


def _labelled(ground_truth, labels, query):
    arrays = [getattr(ground_truth, label)[query] for label in labels]
    return np.concatenate(arrays)


def _check_ranks(ground_truth, ranks):
    shape = (len(ground_truth.image_names), len(ground_truth.query_names))
    if ranks.shape != shape:
        raise ValueError(
            f"ranks must have shape {shape}, a full ranking of the database "
            "images in a column for each query; complete short lists with the "
            f"images they leave out. Received: ranks.shape={ranks.shape}"
        )
    if ranks.dtype.kind not in "iu":
        raise ValueError(
            "ranks must be integer indices of database images. "
            f"Received: ranks.dtype={ranks.dtype}"
        )
    in_order = np.sort(ranks, axis=0) == np.arange(len(ranks))[:, None]
    bad = np.flatnonzero(~in_order.all(axis=0))
    if len(bad):
        raise ValueError(
            f"A column of ranks must hold each of 0 to {len(ranks) - 1} once. "
            f"Received: ranks[:, {bad[0]}] of query "
            f"{ground_truth.query_names[bad[0]]} does not"
        )


def _indices(label, values):
    values = np.ravel(values)
    if values.size and values.dtype.kind not in "iu":
        raise ValueError(
            f"{label} must hold integer indices of images. "
            f"Received: {label}.dtype={values.dtype}"
        )
    return values.astype(np.int64)


def _names(values):
    names = [
        value.decode() if isinstance(value, bytes) else value
        for value in values
    ]
    for name in names:
        if not isinstance(name, str):
            raise ValueError(
                "Names of images must be text. "
                f"Received: type {type(name).__name__}"
            )
    return tuple(names)


def _entries(mapping, keys, path):
    if not isinstance(mapping, dict) or not set(keys) <= set(mapping):
        found = list(mapping) if isinstance(mapping, dict) else type(mapping)
        raise ValueError(
            f"Expected a dict with the keys {', '.join(keys)}, as in "
            f"gnd_roxford5k.pkl. Received: {found}, path={path}"
        )
    return [mapping[key] for key in keys]
