"""A comparison as a picture: accuracy with its interval, and where the learning flow ends."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from limen.insight.comparing.compare import Comparison, Row
from limen.insight.comparing.ranking import Difference
from limen.insight.comparing.trial import BLOCKED_BELOW
from limen.picture import COLOUR, DERIVATIVE_COLOUR, save_figure

__all__ = ["plot", "save"]

_LONGEST_NAME = 28


def save(comparison: Comparison, path: str | Path) -> None:
    """Writes the picture of `plot`; the suffix chooses the format, `.png` or `.svg`.

    Raises:
        LimenError: if matplotlib is not installed, or cannot write that format.
    """
    height = 1.5 + 0.42 * len(comparison.rows())
    save_figure(path, (11.0, height), lambda figure: plot(comparison, figure))


def plot(comparison: Comparison, figure: Any) -> None:
    """Draws a comparison into an empty matplotlib figure.

    Left, the test accuracy: every seed a faint dot, the mean a full one, its 95% interval a line.
    In the middle, how far each function is behind the leader, seed by seed: a full mark where the
    seeds tell the two apart, an empty one where they do not. Right, the share of blocked neurons.
    """
    rows = comparison.rows()[::-1]  # matplotlib counts from the bottom
    accuracy, behind, ended = figure.subplots(1, 3, sharey=True, width_ratios=(3, 2, 1.4))
    ranking = comparison.ranking()
    for place, row in enumerate(rows):
        _accuracy(accuracy, place, row)
        if row.function in ranking.behind:
            _behind(behind, place, ranking.behind[row.function])
    behind.axvline(0.0, color="0.6", linewidth=1)
    behind.set_title(f"Behind {_short(rows[-1].function)}, points", loc="left", fontsize=11)
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
    for axes in (accuracy, behind, ended):
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


def _behind(axes: Any, place: int, difference: Difference) -> None:
    mean = 100 * difference.mean
    low, high = (
        mean if math.isnan(end) else 100 * end for end in (difference.low, difference.high)
    )
    axes.errorbar(
        mean,
        place,
        xerr=[[mean - low], [high - mean]],
        fmt="o",
        color=COLOUR,
        markerfacecolor=COLOUR if difference.is_told else "white",
        markersize=7,
        linewidth=2,
        capsize=3,
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
