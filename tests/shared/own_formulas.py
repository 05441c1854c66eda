"""Formulas of people's own, of which float32 steps overflow or cancel where the value is fine."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import limen
from limen.formula.analysis import digits
from limen.formula.expression import bind

__all__ = ["OWN", "POINTS", "derivative", "exact", "off"]

OWN: dict[str, dict[str, float]] = {
    "exp(x) / (2 + exp(x))": {},
    "log(cosh(x))": {},
    "log(2 + exp(x))": {},
    "log(2 + exp(3 * x))": {},
    "log(a + exp(b * x))": {"a": 3.0, "b": -2.0},
    "log(1 + x**2)": {},
    "log(3 + exp(x**2))": {},
    "exp(x) / sqrt(1 + exp(2 * x))": {},
    "(exp(x) - 1) / x": {},
    "tanh(x) / x": {},
    "erfcx(x)": {},
    "x - sin(x)": {},
    "x * log(1 + tanh(x))": {},
    "log(x + sqrt(1 + x**2))": {},
}

_NEAR = (1e-6, 1e-3, 0.03, 0.2, 0.6, 0.9, 1.3, 2.0, 5.0, 20.0, 31.0, 45.0, 70.0, 80.0, 86.0)
_FAR = (89.0, 95.0, 150.0, 400.0, 1e4, 1e7, 2e19, 1e30)
POINTS = np.array([side * size for side in (-1, 1) for size in (*_NEAR, *_FAR)], np.float32)

_BITS = 600
_NEXT_TO_INFINITY = 1e35  # exp(90) / 90 is a float32, and exp(90) is none


def derivative(text: str, order: int) -> Any:
    """A derivative of one of them, at its numbers."""
    f = limen.activation(text, **OWN[text])
    return f.derivative(order) if order else f


@cache
def exact(text: str, order: int) -> Any:
    """A derivative at the points, rounded to float32; NaN where it is next to infinity."""
    f = derivative(text, order)
    expression = bind(f.expression, f.parameters)
    with digits.context().workprec(_BITS):
        found = np.array([float(digits.value(expression, float(x))) for x in POINTS])
    return np.where(np.abs(found) > _NEXT_TO_INFINITY, np.nan, found)


def off(found: Any, text: str, order: int, relative: float = 1e-5, absolute: float = 2e-6) -> Any:
    """The points where a derivative is further off than float32 steps are, with what is there.

    Args:
        found: the derivative at the points.
        text: one of the formulas.
        order: of the derivative.
        relative: what it may be off by, relative to it.
        absolute: what it may be off by besides, neither far out nor beside 0.
    """
    right, size = exact(text, order), np.abs(POINTS)
    found = np.asarray(found, np.float64)
    is_between = (size > 0.01) & (size < 10)
    slack = np.abs(right) * relative + np.where(is_between, absolute, 1e-36)
    wrong = ~(np.abs(found - right) <= slack) & ~np.isnan(right)
    return [tuple(map(float, row)) for row in np.array([POINTS, found, right]).T[wrong]]
