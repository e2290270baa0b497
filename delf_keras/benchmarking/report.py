"""What a run of a benchmark shows: lines, figures, pages, curves."""

import dataclasses
import math

import numpy as np

from delf_keras.evaluation import (
    RevisitedGroundTruth,
    format_oxford,
    format_revisited,
    precision_recall_over_queries,
)

# Photographs of a ranking that its page shows.
_SHOWN = 20


def result_lines(run):
    """Returns the lines that reference evaluators print."""
    name, results = run.benchmark.name, run.results
    if "mAP" not in results:
        return format_revisited(name, results)
    precision = results["mAP"].mean_precision
    ks = " ".join(map(str, precision))
    values = " ".join(f"{100 * value:.2f}" for value in precision.values())
    return (
        f"{format_oxford(name, results['mAP'])}\n"
        f">> {name}: mP@k[{ks}] [{values}]"
    )


def figures_of(run, settings):
    """Returns the figures of a run, for JSON.

    Args:
        run: `BenchmarkRun`.
        settings: dict of what was run, to be added.

    Returns:
        dict: mAP of each protocol and "mP@k" in percent, "micro_AP" over all
        queries, "seconds" of each stage and of one photograph or query, and
        what was run.
    """
    queries = run.ranks.shape[1]
    seconds = run.seconds
    per_image = seconds["extract"] / run.extracted if run.extracted else None
    return {
        **{
            protocol: _percent(result.mean_average_precision)
            for protocol, result in run.results.items()
        },
        "mP@k": {
            protocol: {
                str(k): _percent(value)
                for k, value in result.mean_precision.items()
            }
            for protocol, result in run.results.items()
        },
        "micro_AP": _percent(precision_recall(run).average_precision),
        "seconds": seconds,
        "seconds_kept": sorted(run.kept),
        "seconds_per_image": per_image,
        "seconds_per_query": (seconds["search"] + seconds["verify"]) / queries,
        "seconds_per_search": seconds["search"] / queries,
        "seconds_per_verification": seconds["verify"] / queries,
        "dataset": run.benchmark.name,
        "images": len(run.ranks),
        "queries": queries,
        "skipped": len(run.skipped),
        **run.settings,
        **settings,
    }


def precision_recall(run):
    """Returns the `PrecisionRecall` over all queries at once.

    Queries that have nothing to find are distractors: what they score high is
    wrong. Of the revisited protocols it is the medium one.

    Args:
        run: `BenchmarkRun`.
    """
    scores, relevant, junk = [], [], []
    for query, labels in enumerate(_labels(run.benchmark)):
        found = np.flatnonzero(run.scores[:, query] > 0)
        names = labels[found]
        scores.append(run.scores[found, query])
        relevant.append(np.isin(names, ("easy", "hard", "positive")))
        junk.append(names == "junk")
    total = sum(
        int(np.isin(labels, ("easy", "hard", "positive")).sum())
        for labels in _labels(run.benchmark)
    )
    return precision_recall_over_queries(scores, relevant, total, junk)


def ranked_pages(run):
    """Returns a `RankedPage` for each query: hits, misses, what went wrong.

    Args:
        run: `BenchmarkRun`.
    """
    from delf_keras.visualization import PageEntry, RankedPage

    benchmark = run.benchmark
    pages = []
    for query, labels in enumerate(_labels(benchmark)):
        ranks = run.ranks[:, query]

        def entry(rank, ranks=ranks, labels=labels, query=query):
            image = ranks[rank]
            score = run.scores[image, query]
            returned = score > 0
            note = f"score {score:.3g}, {run.inliers[image, query]} inliers"
            return PageEntry(
                benchmark.image_paths[image],
                int(rank) + 1 if returned else None,
                labels[image],
                note if returned else "",
            )

        right = np.isin(labels[ranks], ("easy", "hard", "positive"))
        late = np.flatnonzero(right)
        pages.append(
            RankedPage(
                name=benchmark.query_names[query],
                path=benchmark.query_paths[query],
                box=tuple(benchmark.boxes[query]),
                average_precisions={
                    protocol: float(result.average_precision[query])
                    for protocol, result in run.results.items()
                },
                entries=[*map(entry, range(min(_SHOWN, len(ranks))))],
                missed=[*map(entry, late[late >= _SHOWN])],
            )
        )
    return pages


def settings_of(options, extraction):
    """Returns what was run, as a dict for JSON and CSV."""
    return {
        "extraction": dataclasses.asdict(extraction)
        | {"scales": " ".join(f"{scale:.4g}" for scale in extraction.scales)},
        "search": dataclasses.asdict(options.search),
        "asmk": dataclasses.asdict(options.asmk),
        "whiten": options.pca.whiten,
        "descriptor_type": options.descriptor_type,
        "augmentation": options.augmentation,
        "seed": options.seed,
    }


def _labels(benchmark):
    """Yields the label of each photograph of the database, for each query."""
    truth = benchmark.ground_truth
    if isinstance(truth, RevisitedGroundTruth):
        for query in range(len(truth.query_names)):
            labels = np.full(len(benchmark.image_names), "wrong", "U8")
            for label in ("easy", "hard", "junk"):
                labels[getattr(truth, label)[query]] = label
            yield labels
        return
    names = np.array(benchmark.image_names)
    for query in truth.values():
        labels = np.full(len(names), "wrong", "U8")
        labels[np.isin(names, [*query.positives])] = "positive"
        labels[np.isin(names, [*query.junk])] = "junk"
        yield labels


def _percent(value):
    # JSON has no NaN.
    return None if math.isnan(value) else 100 * value
