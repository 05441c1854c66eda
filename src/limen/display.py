"""How an activation function shows itself: text, LaTeX, and a card for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from limen.formula.show import to_text

if TYPE_CHECKING:
    from limen.function import ActivationFunction

__all__ = ["PROPERTIES", "as_html", "as_latex", "as_text"]

PROPERTIES = (
    "kinks", "limits", "range", "roots", "extrema", "is_monotonic", "lipschitz", "is_bounded",
)  # fmt: skip
"""The analysed properties, in the order they are shown."""

_SHOWN = 2_000  # characters of LaTeX; a longer derivative is no help to a reader


def as_text(f: ActivationFunction) -> str:
    """One line: name, inputs with parameters, formula, and whatever is unusual."""
    parts = [*f.inputs, *(f"{name}={value:g}" for name, value in f.parameters.items())]
    name = f.name if f.name.isidentifier() else "f"
    return f"<{name}({', '.join(parts)}) = {to_text(f.expression, _SHOWN)}{_remarks(f)}>"


def _remarks(f: ActivationFunction) -> str:
    remarks = ""
    if f.at_kinks is not None:
        remarks += f"; derivative at kinks: {f.at_kinks}"
    if f.surrogate_function is not None:
        remarks += f"; backward pass: the derivative of {f.surrogate_function.name}"
    return remarks


def as_latex(f: ActivationFunction) -> str:
    """The formula as a displayed equation."""
    arguments = ", ".join(rf"\mathrm{{{name}}}" if len(name) > 1 else name for name in f.inputs)
    return f"$\\displaystyle f({arguments}) = {f.latex}$"


def as_html(f: ActivationFunction) -> str:
    """A card: the formula, a small picture, the derivative, and the table of properties."""
    from limen import picture

    slopes = [(name, f.derivative(name)) for name in f.inputs]
    drawn = picture.curve(f, *picture.window(f))
    rows = [(f"d/d{name}", _code(slope.formula)) for name, slope in slopes]
    rows += [(name, _code(repr(value))) for name, value in f.parameters.items()]
    if not f.is_gated:
        rows += [(label.replace("_", " "), _code(_value(f, label))) for label in PROPERTIES]
    table = "".join(
        f"<tr><th style='text-align:left'>{escape(k)}</th><td style='text-align:left'>{v}</td></tr>"
        for k, v in rows
    )
    return (
        f"<div><b>{escape(f.name)}</b>{escape(_remarks(f))}<br>{_code(f.formula)}<br>"
        f"{picture.svg(drawn.x, drawn.y, drawn.dy)}<table>{table}</table></div>"
    )


def _value(f: ActivationFunction, label: str) -> str:
    value: Any = getattr(f, label)
    return "none" if value in (None, ()) else repr(value)


def _code(text: str) -> str:
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return f"<code>{escape(shown)}</code>"
