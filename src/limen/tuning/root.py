"""Fits what an even or odd function is beside a double or triple root at 0."""

from __future__ import annotations

import math

import numpy as np

from limen.kernels.tuned.table import Root
from limen.tuning.target import Target

__all__ = ["fit_multiple_root"]

_DEGREE = 4  # of a polynomial in x**2
_NEAR = 2.0**-12  # where the order shows
_CLOSE = 2.0**-28  # the largest error, relative to the function
_MANY = 200


def fit_multiple_root(target: Target, reach: float) -> Root | None:
    """The root at 0 of an even or odd function; None where it is none, or no double or triple one.

    Args:
        target: the function.
        reach: how large |x| may be.
    """
    near, twice = (float(target(x)) for x in (_NEAR, 2 * _NEAR))
    growth = twice / near if near else 0.0
    order = round(math.log2(growth)) if growth > 0 else 0
    if target(0.0) != 0 or order not in (2, 3):
        return None
    x = reach * np.sqrt(np.linspace(0.0, 1.0, _MANY + 1)[1:])
    expected = target(x) / x**order
    fitted = np.polynomial.Chebyshev.fit(x**2, expected, _DEGREE, domain=[0.0, reach**2])
    a0, *higher = fitted.convert(kind=np.polynomial.Polynomial).coef.tolist()
    single = float(np.float32(a0))
    root = Root(order, reach, _single(a0 - single), (single, *map(_single, higher)))
    g = np.polynomial.Polynomial([single + root.rest, *root.coefficients[1:]])
    return root if np.all(np.abs(g(x**2) - expected) <= _CLOSE * np.abs(expected)) else None


def _single(number: float) -> float:
    return float(np.float32(number))
