"""What is known of a function, in words."""

from __future__ import annotations

from typing import Any

from limen.display import PROPERTIES
from limen.function import ActivationFunction

__all__ = ["properties", "said"]


def properties(f: ActivationFunction) -> list[tuple[str, str]]:
    """The parameters and the analysed properties of a function, each with its answer in words."""
    rows = []
    if f.parameters:
        rows.append(("parameters", ", ".join(f"{k} = {v:g}" for k, v in f.parameters.items())))
    if not f.is_gated:
        rows += [(name.removeprefix("is_"), said(getattr(f, name))) for name in PROPERTIES]
    return rows


def said(answer: Any) -> str:
    """An answer of the analysis in words; whole numbers without their `.0`."""
    if answer is None:
        return "none"
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    if isinstance(answer, float):
        return f"{answer:.12g}"
    if isinstance(answer, tuple):
        return ", ".join(map(said, answer)) or "none"
    return repr(answer)
