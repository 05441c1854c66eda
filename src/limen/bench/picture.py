"""A run as a picture: every entrant's distance from a plain copy, for each size and direction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from limen.bench import wording
from limen.bench.case import Elementwise
from limen.bench.entrants import BASELINE
from limen.bench.result import Measured, Result
from limen.errors import LimenError
from limen.picture import save_figure

__all__ = ["plot", "save"]

# Okabe and Ito, "Color Universal Design" (2008): told apart by colour-blind readers too; each has
# a shape of its own besides, for paper and for those who see no colours.
_LOOKS = {
    "limen-out": ("#0072B2", "o"),
    "limen-general": ("#56B4E9", "p"),
    "limen": ("#000000", "D"),
    "torch": ("#D55E00", "s"),
    "torch-compile": ("#E69F00", "^"),
    "jax": ("#009E73", "v"),
    "numpy": ("#999999", "X"),
}
_OTHER = ("#CC79A7", "P")
_LONG = 24
_DIRECTIONS = ("forward", "backward")


def save(result: Result, path: str | Path) -> None:
    """Writes the picture of `plot`; the suffix chooses the format, `.png` or `.svg`.

    Raises:
        LimenError: if there is nothing to draw, matplotlib is not installed, or it cannot write
            that format.
    """
    if not result.measured:
        raise LimenError("nothing was measured: there is nothing to draw")
    names, sizes = _names(result), _sizes(result)
    tall = 0.34 * len(names) * len(_DIRECTIONS) + (0.5 * len(result.steps()) + 1.0) + 2.2
    size = (max(9.0, 4.0 * len(sizes) + 1.5), tall)
    save_figure(path, size, lambda figure: plot(result, figure))


def plot(result: Result, figure: Any) -> None:
    """Draws a run into an empty matplotlib figure.

    Columns are sizes, rows are directions, and below are the training steps; only the largest
    number of threads is drawn. A line through a mark joins the quartiles.
    """
    threads = max(m.threads for m in result.measured)
    names, sizes = _names(result), _sizes(result)
    steps = [m for m in result.steps() if m.threads == threads]
    parts = figure.subfigures(
        1 + bool(steps), 1, height_ratios=[2 * len(names) + 3, *([len(steps) + 2] if steps else [])]
    ) if names else figure  # fmt: skip
    above = parts[0] if names and steps else parts
    if names:
        _functions(above, result, names, sizes, threads)
    if steps:
        below = parts[1] if names else parts
        axes = below.subplots()
        _dots(axes, steps, [f"{m.case.batch} × {m.case.width}" for m in steps])  # type: ignore[union-attr]
        axes.set_title("training step, times its bare matrix products", loc="left", fontsize=10)
    shown = [name for name in result.entrants() if name != BASELINE.name]
    marks = [_mark(figure, name) for name in shown]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), frameon=False)
    figure.suptitle(
        f"{result.machine['processor']}, {wording.threads(threads)}: times a plain copy "
        "that moves the same bytes",
        fontsize=11,
    )


def _functions(
    figure: Any, result: Result, names: Sequence[str], sizes: Sequence[int], threads: int
) -> None:
    grid = figure.subplots(len(_DIRECTIONS), len(sizes), sharey=True, sharex="col", squeeze=False)
    for row, direction in enumerate(_DIRECTIONS):
        for column, size in enumerate(sizes):
            found = {
                m.case.name: m
                for m in result.elementwise()
                if isinstance(m.case, Elementwise)
                and (m.case.direction, m.case.elements, m.threads) == (direction, size, threads)
            }
            axes = grid[row, column]
            _dots(axes, [found.get(name) for name in names], [_short(name) for name in names])
            axes.set_title(f"{direction}, {size:,} numbers", loc="left", fontsize=10)


def _dots(axes: Any, rows: Sequence[Measured | None], labels: Sequence[str]) -> None:
    """One line for each case, one mark for each entrant."""
    count = len(rows)
    for at, m in enumerate(rows):
        for name in m.taken if m is not None else ():
            ratio = None if m is None or name == BASELINE.name else m.ratio(name)
            if ratio is None:
                continue
            colour, shape = _LOOKS.get(name, _OTHER)
            axes.plot((ratio.low, ratio.high), (at, at), color=colour, linewidth=1.5, zorder=2)
            axes.plot(ratio.median, at, shape, color=colour, markersize=6, zorder=3,
                      markeredgecolor="white", markeredgewidth=0.6)  # fmt: skip
    axes.axvline(1.0, color="0.4", linewidth=1, zorder=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(count), labels)
    axes.set_ylim(count - 0.4, -0.6)  # the first on top
    axes.grid(axis="both", color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _mark(figure: Any, name: str) -> Any:
    from matplotlib.lines import Line2D

    colour, shape = _LOOKS.get(name, _OTHER)
    return Line2D([], [], color=colour, marker=shape, linestyle="", label=wording.title(name))


def _names(result: Result) -> list[str]:
    names = (m.case.name for m in result.elementwise() if isinstance(m.case, Elementwise))
    return list(dict.fromkeys(names))


def _sizes(result: Result) -> list[int]:
    found = {m.case.elements for m in result.elementwise() if isinstance(m.case, Elementwise)}
    return sorted(found)


def _short(name: str) -> str:
    return name if len(name) <= _LONG else name[: _LONG - 1] + "…"
