"""One activation function as a picture: where to look, the curve, an SVG, a matplotlib figure.

Everything here takes an `ActivationFunction` but imports none, so that the function itself may ask
for its picture. A gated function is pictured along its gate, its value held at 1.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from limen.errors import LimenError, MissingPackageError
from limen.formula.analysis.answers import ENDLESS, Extremum, Stretch

if TYPE_CHECKING:
    from limen.function import ActivationFunction

__all__ = [
    "Curve", "curve", "frame", "ink", "label", "library", "plot", "save", "save_figure", "svg",
    "window",
]  # fmt: skip

Floats = npt.NDArray[np.float64]

# Two colours that stay apart for colour-blind readers and stand out on white and on black.
COLOUR = "#2f7de1"
DERIVATIVE_COLOUR = "#e8762c"

_HALF_WIDTH = (4.0, 12.0)  # the narrowest and the widest half of a picture
_MARGIN = 1.5  # how far beyond its outermost feature a picture goes
_SIZE = (7.0, 4.2)  # of a figure, in inches
_BESIDE = 1e-10  # how near to a kink its two sides are looked at, as a share of the width
_JUMP = 1e-6  # neighbours that touch and differ by more are two pieces of a curve


@dataclass(frozen=True, slots=True)
class Curve:
    """A function and its derivative, sampled for drawing; NaN where a line has to end."""

    x: Floats
    y: Floats
    dy: Floats


def label(f: ActivationFunction) -> str:
    """What to call a function in a picture: "f" where its name is a whole formula."""
    is_name = f.name.rstrip("'").isidentifier() and f.name not in f.inputs
    return f.name if is_name else "f"


def points(found: object) -> tuple[float, ...]:
    """The single points in a property such as `f.roots`: no stretches, none where unknown."""
    if not isinstance(found, tuple):
        return ()
    places = (item.x if isinstance(item, Extremum) else item for item in found)
    return tuple(x for x in places if isinstance(x, float))


def window(f: ActivationFunction) -> tuple[float, float]:
    """The stretch of x that shows every kink, root and extremum near the origin."""
    narrowest, widest = _HALF_WIDTH
    if f.is_gated:
        return -narrowest, narrowest
    answers = f.kinks, f.roots, f.extrema
    if any(answer is ENDLESS for answer in answers):
        return -2 * math.pi, 2 * math.pi
    features = [_MARGIN * abs(x) for answer in answers for x in points(answer)]
    half = max([narrowest, *(x for x in features if x < widest)])
    return -half, half


def curve(f: ActivationFunction, low: float, high: float, count: int = 801) -> Curve:
    """Samples a function and its derivative from `low` to `high`, on both sides of each kink."""
    kinks = () if f.is_gated else tuple(x for x in points(f.kinks) if low < x < high)
    beside = _BESIDE * (high - low)
    sides = [side for x in kinks for side in (x - beside, x, x + beside)]
    x = np.unique(np.concatenate([np.linspace(low, high, count), sides]))
    if f.is_gated:
        ones = np.ones_like(x)
        y, dy = f(x, ones), f.derivative(f.inputs[0])(x, ones)
    else:
        y, dy = f(x), f.derivative()(x)
    touching = np.flatnonzero(np.diff(x) < 2 * beside)
    return Curve(
        np.insert(x, touching + 1, x[touching]),
        *(_broken(values, touching) for values in (y, dy)),
    )


def _broken(values: Floats, touching: npt.NDArray[np.intp]) -> Floats:
    """Puts a NaN between neighbours that touch where the values jump, else repeats the value."""
    with np.errstate(invalid="ignore"):  # between two infinite neighbours there is no difference
        jumps = np.abs(np.diff(values))[touching] > _JUMP
    return np.insert(values, touching + 1, np.where(jumps, np.nan, values[touching]))


def frame(c: Curve) -> tuple[float, float]:
    """What is worth showing of the vertical axis: the curves and 0, never taller than wide."""
    half = (c.x[-1] - c.x[0]) / 2
    values = np.concatenate([c.y, c.dy, [0.0]])
    shown = np.clip(values[np.isfinite(values)], -half, half)
    margin = 0.08 * float(np.ptp(shown)) or 1.0
    return float(shown.min()) - margin, float(shown.max()) + margin


# A small SVG, for notebooks: no dependency, no style sheet, no script.


def svg(x: Floats, y: Floats, dy: Floats, *, width: int = 280, height: int = 150) -> str:
    """A small picture of a function and its derivative, for light and dark pages.

    Args:
        x: ascending float64 of shape `(n,)`, for instance from `curve`.
        y: the function's values there; NaN ends a line.
        dy: the derivative's values there, drawn dashed.
        width: of the picture, in pixels.
        height: of the picture, in pixels.

    Returns:
        An `<svg>` element.

    Example:
        >>> x = np.linspace(-4, 4, 5)
        >>> svg(x, np.tanh(x), 1 - np.tanh(x) ** 2).count("<path")
        3
    """
    bottom, top = frame(Curve(x, y, dy))
    across = (x - x[0]) / (x[-1] - x[0]) * width

    def down(values: Any) -> Any:
        tall = top - bottom
        return (top - np.clip(values, bottom - tall, top + tall)) / tall * height

    def path(values: Floats, colour: str, dash: str = "") -> str:
        return (
            f'<path d="{_path(across, down(values))}" fill="none" stroke="{colour}" '
            f'stroke-width="2" stroke-linejoin="round" stroke-linecap="round"{dash}/>'
        )

    axes = f"M0 {down(0.0):.1f}H{width}"
    if x[0] < 0 < x[-1]:
        axes += f"M{-x[0] / (x[-1] - x[0]) * width:.1f} 0V{height}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" style="overflow:hidden" '
        f'aria-label="The function and, dashed, its derivative, '
        f'for x from {x[0]:g} to {x[-1]:g}">'
        f'<path d="{axes}" stroke="currentColor" stroke-opacity="0.3"/>'
        + path(y, COLOUR)
        + path(dy, DERIVATIVE_COLOUR, ' stroke-dasharray="5 4"')
        + "</svg>"
    )


def _path(across: Floats, down: Floats) -> str:
    """The path data of a line that ends at each NaN."""
    steps, pen = [], "M"
    for x, y in zip(across, down, strict=True):
        if math.isnan(y):
            pen = "M"
        else:
            steps.append(f"{pen}{x:.1f} {y:.1f}")
            pen = "L"
    return "".join(steps)


# The real picture, with matplotlib.


def plot(f: ActivationFunction, axes: Any = None) -> Any:
    """Draws a function and its derivative, with its kinks, extrema and asymptotes.

    Args:
        f: the activation function.
        axes: the matplotlib axes to draw in; new ones of `matplotlib.pyplot` by default.

    Returns:
        The axes.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    if axes is None:
        axes = library("matplotlib.pyplot").subplots(figsize=_SIZE, layout="constrained")[1]
    low, high = window(f)
    c = curve(f, low, high)
    # Before anything is drawn, which matplotlib would make room for, and overflow on the way.
    axes.set(xlim=(low, high), ylim=frame(c), xlabel=f.inputs[0])
    axes.axhline(0, color=ink(0.25), linewidth=0.8, zorder=1)
    axes.axvline(0, color=ink(0.25), linewidth=0.8, zorder=1)
    for slope, offset, sign in asymptotes(f):
        far = high if sign > 0 else low
        axes.plot(
            (0, far), (offset, offset + slope * far), color=ink(0.5), linewidth=1, dashes=(4, 4)
        )
    name = f"{label(f)}(·, 1)" if f.is_gated else label(f)
    prime = ", by its gate" if f.is_gated else "′"
    if f.surrogate_function is not None:
        prime += f", that of {f.surrogate_function.name}"
    # The thin line on top of the thick one: both are seen where they meet.
    axes.plot(c.x, c.y, color=COLOUR, linewidth=3, label=name, zorder=3)
    axes.plot(c.x, c.dy, color=DERIVATIVE_COLOUR, linewidth=1.5, label=name + prime, zorder=4)
    if not f.is_gated:
        _mark_kinks(f, axes, low, high)
        _mark_extrema(f, axes, low, high)
    axes.set_title(
        f.formula, fontsize=10, family="monospace", loc="left", color=ink(0.7), wrap=True
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="best")
    return axes


