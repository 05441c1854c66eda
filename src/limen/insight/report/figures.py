"""The figures of the page, made with plotly: their colours are names that the page resolves.

A colour such as `var(--value)` is a custom property of the page's style sheet, so that a figure
follows the theme. Text that came with the model is escaped: plotly reads a little HTML in labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import ceil, inf, isfinite, log10
from typing import TYPE_CHECKING, Any

from limen.insight.report.packages import needed

if TYPE_CHECKING:
    from limen.insight.observing.seen import SeenLayer

__all__ = ["flow_figure", "layer_figure", "progress_figure"]

Figure = dict[str, Any]

_VALUE, _SLOPE, _INK, _GRID = "var(--value)", "var(--slope)", "var(--ink)", "var(--grid)"
_BANDS = ((0, 4, "5% to 95%", "outer"), (1, 3, "25% to 75%", "inner"))  # of the five quantiles
_LONGEST = 18  # characters of a layer's name on an axis
_MOST_NAMES, _MOST_POWERS = 12, 6  # on an axis of a phone


def layer_figure(layer: SeenLayer) -> Figure:
    """A layer over training: pre-activations, activations, the share that is blocked."""
    figure = needed("plotly.subplots").make_subplots(
        rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.4, 0.4, 0.2]
    )
    steps = [moment.step for moment in layer.history]
    for row, what, colour in ((1, "pre_activation", _SLOPE), (2, "activation", _VALUE)):
        quantiles = [getattr(moment, what) for moment in layer.history]
        for trace in _bands(steps, quantiles, colour):
            figure.add_trace(trace, row=row, col=1)
        figure.update_yaxes(title_text=what.replace("_", "-"), row=row, col=1)
    shares = [moment.blocked for moment in layer.history]
    figure.add_trace(_line(steps, shares, _INK, "blocked"), row=3, col=1)
    figure.update_yaxes(title_text="blocked", tickformat=".0%", range=[-0.05, 1.05], row=3, col=1)
    figure.update_xaxes(title_text="step", row=3, col=1)
    figure.update_layout(showlegend=False)
    return _finished(figure, 520)


def flow_figure(layers: Sequence[SeenLayer]) -> Figure:
    """The learning flow entering and leaving each layer, on a logarithmic scale."""
    figure, places = needed("plotly.graph_objects").Figure(), list(range(len(layers)))
    seen: list[float] = []
    for label, flows, colour, symbol in (
        ("leaving the layer", [layer.flow_out for layer in layers], _VALUE, "circle"),
        ("entering it", [layer.flow_in for layer in layers], _SLOPE, "circle-open"),
    ):
        shown = [flow if flow is not None and 0 < flow < inf else None for flow in flows]
        seen += [flow for flow in shown if flow is not None]
        figure.add_trace(_line(places, shown, colour, label, mode="lines+markers", symbol=symbol))
    _name_layers(figure, layers)
    # A label at each power of ten, or each few of them; where there is hardly one, plotly's own.
    decades = log10(max(seen) / min(seen)) if seen else 0.0
    ticks = {"dtick": ceil(decades / _MOST_POWERS), "exponentformat": "power"}
    figure.update_yaxes(type="log", title_text="root mean square", **(ticks if decades > 1 else {}))
    return _finished(figure, 340)


def progress_figure(layers: Sequence[SeenLayer]) -> Figure:
    """How well a linear probe tells the classes apart after each layer."""
    figure, places = needed("plotly.graph_objects").Figure(), list(range(len(layers)))
    shares = [layer.separability for layer in layers]
    figure.add_trace(_line(places, shares, _VALUE, "accuracy", mode="lines+markers"))
    _name_layers(figure, layers)
    figure.update_yaxes(title_text="accuracy of a linear probe", tickformat=".0%")
    figure.update_layout(showlegend=False)
    return _finished(figure, 300)


def _bands(steps: list[int], quantiles: list[tuple[float, ...]], colour: str) -> list[Any]:
    """Two bands of quantiles, and the median on top."""
    scatter = needed("plotly.graph_objects").Scatter
    traces = []
    for low, high, label, part in _BANDS:
        below, above = (_numbers(q[at] for q in quantiles) for at in (low, high))
        edge = {"x": steps, "mode": "lines", "line": {"width": 0}}
        traces.append(scatter(**edge, y=below, name=f"{label}, low end"))
        fill = {"fill": "tonexty", "fillcolor": colour.replace(")", f"-{part})")}
        traces.append(scatter(**edge, **fill, y=above, name=f"{label}, high end"))
    return [*traces, _line(steps, [q[2] for q in quantiles], colour, "median")]


def _line(
    x: Sequence[Any], y: Iterable[float | None], colour: str, name: str, *,
    mode: str | None = None, symbol: str = "circle",
) -> Any:  # fmt: skip
    return needed("plotly.graph_objects").Scatter(
        x=list(x), y=_numbers(y), name=name, mode=mode or ("lines" if len(x) > 1 else "markers"),
        line={"color": colour, "width": 2}, marker={"color": colour, "size": 9, "symbol": symbol},
    )  # fmt: skip


def _finished(figure: Any, height: int) -> Figure:
    """The figure as plain data, in the page's colours and of the page's width."""
    # Fixed ranges: a finger on a phone scrolls the page.
    axis = {"gridcolor": _GRID, "linecolor": _GRID, "fixedrange": True, "automargin": True}
    figure.update_xaxes(**axis, zeroline=False)
    figure.update_yaxes(**axis, zerolinecolor=_INK, zerolinewidth=1, title_standoff=12)
    figure.update_layout(
        height=height, template=None, paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _INK, "size": 13}, margin={"l": 50, "r": 10, "t": 10, "b": 40},
        dragmode=False, hovermode="x unified", hoverlabel={"bgcolor": "var(--panel)"},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )  # fmt: skip
    data: Figure = figure.to_plotly_json()
    return data


def _numbers(values: Iterable[float | None]) -> list[float | None]:
    """Five digits of each, which is more than a screen shows; JSON has no NaN."""
    return [
        float(f"{value:.5g}") if value is not None and isfinite(value) else None for value in values
    ]


def _name_layers(figure: Any, layers: Sequence[SeenLayer]) -> None:
    """The names of layers below the horizontal axis; of many layers, of some of them."""
    places = range(0, len(layers), ceil(len(layers) / _MOST_NAMES))
    names = [_short(layers[place].name) for place in places]
    figure.update_xaxes(tickvals=list(places), ticktext=names)


def _short(text: str) -> str:
    return escape(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")
