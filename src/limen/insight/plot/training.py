"""What an observation saw over training: distributions, learning flow, blocked neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limen.errors import OrderError, UnknownNameError
from limen.insight.plot.canvas import canvas, class_colours, legend, tidy, titled
from limen.picture import COLOUR, DERIVATIVE_COLOUR, ink, library

if TYPE_CHECKING:
    from limen.insight.observing.observation import Observation
    from limen.insight.observing.seen import Distribution, SeenLayer
    from limen.insight.plot.canvas import Canvas

__all__ = ["blocked", "distributions", "flow"]

Array = NDArray[Any]

_BANDS = ((0, 4, 0.18, "5% to 95%"), (1, 3, 0.3, "25% to 75%"))  # of a Moment's five quantiles
_MOST_MOMENTS = 12  # faint lines of the past that can still be told apart
_LONGEST = 22  # characters of a layer's name on an axis


def distributions(
    seen: Observation, layer: str | int | SeenLayer = 0, figure: Canvas | None = None
) -> Any:
    """Draws the pre-activations and the activations of a layer over training.

    Left, their quantiles step by step; right, the histogram of all that was seen, its bars as
    square roots.

    Args:
        seen: what `limen.observe` returned.
        layer: the layer's name, its place in `seen.layers`, or the layer itself.
        figure: where to draw; a new figure by default.

    Returns:
        The figure.

    Raises:
        UnknownNameError: when there is no such layer.
        OrderError: when nothing has been seen yet.
    """
    found = chosen(seen, layer)
    figure = canvas(figure, (8.0, 5.2))
    grid = figure.subplots(2, 2, sharey="row", width_ratios=(3, 1))
    steps = [moment.step for moment in found.history]
    for row, (what, colour, whole) in zip(
        grid,
        (
            ("pre_activation", DERIVATIVE_COLOUR, found.pre_activation),
            ("activation", COLOUR, found.activation),
        ),
        strict=True,
    ):
        quantiles = np.array([getattr(moment, what) for moment in found.history])
        _bands(row[0], steps, quantiles, colour)
        _histogram(row[1], whole, colour)
        row[0].axhline(0, color=ink(0.4), linewidth=0.8)
        row[0].set_ylabel(what.replace("_", "-"))
    grid[1, 0].set_xlabel("step")
    grid[1, 1].set_xlabel("√ density")
    grid[0, 0].legend(frameon=False, fontsize=8, loc="upper left", ncols=3)
    titled(grid[0, 0], _short(f"{found.name}: {found.function}, {found.width} neurons", 60), 11)
    titled(grid[0, 1], "all steps", 9)
    return figure


def flow(seen: Observation, figure: Canvas | None = None) -> Any:
    """Draws the learning flow layer by layer, on a logarithmic scale.

    Full line: the root mean square of what leaves each layer towards the input, in the latest
    moment; ring: of what enters it. Thin lines are earlier moments, the earliest faintest. A layer
    whose flow ended (0) or diverged (inf, nan) has no point there, and says so.

    Args:
        seen: what `limen.observe` returned.
        figure: where to draw; a new figure by default.

    Returns:
        The figure.

    Raises:
        OrderError: when no learning flow has been seen: there was no backward pass.
    """
    layers = _layers(seen)
    past = np.array([_flows(layer) for layer in layers], dtype=object)
    rows = [np.array(flows, np.float64).reshape(-1, 2) for flows in past]
    count = min(map(len, rows))
    if not count:
        raise OrderError("no learning flow has been seen: observe a backward pass or a fit")
    moments = np.stack([row[-count:] for row in rows])  # (layers, moments, in and out)
    figure = canvas(figure, (max(5.0, 1.6 + 0.7 * len(layers)), 4.0))
    axes = figure.subplots()
    places = np.arange(len(layers))
    shown = np.unique(np.linspace(0, count - 1, min(count, _MOST_MOMENTS)).astype(int))
    for age, moment in enumerate(shown[:-1]):
        axes.plot(places, _positive(moments[:, moment, 1]), color=COLOUR, linewidth=1,
                  alpha=0.1 + 0.4 * age / len(shown))  # fmt: skip
    latest = moments[:, -1]
    axes.plot(places, _positive(latest[:, 1]), "o-", color=COLOUR, linewidth=2.5,
              label="leaving the layer, latest")  # fmt: skip
    axes.plot(places, _positive(latest[:, 0]), "o", color=DERIVATIVE_COLOUR, markersize=9,
              markerfacecolor="none", markeredgewidth=1.5, label="entering it")  # fmt: skip
    axes.set_yscale("log")
    for place in np.flatnonzero(np.isnan(_positive(latest[:, 1]))):
        axes.annotate(f"{latest[place, 1]:g}", (place, 0.03), xycoords=("data", "axes fraction"),
                      ha="center", color=COLOUR, weight="bold")  # fmt: skip
    _names(axes.set_xticks, layers)
    axes.set_xlim(-0.5, len(layers) - 0.5)
    axes.set_ylabel("root mean square")
    axes.legend(frameon=False, fontsize=9)
    titled(axes, "Learning flow, from the output (right) to the input (left)", 11)
    tidy(axes)
    return figure


def blocked(seen: Observation, figure: Canvas | None = None) -> Any:
    """Draws how much of each layer is blocked: over training, and neuron by neuron.

    Left, the share of pairs of input and neuron that are blocked, step by step. Right, a row for
    each layer: its neurons from the most to the least blocked, dead ones in blue.

    Args:
        seen: what `limen.observe` returned.
        figure: where to draw; a new figure by default.

    Returns:
        The figure.
    """
    layers = _layers(seen)
    figure = canvas(figure, (9.5, max(3.2, 1.5 + 0.4 * len(layers))))
    over, each = figure.subplots(1, 2, width_ratios=(1, 1.2))
    drawn = []
    for layer, colour in zip(layers, class_colours(len(layers)), strict=True):
        steps = [moment.step for moment in layer.history]
        shares = [moment.blocked for moment in layer.history]
        drawn += over.plot(steps, shares, _mark(steps), color=colour, linewidth=2)
    over.set(xlabel="step", ylim=(-0.02, 1.02))
    over.yaxis.set_major_formatter(library("matplotlib.ticker").PercentFormatter(1.0))
    legend(over, drawn, [_short(layer.name, _LONGEST) for layer in layers], fontsize=8)
    tidy(over)
    titled(over, "Blocked, of all inputs and neurons", 11)
    _strips(each, layers)
    return figure


def chosen(seen: Observation, layer: str | int | SeenLayer) -> SeenLayer:
    """The layer that is meant."""
    layers = _layers(seen)
    if isinstance(layer, str):
        for found in layers:
            if found.name == layer:
                return found
    elif not isinstance(layer, int):
        return layer
    elif -len(layers) <= layer < len(layers):
        return layers[layer]
    names = ", ".join(found.name for found in layers)
    raise UnknownNameError(f"no layer {layer!r} was seen: choose one of {names}")


def _layers(seen: Observation) -> tuple[SeenLayer, ...]:
    if not all(hasattr(layer, "history") for layer in getattr(seen, "layers", (None,))):
        raise TypeError(f"expected what limen.observe returned, given {seen!r}")
    layers = seen.layers
    if not layers:
        raise OrderError(
            "nothing has been seen yet: run the model within `with limen.observe(...)`"
        )
    return layers


def _bands(axes: Any, steps: list[int], quantiles: Array, colour: str) -> None:
    for low, high, alpha, label in _BANDS:
        axes.fill_between(steps, quantiles[:, low], quantiles[:, high], color=colour, alpha=alpha,
                          linewidth=0, label=label)  # fmt: skip
    axes.plot(steps, quantiles[:, 2], _mark(steps), color=colour, linewidth=2, label="median")
    tidy(axes)


def _histogram(axes: Any, whole: Distribution, colour: str) -> None:
    edges, density = whole.histogram()
    # Square roots: a peak of exact zeros leaves the rest to be seen (Tukey's rootogram).
    axes.stairs(
        np.sqrt(density), edges, orientation="horizontal", fill=True, color=colour, alpha=0.6
    )
    tidy(axes)


def _strips(axes: Any, layers: tuple[SeenLayer, ...]) -> None:
    """Each layer's neurons in a row of equal length, sorted by how often they are blocked."""
    colours = library("matplotlib").colormaps["YlOrBr"].with_extremes(over=COLOUR)
    for place, layer in enumerate(layers):
        shares = np.where(layer.neurons.dead, 2.0, layer.neurons.blocked)  # 2: beyond the scale
        row = -np.sort(-shares)[np.newaxis]
        image = axes.imshow(row, extent=(0, 1, place - 0.36, place + 0.36), aspect="auto",
                            cmap=colours, vmin=0, vmax=1, interpolation="nearest")  # fmt: skip
        dead = int(np.count_nonzero(layer.neurons.dead))
        axes.annotate(f"{dead} of {layer.width} dead", (1.02, place), va="center", fontsize=8,
                      annotation_clip=False)  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(len(layers) - 0.5, -0.5), xticks=[])
    axes.spines[:].set_visible(False)
    axes.tick_params(axis="y", length=0)
    _names(axes.set_yticks, layers)
    titled(axes, "Neuron by neuron (blue: dead)", 11)
    bar = axes.figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.6, aspect=30)
    bar.ax.xaxis.set_major_formatter(library("matplotlib.ticker").PercentFormatter(1.0))
    bar.ax.tick_params(labelsize=8)


def _flows(layer: SeenLayer) -> list[tuple[float, float]]:
    """What entered and what left, in the moments in which both were seen."""
    return [
        (moment.flow_in, moment.flow_out)
        for moment in layer.history
        if moment.flow_in is not None and moment.flow_out is not None
    ]


def _positive(values: Array) -> Array:
    """What a logarithmic axis can show."""
    return np.where((values > 0) & np.isfinite(values), values, np.nan)


def _names(set_ticks: Any, layers: tuple[SeenLayer, ...]) -> None:
    names = [_short(f"{layer.name}\n{_short(layer.function, _LONGEST)}", 60) for layer in layers]
    set_ticks(range(len(layers)), names, fontsize=8, parse_math=False)


def _mark(steps: list[int]) -> str:
    """A line needs two points; one is a dot."""
    return "-" if len(steps) > 1 else "o"


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
