"""Taylor's formula for expansions, with a rigorous remainder."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from limen.formula.analysis import digits
from limen.formula.analysis.enclosure import Enclosure
from limen.formula.analysis.expansion import UNIT, Expansion, Rest, TooNearError, UnsupportedError
from limen.formula.derive import derivative
from limen.formula.expression import Expression, input_
from limen.formula.stabilize import canonical

__all__ = ["taylor"]

X = input_("x")
_ORDER = 4  # terms before the remainder


@cache
def _slopes(function: Expression) -> tuple[tuple[Expression, ...], Enclosure]:
    """The function and its derivatives below `_ORDER`, and the bounds of the next."""
    found = [function]
    for _ in range(_ORDER):
        found.append(canonical(derivative(found[-1], X)))
    return tuple(found[:-1]), Enclosure(found[-1])


def taylor(function: Expression, u: Expansion) -> Expansion:
    """function(u) for u that tends to a number, with Lagrange's remainder."""
    centre = u.terms.get(UNIT, digits.number(0))
    small = u.plus(Expansion.constant(-centre, u.start))
    if small.terms and next(iter(small.terms)).growth >= 0:
        raise UnsupportedError
    if small.rest and small.rest.scale.growth >= 0:
        raise UnsupportedError
    slopes, last = _slopes(function)
    at = [digits.value(slope, centre) for slope in slopes]
    if not all(digits.context().isfinite(value) for value in at):
        raise UnsupportedError
    at = [_clean(*pair) for pair in zip(at, [*at[1:], 0], strict=True)]
    total = Expansion.constant(at[0], u.start)
    if small.is_zero:
        return total
    power = Expansion.constant(digits.number(1), u.start)
    for k, value in enumerate(at[1:], 1):
        power = power.times(small)
        total = total.plus(power.scaled(value / math.factorial(k)))
    low, high = small.relative(UNIT, digits.number(1))
    middle = float(centre)
    bounds = last(middle + min(low, 0.0), middle + max(high, 0.0))
    if not all(map(math.isfinite, bounds)):
        raise TooNearError
    unit = math.factorial(_ORDER)
    remainder = Expansion(u.start, {}, [Rest(UNIT, bounds[0] / unit, bounds[1] / unit)])
    return total.plus(power.times(small).times(remainder))


def _clean(value: Any, slope: Any) -> Any:
    """A value that is 0 but for the rounding of its argument, as 0."""
    if abs(slope) > digits.STEEP:
        raise UnsupportedError
    return 0 * value if abs(value) <= digits.SAME * abs(slope) else value
