"""What findings are made from: figures of the first and of the latest part of a history."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Literal

from limen.insight.observing.seen import Moment, SeenLayer

__all__ = ["early", "handed_on", "late", "late_span", "worst_flow"]

Name = Literal["blocked", "flow_in", "flow_out", "effective_rank", "separability"]


def late(layer: SeenLayer, name: Name) -> float | None:
    """The median of a figure over the last quarter of the moments that have it."""
    known = _known(layer.history, name)
    return median(known[-max(len(known) // 4, 1) :]) if known else None


def early(layer: SeenLayer, name: Name) -> float | None:
    """The median of a figure over the first quarter of the moments that have it."""
    known = _known(layer.history, name)
    return median(known[: max(len(known) // 4, 1)]) if known else None


def handed_on(layer: SeenLayer, when: Callable[[SeenLayer, Name], float | None]) -> float | None:
    """How much of the flow that comes to a layer it hands on, `early` or `late`."""
    came, went = when(layer, "flow_in"), when(layer, "flow_out")
    return went / came if came and went is not None else None


def late_span(layer: SeenLayer) -> tuple[float, float]:
    """Between what bounds nine of ten pre-activations lie in the last quarter of the moments."""
    latest = [moment.pre_activation for moment in layer.history]
    latest = latest[-max(len(latest) // 4, 1) :]
    return median(low for low, *_ in latest), median(high for *_, high in latest)


def worst_flow(layers: tuple[SeenLayer, ...]) -> SeenLayer | None:
    """The first layer through which a flow came back that is no number."""
    return next((x for x in layers if any(not f < float("inf") for f in _flows(x))), None)


def _flows(layer: SeenLayer) -> list[float]:
    return _known(layer.history, "flow_in") + _known(layer.history, "flow_out")


def _known(history: tuple[Moment, ...], name: Name) -> list[float]:
    return [value for moment in history if (value := getattr(moment, name)) is not None]
