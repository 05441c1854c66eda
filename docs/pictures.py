"""Draws the pictures of the pages "accuracy" and "how a kernel is made", from real figures.

    python docs/pictures.py

Exact values come from mpmath with 60 digits; what limen and NumPy give is computed here and now.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import mpmath
import numpy as np
from matplotlib.figure import Figure

import limen
from limen.kernels.tuned.store import find, formula_of
from limen.picture import COLOUR, DERIVATIVE_COLOUR

FOLDER = Path(__file__).with_name("pictures")
GREY = "0.45"
mpmath.mp.dps = 60


def exactly(function: Callable[[Any], Any], x: Any) -> list[Any]:
    """A function of mpmath at float32 numbers."""
    return [function(mpmath.mpf(float(value))) for value in x]


def errors(computed: Any, exact: list[Any]) -> Any:
    """Errors in ULP: the distance over the spacing of float32 numbers at the exact value."""
    tiny = mpmath.mpf(2) ** -149  # the spacing of subnormal numbers: nothing is finer
    found = []
    for c, e in zip(computed, exact, strict=True):
        binade = mpmath.floor(mpmath.log(abs(e), 2)) if e else -200
        found.append(
            float(abs(mpmath.mpf(float(c)) - e) / max(mpmath.mpf(2) ** (binade - 23), tiny))
        )
    return np.array(found)


def mish_slope(x: Any) -> Any:
    """The derivative of mish, for mpmath."""
    t = mpmath.tanh(mpmath.log1p(mpmath.exp(x)))
    return t + x * (1 - t * t) / (1 + mpmath.exp(-x))


def logistic_slope(x: Any) -> Any:
    """The derivative of the logistic function, for mpmath."""
    return mpmath.exp(-abs(x)) / (1 + mpmath.exp(-abs(x))) ** 2


def ulp(figure: Any) -> None:
    """A stretch of the number line: the float32 numbers around mish(1), and errors in ULP."""
    exact = mpmath.tanh(mpmath.log1p(mpmath.e))
    nearest = np.float32(float(exact))
    around = [nearest]
    for _ in range(2):
        around = [np.nextafter(around[0], np.float32(0)), *around]
        around = [*around, np.nextafter(around[-1], np.float32(2))]
    spacing = float(around[1]) - float(around[0])
    axes = figure.subplots()
    at = [(mpmath.mpf(float(value)) - exact) / spacing for value in around]
    axes.axhline(0, color=GREY, linewidth=1)
    axes.plot(0, 0, "D", color=DERIVATIVE_COLOUR, markersize=9, zorder=3)
    axes.annotate(f"exact: mish(1) = {mpmath.nstr(exact, 12)}…", (0, 0), (0, 0.62), ha="center",
                  arrowprops={"arrowstyle": "-", "color": DERIVATIVE_COLOUR})  # fmt: skip
    for value, place in zip(around, at, strict=True):
        is_nearest = value == nearest
        axes.plot(float(place), 0, "|", color=COLOUR, markersize=26, markeredgewidth=2.5)
        text = f"{float(value):.9f}\n{abs(float(place)):.2f} ULP"
        weight = "bold" if is_nearest else "normal"
        axes.annotate(text, (float(place), -0.42), ha="center", va="top", weight=weight, fontsize=9)
    axes.annotate("", (float(at[3]), 0.3), (float(at[4]), 0.3), arrowprops={"arrowstyle": "<->"})
    axes.annotate(
        f"1 ULP = {spacing:.2e}", (float(at[3] + at[4]) / 2, 0.36), ha="center", fontsize=9
    )
    axes.set(xlim=(-2.9, 2.9), ylim=(-1.1, 0.9))
    axes.set_axis_off()


def dead_by_rounding(figure: Any) -> None:
    """The derivative of the logistic function as it is, as limen gives it, and as s (1 - s)."""
    x = np.linspace(0, 110, 881, dtype=np.float32)
    exact = exactly(logistic_slope, x)
    s = np.float32(1) / (np.float32(1) + np.exp(-x))
    spelled_out = s * (np.float32(1) - s)
    ours = limen.get("logistic").backward(np.ones_like(x), x)
    axes = figure.subplots()
    axes.plot(x, [float(e) for e in exact], color="0.75", linewidth=7, label="exact")
    axes.plot(
        x, np.where(ours > 0, ours, np.nan), color=COLOUR, linewidth=2, label="limen, float32"
    )
    shown = np.where(spelled_out > 0, spelled_out, np.nan)
    axes.plot(x, shown, color=DERIVATIVE_COLOUR, linewidth=2, dashes=(4, 2),
              label="s (1 − s) in float32")  # fmt: skip
    last = int(np.flatnonzero(spelled_out > 0)[-1])
    axes.annotate(
        f"from x = {float(x[last + 1]):.1f} on it is 0:\nthe learning flow ends by rounding",
        (float(x[last]), float(spelled_out[last])), (30, 1e-6), fontsize=10,
        arrowprops={"arrowstyle": "->", "color": DERIVATIVE_COLOUR},
    )  # fmt: skip
    axes.set_yscale("log")
    axes.set(xlabel="x", ylim=(1e-46, 2), xlim=(0, 110))
    axes.set_title("derivative of the logistic function", loc="left", fontsize=11)
    axes.legend(frameon=False, loc="lower left")
    axes.grid(color="0.93")


def errors_of_mish(figure: Any) -> None:
    """The error of the derivative of mish: every step in float32, and limen's kernel."""
    root = np.float32(limen.get("mish").extrema[0].x)
    near = root + np.concatenate([-np.geomspace(1e-6, 1, 300), np.geomspace(1e-6, 1, 300)])
    x = np.unique(np.concatenate([np.linspace(-20, 10, 1501), near]).astype(np.float32))
    exact = exactly(mish_slope, x)
    one = np.float32(1)
    t = np.tanh(np.log1p(np.exp(x)))
    spelled_out = t + x * (one - t * t) / (one + np.exp(-x))
    ours = limen.get("mish").backward(np.ones_like(x), x)
    axes = figure.subplots()
    found = errors(spelled_out, exact), errors(ours, exact)
    axes.plot(
        x, found[0], ".", color=DERIVATIVE_COLOUR, markersize=3, label="every step in float32"
    )
    axes.plot(x, found[1], ".", color=COLOUR, markersize=3, label="limen")
    axes.axhline(0.5, color="0.3", linewidth=1)
    axes.annotate("½ ULP: no float32 is nearer than that", (-19.7, 12), fontsize=9, color="0.3")
    axes.annotate("", (-19, 0.5), (-19, 11), arrowprops={"arrowstyle": "->", "color": "0.3"})
    axes.annotate("the root of the derivative", (float(root), float(found[0].max())), (1.2, 3e5),
                  fontsize=10, arrowprops={"arrowstyle": "->"})  # fmt: skip
    axes.set_yscale("log")
    axes.set(xlabel="x", ylabel="error in ULP", ylim=(1e-3, 1e7), xlim=(-20, 10))
    axes.set_title("derivative of mish in float32: distance to the exact value", loc="left",
                   fontsize=11)  # fmt: skip
    axes.legend(frameon=False, loc="upper left", markerscale=4)
    axes.grid(color="0.93")


