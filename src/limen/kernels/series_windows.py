"""Windows made of power series: cut to length, and compared with the function."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from limen.formula.analysis import digits
from limen.formula.analysis.series import Series
from limen.formula.expression import Expression
from limen.kernels.patches import Window

__all__ = ["EXACT", "agrees", "both_sides", "continues", "fit"]

EXACT = 2.0**-60
"""What may be left out of a series, relative to it."""

_FAINT = 1e-35  # a coefficient that adds less than this is the rounding of a sum that cancels
# Where a window is compared with the function, as parts of its reach.
_NEAR_PARTS = (1.0, 0.77, 0.31, 0.1)
_FAR_PARTS = (1.0, 0.7, 0.1, 1e-3, 1e-12)
_BITS = 600


def fit(series: Series, centre: Any, side: int, reach: float) -> Window | None:
    """The window of a series; None where its terms do not become small within the reach.

    Args:
        series: in the distance to the centre; in 1/|x| where that is infinite.
        centre: a number of 60 digits, or an infinite one.
        side: 1 or -1, where the series holds.
        reach: how large its variable may be.
    """
    if not series.terms:
        return None
    sizes = [abs(c) * digits.number(reach) ** k for k, c in enumerate(series.terms)]
    faint = max(sizes) * _FAINT
    terms = [c if s > faint else 0 * c for c, s in zip(series.terms, sizes, strict=True)]
    lost = next(k for k, c in enumerate(terms) if c)
    start, terms, sizes = series.start + lost, terms[lost:], sizes[lost:]
    least = max(sizes) * EXACT
    kept = max(k for k, s in enumerate(sizes) if s > least) + 1
    if kept > len(terms) - 2:
        return None
    far = digits.context().isinf(centre)
    if not far and side < 0:
        terms = [c if (k + start) % 2 == 0 else -c for k, c in enumerate(terms)]
    pairs = tuple(digits.halves(c) for c in terms[:kept])
    middle = (float(centre), 0.0) if far else digits.halves(centre)
    return Window(middle, reach, side, False, start, pairs)


def agrees(window: Window, expression: Expression, centre: Any) -> bool:
    """Whether a window gives the function, compared in many more digits."""
    mp = digits.context()
    is_far = mp.isinf(centre)
    with mp.workprec(_BITS):
        for part in _FAR_PARTS if is_far else _NEAR_PARTS:
            t = mp.mpf(window.reach) * part
            at = window.side / t if is_far else centre + window.side * t
            exact = digits.value(expression, at)
            value = _value(window, t if is_far else window.side * t)
            if not abs(value - exact) <= 4 * EXACT * abs(exact):
                return False
    return True


def _value(window: Window, t: Any) -> Any:
    total = digits.number(0)
    for high, low in reversed(window.coefficients):
        total = total * t + (digits.number(high) + low)
    return total * t**window.start


def continues(left: Window, right: Window) -> bool:
    """Whether the series of both sides are one."""
    if left.start != right.start or left.reach != right.reach:
        return False
    shared = zip(left.coefficients, right.coefficients, strict=False)
    return all(abs(a[0] - b[0]) <= 1e-13 * max(abs(a[0]), abs(b[0])) for a, b in shared)


def both_sides(window: Window, keeps_centre: bool) -> Window:
    """The window for both sides of its centre."""
    return replace(window, side=0, keeps_centre=keeps_centre)
