"""Where a function is flat far out: that decides what a blocked neuron needs."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from limen.errors import LimenError
from limen.insight.comparing.trial import BLOCKED_BELOW
from limen.insight.observing.seen import SeenLayer
from limen.registry import resolve

__all__ = ["Shape", "shape_of", "usually_blocked"]

Shape = Literal["step", "rectifier", "saturating", "open", "unknown"]
"""step: flat wherever it has a derivative; rectifier: flat far out on one side; saturating: on
both; open: on neither."""


def shape_of(layer: SeenLayer) -> Shape:
    """The shape of a layer's function, from the formula; unknown where limen has none."""
    return _shape(layer.formula) if layer.formula is not None else "unknown"


def usually_blocked(layer: SeenLayer) -> float:
    """The share a function blocks of normal pre-activations of mean 0 and spread 1.

    That is what it is like: relu blocks half, hardtanh a third, and nothing is wrong.
    """
    return 0.0 if layer.formula is None else _usually_blocked(layer.formula)


@lru_cache(256)
def _usually_blocked(formula: str) -> float:
    points = np.linspace(-6.0, 6.0, 4001)
    slope = resolve(formula).backward(np.ones_like(points), points)
    density = np.exp(-(points**2) / 2.0)
    return float(density[np.abs(slope) < BLOCKED_BELOW].sum() / density.sum())


@lru_cache(256)
def _shape(formula: str) -> Shape:
    try:
        function = resolve(formula)
        if function.is_gated:
            return "unknown"
        slope = function.derivative()
        if slope.formula == "0":
            return "step" if function.kinks else "unknown"
        flat = [limit == 0.0 for limit in slope.limits]
    except LimenError:  # a formula with parameters of no present value
        return "unknown"
    return "saturating" if all(flat) else "rectifier" if any(flat) else "open"