def save(f: ActivationFunction, path: str | Path) -> None:
    """Writes the picture of `plot` to a file; its suffix chooses the format, `.png` or `.svg`.

    Raises:
        LimenError: if matplotlib is not installed, or cannot write that file.
    """
    save_figure(path, _SIZE, lambda figure: plot(f, figure.subplots()))


def save_figure(path: str | Path, size: tuple[float, float], draw: Callable[[Any], object]) -> None:
    """Makes a figure without any window, lets `draw` fill it, and writes it to a file."""
    figure = library("matplotlib.figure").Figure(figsize=size, layout="constrained")
    draw(figure)
    try:
        figure.savefig(path, dpi=160)
    except (OSError, ValueError) as error:
        raise LimenError(f"cannot write the picture {path}: {error}") from error


def asymptotes(f: ActivationFunction) -> list[tuple[float, float, float]]:
    """The lines `slope * x + offset` that a function nears at an end, as far as one can see.

    A limit gives a level line. Where the function has none but its derivative does, the offset is
    read off far out, at two places that have to agree: enough to draw, not a statement.

    Returns:
        `(slope, offset, sign)` for each line, `sign` being that of the infinity it belongs to.
    """
    lines = []
    for limit, sign in () if f.is_gated else zip(f.limits, (-1.0, 1.0), strict=True):
        if isinstance(limit, float) and math.isfinite(limit):
            lines.append((0.0, limit, sign))
        elif isinstance(limit, float):
            near, far = sign * 2.0**20, sign * 2.0**24
            slope = float(f.derivative()(far))
            offset = float(f(far)) - slope * far
            if math.isfinite(offset) and abs(float(f(near)) - slope * near - offset) < 1e-3:
                lines.append((slope, offset, sign))
    return lines