def segments(figure: Any) -> None:
    """The stretches of the line on which a tuned table has a polynomial of its own, for silu."""
    silu = limen.get("silu")
    entry = find(formula_of(silu.expression, silu.parameters))
    assert entry is not None
    table = entry.table
    edges = (np.arange(len(table.cells) + 1) - 0.5 - table.first) / table.scale
    changes = np.flatnonzero(np.diff(table.cells)) + 1
    bounds = [-20.0, *edges[changes], 16.0]
    axes, fitted = figure.subplots(), 0
    for at, (low, high) in enumerate(pairwise(bounds)):
        segment = table.cells[0 if at == 0 else changes[at - 1]]
        x = np.linspace(low, high, 15)
        is_left = np.isnan(table.coefficients[0][segment])
        fitted += not is_left
        colour = "0.6" if is_left else (COLOUR, DERIVATIVE_COLOUR)[at % 2]
        axes.plot(x, silu(x), color=colour, linewidth=3, solid_capstyle="butt")
    served = f"{fitted} stretches, polynomials of degree {table.degree}"
    axes.set_title(f"silu: {served}; grey: left to the general tier", loc="left", fontsize=11)
    axes.set(xlim=(-16, 6), ylim=(-0.5, 3), xlabel="x")
    axes.grid(color="0.93")


PICTURES: dict[str, tuple[Callable[[Any], None], tuple[float, float]]] = {
    "ulp": (ulp, (8.5, 2.2)),
    "dead_by_rounding": (dead_by_rounding, (8.0, 4.0)),
    "errors_of_mish": (errors_of_mish, (8.0, 4.2)),
    "segments": (segments, (8.0, 3.2)),
}


def main() -> None:
    """Draws all of them."""
    os.environ["LIMEN_TIER"] = "general"  # what every formula gets, on every processor
    matplotlib.rcParams["svg.hashsalt"] = "limen"  # the same figures, the same file
    for name, (draw, size) in PICTURES.items():
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        if name == "errors_of_mish":  # thousands of dots are smaller as pixels
            figure.savefig(FOLDER / f"{name}.png", dpi=110)
        else:
            figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        main()
