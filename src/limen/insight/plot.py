"""A comparison as a picture: accuracy with its interval, and where the learning flow ends."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from limen.insight.compare import Comparison, Row
from limen.insight.trial import BLOCKED_BELOW
from limen.picture import COLOUR, DERIVATIVE_COLOUR, save_figure

__all__ = ["plot", "save"]

_LONGEST_NAME = 28


def save(comparison: Comparison, path: str | Path) -> None:
    """Writes the picture of `plot`; the suffix chooses the format, `.png` or `.svg`.

    Raises:
        LimenError: if matplotlib is not installed, or cannot write that format.
    """
    height = 1.5 + 0.42 * len(comparison.rows())
    save_figure(path, (9.0, height), lambda figure: plot(comparison, figure))


def plot(comparison: Comparison, figure: Any) -> None:
    """Draws a comparison into an empty matplotlib figure.

    Left, the test accuracy: every seed a faint dot, the mean a full one, its 95% interval a line.
    Right, the share of blocked neurons.
    """
    rows = comparison.rows()[::-1]  # matplotlib counts from the bottom
    accuracy, ended = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    for place, row in enumerate(rows):
        _accuracy(accuracy, place, row)
    ended.barh(range(len(rows)), [100 * row.blocked for row in rows], 0.5, color=DERIVATIVE_COLOUR)
    for place, row in enumerate(rows):
        ended.annotate(
            f"{row.blocked:.1%}",
            (100 * row.blocked, place),
            textcoords="offset points",
            xytext=(4, 0),
            va="center",
            fontsize=8.5,
            color="0.35",
        )
    ended.set_xlim(0, max(1.0, *(135 * row.blocked for row in rows)))
    accuracy.set_yticks(range(len(rows)), [_short(row.function) for row in rows])
    accuracy.set_ylim(-0.6, len(rows) - 0.4)
    accuracy.set_title(f"Test accuracy on {comparison.data.name}, %", loc="left", fontsize=11)
    ended.set_title(f"Blocked (|f′| < {BLOCKED_BELOW:g}), %", loc="left", fontsize=11)
    for axes in (accuracy, ended):
        axes.grid(axis="x", color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)


def _accuracy(axes: Any, place: int, row: Row) -> None:
    percent = [100 * value for value in row.accuracies]
    axes.plot(percent, [place] * len(percent), "o", color=COLOUR, alpha=0.25, markersize=5)
    mean = 100 * row.accuracy
    margin = 0.0 if math.isnan(row.margin) else 100 * row.margin
    axes.errorbar(
        mean,
        place,
        xerr=[[min(margin, mean)], [min(margin, 100 - mean)]],
        fmt="o",
        color=COLOUR,
        markersize=7,
        linewidth=2,
        capsize=3,
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