def _mark_kinks(f: ActivationFunction, axes: Any, low: float, high: float) -> None:
    """A full dot at the value of a jump; a ring where it is not, and at every other kink."""
    ground = library("matplotlib").rcParams["axes.facecolor"]
    for x in (x for x in points(f.kinks) if low < x < high):
        here = float(f(x))
        beside = _BESIDE * (high - low)
        sides = {float(f(x - beside)), float(f(x + beside))}
        jumps = {side for side in sides if abs(side - here) > _JUMP}
        style = {"color": COLOUR, "markersize": 6, "zorder": 6}
        axes.plot(x, here, "o", markerfacecolor=COLOUR if jumps else ground, **style)
        for side in jumps:
            axes.plot(x, side, "o", markerfacecolor=ground, **style)


def _mark_extrema(f: ActivationFunction, axes: Any, low: float, high: float) -> None:
    """A dot and its coordinates at every extremum that is a point."""
    for extremum in f.extrema if isinstance(f.extrema, tuple) else ():
        if isinstance(extremum.x, Stretch) or not low < extremum.x < high:
            continue
        outwards = -1 if extremum.kind == "minimum" else 1
        axes.plot(extremum.x, extremum.value, "o", color=COLOUR, markersize=6, zorder=6)
        axes.annotate(
            f"({extremum.x:.4g}, {extremum.value:.4g})",
            (extremum.x, extremum.value),
            textcoords="offset points",
            xytext=(0, 9 * outwards),
            ha="center",
            va="top" if outwards < 0 else "bottom",
            fontsize=8.5,
            color=ink(0.75),
        )


def ink(share: float = 1.0) -> Any:
    """The colour of text in matplotlib's present style, as far as `share` on what is behind it."""
    colour = library("matplotlib").rcParams["text.color"]
    return library("matplotlib.colors").to_rgba(colour, share)


def library(module: str) -> Any:
    """A module of matplotlib.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPackageError('drawing needs matplotlib: pip install "limen[plot]"') from error
