"""Finds out whether a function is an exponential, which needs no fitting."""

from __future__ import annotations

import math

import numpy as np

from limen.kernels.tuned.powers import Powers
from limen.tuning.target import Reals, Target

__all__ = ["powers_of"]

_FAR = 64.0  # the exponent up to which functions are compared
_SAME = 2.0**-43  # of numbers whose exponents are that large


def powers_of(target: Target) -> Powers | None:
    """The table of powers that a function is; None where it is no exponential.

    Args:
        target: the function.
    """
    found = (_exponential(target, side) for side in (-1.0, 1.0))
    return next((table for table in found if table is not None), None)


def _exponential(target: Target, side: float) -> Powers | None:
    """The table of a function that is an exponential on one side of 0 at least."""
    near, start = float(target(side)), float(target(0.0))
    ratio = near / start if start else 0.0
    if not 0 < ratio < math.inf or ratio == 1:
        return None
    rate = _rounded(side * math.log(ratio))
    x = np.linspace(0.0, side * _FAR / abs(rate), 97)
    if not _agree(target(x), start * np.exp(rate * x)):
        return None
    other = target(-x[1:])
    if _agree(other, start * np.exp(-rate * x[1:])):
        return Powers(rate, start)
    # Where it rests at 0, a gradient is blocked: that is for other tables.
    is_at_rest = side * rate < 0 and bool(np.all(other == other[0])) and other[0] != 0
    return Powers(rate, start, rest=float(other[0])) if is_at_rest else None


def _rounded(rate: float) -> float:
    """The float32 that a rate is but for the rounding of what it was found by."""
    single = float(np.float32(rate))
    return single if abs(rate - single) <= _SAME * abs(rate) else rate


def _agree(found: Reals, expected: Reals) -> bool:
    return bool(np.all(np.abs(found - expected) <= _SAME * np.abs(expected)))
