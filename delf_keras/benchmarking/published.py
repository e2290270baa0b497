"""Results that others have published, and where."""

from dataclasses import dataclass

_PAPERS_WITH_CODE = "paperswithcode.com, table of the data set"
_DELG = "tensorflow/models, research/delf, DELG instructions"
_D2R = "tensorflow/models, research/delf, detect-to-retrieve instructions"
_GLD = "tensorflow/models, research/delf, README of Google Landmarks"
_RRT = "uvavision/RerankingTransformer, RRT_GLD, README"
_ASMK = "gtolias/asmk, issue 2, by the author"
_ASMK_USER = "gtolias/asmk, issue 2, by a user, in Octave"
_HOW = "jenicek/asmk, README"
_CIRTORCH = "filipradenovic/cnnimageretrieval-pytorch, README"
_DELG_PYTORCH = "feymanpriv/DELG, README"
_DELF_PYTORCH = "nashory/DeLF-pytorch, README"
_AFFNET = "ducha-aiki/affnet, issue 21, by a user"


@dataclass(frozen=True)
class Published:
    """One row of a table of results.

    Attributes:
        method: str.
        dataset: Name of the benchmark.
        figures: dict of protocol to mAP in percent.
        source: Who reports it.
    """

    method: str
    dataset: str
    figures: dict[str, float]
    source: str


def _revisited(method, source, oxford=(), paris=()):
    """Yields rows of medium, of medium and hard, or of easy as well."""
    for dataset, values in (("roxford5k", oxford), ("rparis6k", paris)):
        if values:
            protocols = "EMH" if len(values) == 3 else "MH"
            figures = dict(zip(protocols, values, strict=False))
            yield Published(method, dataset, figures, source)


def _classic(method, source, **values):
    for dataset, value in values.items():
        yield Published(method, dataset, {"mAP": value}, source)


ROWS = (
    *_classic(
        "DELF+FT+ATT",
        _PAPERS_WITH_CODE,
        oxford5k=83.8,
        oxford105k=82.6,
        paris6k=85.0,
        paris106k=81.7,
    ),
    *_classic(
        "DELF+FT+ATT+DIR+QE",
        _PAPERS_WITH_CODE,
        oxford5k=90.0,
        oxford105k=88.5,
        paris6k=95.7,
        paris106k=92.8,
    ),
    *_classic("DELF, Google's weights", _DELF_PYTORCH, oxford5k=85.13),
    *_classic("DELF in PyTorch, LDMK", _DELF_PYTORCH, oxford5k=84.94),
    *_classic("DELF in PyTorch, GLD-top1k", _DELF_PYTORCH, oxford5k=87.83),
    *_classic("DELF in PyTorch, GLD-top2k", _DELF_PYTORCH, oxford5k=86.65),
    *_classic("GeM R101", _CIRTORCH, oxford5k=88.2, paris6k=92.5),
    *_revisited(
        "DELF-ASMK*", _ASMK, (84.28, 67.64, 42.98), (95.16, 76.85, 55.42)
    ),
    *_revisited(
        "DELF-ASMK*", _ASMK_USER, (84.57, 67.90, 43.35), (95.26, 77.25, 56.14)
    ),
    *_revisited("D2R R-ASMK* (DELF-GLD)", _D2R, (73.3, 47.61)),
    *_revisited("DELG R50-GLDv1, global", _DELG, (69.71, 45.11)),
    *_revisited("DELG R50-GLDv1 + verification", _DELG, (75.42, 53.72)),
    *_revisited("DELG R50-GLDv1, global", _RRT, (69.7, 45.1), (81.6, 63.4)),
    *_revisited("DELG R50-GLDv2-clean", _RRT, (73.6, 51.0), (85.7, 71.5)),
    *_revisited("DELG R101-GLDv1, global", _RRT, (73.2, 51.2), (82.4, 64.7)),
    *_revisited("DELG R101-GLDv2-clean", _RRT, (76.3, 55.6), (86.6, 72.4)),
    *_revisited("DELG R50 v2c + RRT", _RRT, (78.1, 60.2), (86.7, 75.1)),
    *_revisited("DELG R101 v2c + RRT", _RRT, (79.9, 64.1), (87.6, 76.1)),
    *_revisited("DELG R50 v2c + verification", _DELG_PYTORCH, (78.3,)),
    *_revisited("DELG in PyTorch, global", _DELG_PYTORCH, (78.51, 56.90)),
    *_revisited("the same + verification", _DELG_PYTORCH, (80.08, 58.42)),
    *_revisited("R101-ArcFace GLDv2-clean", _GLD, (76.23, 55.54)),
    *_revisited("HOW R18, n = 1000", _HOW, (75.1,), (79.4,)),
    *_revisited("HOW R50-, n = 1000", _HOW, (78.3,), (80.1,)),
    *_revisited("HOW R50-, n = 2000", _HOW, (79.4,), (81.6,)),
    *_revisited("GeM R101", _CIRTORCH, (65.4, 40.1), (76.7, 55.2)),
    *_revisited("GeM R50, GL18", _CIRTORCH, (63.6, 40.9), (78.0, 57.5)),
    *_revisited("GeM R101, GL18", _CIRTORCH, (67.3, 44.3), (80.6, 61.5)),
    *_revisited("HardNet, all verified", _AFFNET, (67.17, 53.37, 30.37)),
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
    heads = "".join(f"{column:>6}" for column in columns)
    lines = [f"{'':{width}}  {heads}  reported by"]
    for row in rows:
        values = "".join(
            f"{row.figures[c]:6.1f}" if c in row.figures else f"{'-':>6}"
            for c in columns
        )
        lines.append(f"{row.method:{width}}  {values}  {row.source}")
    return "\n".join(lines)
