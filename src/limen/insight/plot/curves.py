"""One function as a picture: its curve, its derivative, and what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from limen import picture, registry
from limen.insight.plot.canvas import canvas
from limen.insight.words import properties

if TYPE_CHECKING:
    from limen.function import ActivationFunction
    from limen.insight.plot.canvas import Canvas

__all__ = ["function"]

_WIDTH, _CURVES, _LINE = 7.0, 4.2, 0.21  # inches
_LONGEST = 78  # characters of a line; a longer one would make the figure wider than its curve


def function(f: ActivationFunction | str, figure: Canvas | None = None) -> Any:
    """Draws an activation function with its derivative, and lists its properties below.

    `f.plot(axes)` draws the curves alone.

    Args:
        f: an `ActivationFunction`, the name of one, or the text of a formula.
        figure: where to draw; a new figure by default.

    Returns:
        The figure.

    Raises:
        MissingPackageError: if matplotlib is not installed.

    Example:
        >>> from matplotlib.figure import Figure
        >>> import limen
        >>> figure = limen.plot.function("silu", figure=Figure())
        >>> figure.axes[0].get_xlabel()
        'x'
    """
    f = registry.resolve(f)
    rows = [(f"{picture.label(f)}′", f.derivative(f.inputs[0]).formula), *properties(f)]
    heights = _CURVES, _LINE * len(rows)
    figure = canvas(figure, (_WIDTH, sum(heights)))
    curves, table = figure.subplots(2, 1, height_ratios=heights)
    picture.plot(f, curves)
    table.set_axis_off()
    for place, (name, said) in enumerate(rows):
        down = 1 - (place + 0.5) / len(rows)
        where = {"transform": table.transAxes, "va": "center", "fontsize": 9}
        table.text(0.0, down, name, color=picture.ink(0.65), **where)
        table.text(0.16, down, _short(said), color=picture.ink(), parse_math=False, **where)
    return figure


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
