"""What findings are made from: figures of the latest part of a history, and how they are said."""

from __future__ import annotations

from statistics import median
from typing import Literal

from limen.insight.observing.seen import Moment, SeenLayer

__all__ = ["early", "late", "percent", "worst_flow"]

Name = Literal["blocked", "flow_in", "flow_out", "effective_rank", "separability"]


def late(layer: SeenLayer, name: Name) -> float | None:
    """The median of a figure over the last quarter of the moments that have it."""
    known = _known(layer.history, name)
    return median(known[-max(len(known) // 4, 1) :]) if known else None


def early(layer: SeenLayer, name: Name) -> float | None:
    """The median of a figure over the first quarter of the moments that have it."""
    known = _known(layer.history, name)
    return median(known[: max(len(known) // 4, 1)]) if known else None


def worst_flow(layers: tuple[SeenLayer, ...]) -> SeenLayer | None:
    """The first layer through which a flow came back that is no number."""
    return next((x for x in layers if any(not f < float("inf") for f in _flows(x))), None)


def percent(share: float) -> str:
    """A share as people say it: with digits where it is small."""
    return f"{share:.0%}" if share >= 0.1 else f"{100.0 * share:.2g}%"


def _flows(layer: SeenLayer) -> list[float]:
    return _known(layer.history, "flow_in") + _known(layer.history, "flow_out")


def _known(history: tuple[Moment, ...], name: Name) -> list[float]:
    return [value for moment in history if (value := getattr(moment, name)) is not None]
