"""Pictures of precision and recall over all queries."""

import numpy as np

from delf_keras.visualization.sheet import (
    FAINT_INK,
    INK,
    Box,
    new_sheet,
    picture_format,
    save_sheet,
    shortened,
    write_text,
)

_MARGIN = 24
_GRAPH = Box(76, 24, 560, 460)
_UNDER_GRAPH = 56
_LEGEND_LEFT = 664
_LEGEND_WIDTH = 300
_SAMPLE = 26
_ROW = 22
_TYPE = 8
_VALUE_WIDTH = 74

# Curves that share a colour differ in style.
_COLORS = (
    "#1f77b4",
    "#d62728",
    "#2ca02c",
    "#ff7f0e",
    "#9467bd",
    "#8c564b",
    "#e377c2",
    "#17becf",
)
_STYLES = ("-", "--", ":", "-.")


def draw_precision_recall(path, curves):
    """Draws precision over recall, one line for each curve.

    A line is made of steps, so that the area under it is its average
    precision, which the legend states.

    Args:
        path: str or `Path`. Where the picture shall appear; its suffix is
            .png, .jpg, .jpeg or .pdf.
        curves: dict of label to
            `delf_keras.evaluation.PrecisionRecall`, at least one.

    Raises:
        ValueError: if the suffix is another, there is no curve, or one has
            nothing relevant and so no recall.
        ImportError: if matplotlib is not installed.

    Reference:
        Noh et al., arXiv 1612.06321, section 5.
    """
    picture_format(path)
    if not curves:
        raise ValueError(
            "curves must have at least one curve. Received: curves={}"
        )
    for label, curve in curves.items():
        if not curve.num_relevant:
            raise ValueError(
                "A curve must have something relevant to find. "
                f"Received: num_relevant=0 for label={label!r}"
            )
    save_sheet(_curves_sheet(curves), path)


def _curves_sheet(curves):
    height = max(_GRAPH.bottom + _UNDER_GRAPH, 2 * _MARGIN + _ROW * len(curves))
    width = _LEGEND_LEFT + _LEGEND_WIDTH + _MARGIN
    figure, axes = new_sheet(width, height)
    graph = figure.add_axes(
        (
            _GRAPH.left / width,
            1 - _GRAPH.bottom / height,
            _GRAPH.width / width,
            _GRAPH.height / height,
        )
    )
    _style_graph(graph)
    for row, (label, curve) in enumerate(curves.items()):
        style = {
            "color": _COLORS[row % len(_COLORS)],
            "linestyle": _STYLES[row // len(_COLORS) % len(_STYLES)],
            "linewidth": 1.6,
        }
        # Lines at precision 1 or recall 1 shall not be cut in half.
        graph.plot(*_steps(curve), clip_on=False, **style)
        _write_row(axes, _MARGIN + _ROW * row, label, curve, style)
    return figure


def _style_graph(graph):
    graph.set(xlim=(0, 1), ylim=(0, 1))
    ticks = np.linspace(0, 1, 6)
    graph.set_xticks(ticks)
    graph.set_yticks(ticks)
    graph.grid(color="#e4e4e4", linewidth=0.6)
    graph.set_axisbelow(True)
    graph.tick_params(labelsize=_TYPE, color=FAINT_INK, labelcolor=FAINT_INK)
    graph.spines[["top", "right"]].set_visible(False)
    graph.spines[["left", "bottom"]].set_color(FAINT_INK)
    graph.set_xlabel("Recall", size=9, color=INK)
    graph.set_ylabel("Precision", size=9, color=INK)


def _steps(curve):
    """Returns the corners of a curve, x and y, from recall 0."""
    precision, recall = curve.precision, curve.recall
    # Between two finds precision only falls, straight down the same step, and
    # a set with a million distractors has many such thresholds.
    finds = np.flatnonzero(np.diff(curve.num_true_positives, prepend=0))
    x = np.repeat(np.append(0, recall[finds]), 2)[1:-1]
    return x, np.repeat(precision[finds], 2)


def _write_row(axes, top, label, curve, style):
    """Writes a line of the legend: a sample, the label, and its micro-AP."""
    middle = top + 7
    left, right = _LEGEND_LEFT, _LEGEND_LEFT + _LEGEND_WIDTH
    axes.plot([left, left + _SAMPLE], [middle, middle], **style)
    left += _SAMPLE + 8
    text = shortened(label, right - left - _VALUE_WIDTH, _TYPE)
    write_text(axes, left, top, text, size=_TYPE)
    value = f"AP {100 * curve.average_precision:.1f}%"
    write_text(axes, right, top, value, size=_TYPE, color=FAINT_INK, ha="right")
