"""What is known of a function, and shares, in words."""

from __future__ import annotations

from typing import Any

from limen.display import PROPERTIES
from limen.function import ActivationFunction

__all__ = ["percent", "properties", "said"]


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


def percent(share: float) -> str:
    """A share as people say it: digits where it is near nothing or all, and never rounded to all.

    Example:
        >>> [percent(share) for share in (0.00042, 0.034, 0.61, 0.995, 0.9999, 1.0, 1.8)]
        ['0.042%', '3.4%', '61%', '99.5%', '>99.9%', '100%', '180%']
    """
    hundredths = 100.0 * share
    if hundredths < 10.0:
        return f"{hundredths:.2g}%"
    if 99.9 < hundredths < 100.0:
        return ">99.9%"
    return f"{hundredths:.1f}%" if 90.0 < hundredths < 100.0 else f"{hundredths:.0f}%"
