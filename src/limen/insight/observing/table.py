"""An observation as a table."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from limen.insight.observing.seen import SeenLayer

if TYPE_CHECKING:
    from limen.insight.observing.observation import Observation

__all__ = ["as_html", "as_text"]

_HEAD = ("layer", "function", "neurons", "blocked", "dead", "flow in", "flow out", "rank", "probe")
_TEXTS = 2  # columns of text, on the left


def as_text(seen: Observation) -> str:
    """Columns, for a terminal."""
    rows = [_HEAD, *map(_row, seen.layers)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(_HEAD))]
    lines = [_caption(seen)]
    for row in rows if len(rows) > 1 else ():
        cells = [
            cell.ljust(width) if k < _TEXTS else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def as_html(seen: Observation) -> str:
    """The same as HTML."""
    head = "".join(f"<th scope='col'>{escape(cell)}</th>" for cell in _HEAD)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _row(layer)) + "</tr>"
        for layer in seen.layers
    )
    return (
        f"<table><caption>{escape(_caption(seen))}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _caption(seen: Observation) -> str:
    layers = seen.layers
    if not seen.steps:
        return "Nothing was seen: no data went through the model itself within the `with`."
    if not layers:
        return f"{seen.steps:,} steps, {seen.inputs:,} inputs: no activation was met."
    looked = max(layer.looked_steps for layer in layers)
    return f"{seen.steps:,} steps, {seen.inputs:,} inputs; {looked:,} steps looked at"


def _row(layer: SeenLayer) -> tuple[str, ...]:
    return (
        layer.name,
        layer.function,
        f"{layer.width:,}",
        f"{layer.blocked:.1%}",
        f"{int(layer.neurons.dead.sum()):,}",
        _figure(layer.flow_in, ".2g"),
        _figure(layer.flow_out, ".2g"),
        _figure(layer.effective_rank, ".1f"),
        _figure(layer.separability, ".1%"),
    )


def _figure(number: float | None, form: str) -> str:
    return "-" if number is None else format(number, form)
