"""Precision and recall over all queries at once, and micro-AP.

A mean over queries, as mAP is one, asks only in which order the images of a
query come. Here one threshold of the score counts for all queries, so that a
query of which the database shows nothing should score low throughout.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """What is retrieved at each threshold of the score, over all queries.

    Attributes:
        thresholds: float64 `[T]`, falling. Each score that occurs; images of
            at least this score are retrieved.
        num_retrieved: int64 `[T]`. Images retrieved, those of all queries
            together.
        num_true_positives: int64 `[T]`. How many of them are relevant to
            their query. The DELF paper calls this the recall.
        num_relevant: int. Relevant pairs of query and image, retrieved or
            not.

    Reference:
        Noh et al., arXiv 1612.06321, section 5.
    """

    thresholds: np.ndarray
    num_retrieved: np.ndarray
    num_true_positives: np.ndarray
    num_relevant: int

    @property
    def precision(self):
        """Share of what is retrieved that is relevant, as float64 `[T]`."""
        return self.num_true_positives / self.num_retrieved

    @property
    def recall(self):
        """Share of what is relevant that is retrieved, as float64 `[T]`.

        It is NaN if nothing is relevant.
        """
        if not self.num_relevant:
            return np.full(len(self.thresholds), np.nan)
        return self.num_true_positives / self.num_relevant

    @property
    def average_precision(self):
        """The micro-AP, the mean precision over all relevant pairs.

        A pair has the precision at the threshold that retrieves it, and 0 if
        none does. The mean is NaN if nothing is relevant.
        """
        if not self.num_relevant:
            return float("nan")
        found = np.diff(self.num_true_positives, prepend=0)
        return float(found @ self.precision / self.num_relevant)


def precision_recall_over_queries(scores, relevant, num_relevant, junk=None):
    """Computes precision and recall over all queries at once.

    Equal scores are one threshold, so nothing depends on the order of images
    or of queries. A query without relevant images, a distractor, adds nothing
    but what it retrieves wrongly.

    Args:
        scores: Sequence of Q float arrays. The scores of the images that each
            query returned, in any order; higher is better.
        relevant: Sequence of Q bool arrays of the same lengths. Which of
            these images are relevant to the query.
        num_relevant: int. Relevant pairs of query and image in the whole set,
            also those that were not returned.
        junk: Sequence of Q bool arrays of the same lengths. Which of these
            images count neither way; none by default.

    Returns:
        `PrecisionRecall`, whose arrays are empty if no query returned images.

    Raises:
        ValueError: If the lengths differ, the flags are not bool, a score is
            NaN, an image is both relevant and junk, or more images are
            relevant than `num_relevant`.

    Reference:
        Noh et al., arXiv 1612.06321, section 5; Perronnin et al., "A family
        of contextual measures of similarity between distributions with
        application to image retrieval", CVPR 2009.
    """
    scores = [np.asarray(of_query, np.float64) for of_query in scores]
    relevant = _flags("relevant", relevant, scores)
    junk = (
        np.zeros_like(relevant)
        if junk is None
        else _flags("junk", junk, scores)
    )
    scores = np.concatenate([*scores, []])
    if np.isnan(scores).any():
        raise ValueError(
            "scores must be numbers. Received: "
            f"{np.isnan(scores).sum()} of {len(scores)} are NaN"
        )
    if (relevant & junk).any():
        raise ValueError(
            "An image must not be both relevant and junk. Received: "
            f"{(relevant & junk).sum()} that are"
        )
    _check_count("num_relevant", num_relevant, relevant)
    return _curve(scores[~junk], relevant[~junk], num_relevant)


def best_per_landmark(scores, landmarks):
    """Finds the image with the highest score of each landmark, for one query.

    The DELF paper counts only these: a query is answered when its landmark is
    named, and further photographs of it answer nothing more.

    Args:
        scores: float `[N]`. Scores of the images that one query returned.
        landmarks: int or str `[N]`. The landmark that each image shows.

    Returns:
        int64 `[L]`. An index into `scores` for each landmark, highest score
        first; of equal scores the first.

    Raises:
        ValueError: If the two differ in length.

    Reference:
        Noh et al., arXiv 1612.06321, section 5.
    """
    scores, landmarks = np.asarray(scores), np.asarray(landmarks)
    if scores.ndim != 1 or scores.shape != landmarks.shape:
        raise ValueError(
            "scores and landmarks must be two vectors of one length. Received: "
            f"scores.shape={scores.shape}, landmarks.shape={landmarks.shape}"
        )
    order = np.argsort(-scores, kind="stable")
    _, firsts = np.unique(landmarks[order], return_index=True)
    return order[np.sort(firsts)]


def global_average_precision(confidences, correct, num_queries_with_landmark):
    """Returns the GAP of landmark recognition, also known as micro-AP.

    Each query has at most one prediction. With all predictions by falling
    confidence it is `sum(P(i) * rel(i)) / M`: P(i) is the share of correct
    ones among the first i, rel(i) is 1 if the i-th is correct and else 0, and
    M is the number of queries that show a landmark. Predictions of equal
    confidence are taken together: each has the precision after the last.

    Args:
        confidences: float `[Q]`. NaN where a query has no prediction.
        correct: bool `[Q]`. Whether the predicted landmark is the right one,
            which it never is for a query that shows none. It is not looked at
            where there is no prediction.
        num_queries_with_landmark: int. M.

    Returns:
        float in [0, 1], NaN if M is 0.

    Raises:
        ValueError: If the lengths differ, `correct` is not bool, or more
            predictions are correct than M.

    Reference:
        Google Landmark Recognition Challenge, after Perronnin et al., "A
        family of contextual measures of similarity between distributions
        with application to image retrieval", CVPR 2009.
    """
    confidences = np.asarray(confidences, np.float64)
    correct = _flags("correct", [correct], [confidences])
    predicted = ~np.isnan(confidences)
    correct = correct[predicted]
    name = "num_queries_with_landmark"
    _check_count(name, num_queries_with_landmark, correct)
    curve = _curve(confidences[predicted], correct, num_queries_with_landmark)
    return curve.average_precision


def _curve(scores, relevant, num_relevant):
    order = np.argsort(-scores)
    scores = scores[order]
    # The last image of each score, where a threshold has all of its images.
    ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
    ends = ends[: len(scores)]
    return PrecisionRecall(
        thresholds=scores[ends],
        num_retrieved=ends + 1,
        num_true_positives=np.cumsum(relevant[order])[ends],
        num_relevant=int(num_relevant),
    )


def _flags(name, flags, scores):
    """Returns the flags of all queries in one bool array."""
    flags = [np.asarray(of_query) for of_query in flags]
    if len(flags) != len(scores):
        raise ValueError(
            f"{name} must have an array for each of {len(scores)} queries. "
            f"Received: len({name})={len(flags)}"
        )
    for query, (flag, score) in enumerate(zip(flags, scores, strict=True)):
        # An empty list has no type of its own.
        is_bool = flag.dtype == bool or not flag.size
        if not is_bool or flag.ndim != 1 or flag.shape != score.shape:
            raise ValueError(
                f"{name} must be bool vectors with a flag for each score. "
                f"Received: dtype={flag.dtype}, shape={flag.shape} for scores "
                f"of shape={score.shape}, query={query}"
            )
    return np.concatenate([*flags, []]).astype(bool)


def _check_count(name, count, relevant):
    if not isinstance(count, int | np.integer) or count < relevant.sum():
        raise ValueError(
            f"{name} must be a whole number and at least the "
            f"{relevant.sum()} that were found. Received: {name}={count}"
        )
