"""Results that others have published, and where."""

from dataclasses import dataclass

_PAPERS_WITH_CODE = "paperswithcode.com, table of the data set"
_DELG = "tensorflow/models, research/delf, DELG instructions"
_D2R = "tensorflow/models, research/delf, detect-to-retrieve instructions"
_RRT = "uvavision/RerankingTransformer, README"
_HOW = "gtolias/how, README"
_CIRTORCH = "filipradenovic/cnnimageretrieval-pytorch, README"
_ASMK = "jenicek/asmk, issue 2, the authors' rerun"


@dataclass(frozen=True)
class Published:
    """One row of a table of results.

    Attributes:
        method: str.
        dataset: Name of the benchmark.
        figures: dict of protocol to mAP in percent.
        source: Where it was read.
    """

    method: str
    dataset: str
    figures: dict[str, float]
    source: str


def _revisited(method, source, oxford, paris=()):
    for dataset, values in (("roxford5k", oxford), ("rparis6k", paris)):
        if values:
            figures = dict(zip("MH", values, strict=False))
            yield Published(method, dataset, figures, source)


def _classic(method, source, *values):
    names = ("oxford5k", "oxford105k", "paris6k", "paris106k")
    for dataset, value in zip(names, values, strict=False):
        yield Published(method, dataset, {"mAP": value}, source)


ROWS = (
    *_classic("DELF+FT+ATT", _PAPERS_WITH_CODE, 83.8, 82.6, 85.0, 81.7),
    *_classic("DELF+FT+ATT+DIR+QE", _PAPERS_WITH_CODE, 90.0, 88.5, 95.7, 92.8),
    *_classic("DELF in PyTorch", "nashory/DeLF-pytorch, README", 87.83),
    *_revisited("DELF-ASMK*", _ASMK, (67.64, 42.98), (76.85, 55.42)),
    *_revisited("D2R R-ASMK* (DELF-GLD)", _D2R, (73.3, 47.61)),
    *_revisited("DELG R50-GLDv1, global", _DELG, (69.71, 45.11)),
    *_revisited("DELG R50-GLDv1 + verification", _DELG, (75.42, 53.72)),
    *_revisited("DELG R50-GLDv2-clean", _RRT, (73.6, 51.0), (85.7, 71.5)),
    *_revisited("DELG R50 v2c + RRT", _RRT, (78.1, 60.2), (86.7, 75.1)),
    *_revisited("DELG R101 v2c + RRT", _RRT, (79.9, 64.1), (87.6, 76.1)),
    *_revisited("HOW R50-, n = 2000", _HOW, (79.4,), (81.6,)),
    *_revisited("GeM R101", _CIRTORCH, (65.4, 40.1), (76.7, 55.2)),
)


def published_table(name, method, results):
    """Returns published results of a benchmark with one's own beside them.

    Args:
        name: str. Name of the benchmark.
        method: str. What one's own row is called.
        results: dict of protocol to `ProtocolResult`.

    Returns:
        str of lines; empty if nothing is published of the benchmark.
    """
    rows = [row for row in ROWS if row.dataset == name]
    if not rows:
        return ""
    ours = {
        protocol: 100 * result.mean_average_precision
        for protocol, result in results.items()
    }
    rows.append(Published(method, name, ours, "this run"))
    columns = list(results)
    width = max(len(row.method) for row in rows)
    lines = [f"{'':{width}}  {''.join(f'{c:>6}' for c in columns)}  source"]
    for row in rows:
        values = "".join(
            f"{row.figures[c]:6.1f}" if c in row.figures else f"{'-':>6}"
            for c in columns
        )
        lines.append(f"{row.method:{width}}  {values}  {row.source}")
    return "\n".join(lines)
