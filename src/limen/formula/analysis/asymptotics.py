"""What a formula does towards infinity, or towards a point from one side.

The answers are read from an expansion (`tails`) whose start is moved out until it decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal

from limen.formula.analysis.answers import UNKNOWN, Unknown
from limen.formula.analysis.expansion import Expansion, Scale, TooNearError, UnsupportedError
from limen.formula.analysis.tails import UndefinedError, expand
from limen.formula.expression import Expression, constant, input_, substitute

__all__ = ["Side", "limit", "sign_from", "toward"]

Side = Literal[-1, 1]

X = input_("x")
# Later starts make sharper bounds and leave more to search before them.
_STARTS = (5.0, 16.0, 512.0, 1e5, 1e9, 1e15)


def toward(expression: Expression, point: float | Fraction, side: Side = 1) -> Expression:
    """The formula in t, with x going to `point` as t goes to infinity.

    For a finite point, x = point + side / t; x = t or -t for an infinite one.
    """
    if isinstance(point, float) and math.isinf(point):
        place = X if point > 0 else -X
    else:
        place = constant(point) + constant(side) / X
    return substitute(expression, {X: place})


def limit(
    expression: Expression, point: float | Fraction, side: Side = 1
) -> float | Unknown | None:
    """The limit of a formula in x at a point or at infinity.

    Args:
        expression: a formula in x without parameters.
        point: -inf, inf, or an exact number.
        side: for a number, 1 for the limit from above, -1 from below.

    Returns:
        The limit, infinite where the formula grows without bound and -0.0 where 0 is approached
        from below; None where there is provably none; `UNKNOWN`.

    Example:
        >>> from limen.formula.expression import apply
        >>> limit(apply("exp", X) * X, -math.inf)
        -0.0
    """
    found: float | Unknown | None = _settled(toward(expression, point, side), _limit)
    return found


def sign_from(
    expression: Expression, point: float | Fraction, side: Side = 1
) -> tuple[float, int] | None:
    """A start and the sign that the formula has from there to `point`; None when undecided.

    The start is a distance for a finite point: the sign holds for 0 < |x - point| <= 1 / start.
    """
    found = _settled(toward(expression, point, side), lambda e: (e.start, e.sign()))
    return found if isinstance(found, tuple) else None


def _settled(expression: Expression, ask: Callable[[Expansion], Any]) -> Any:
    """The first answer as the start moves out."""
    for start in _STARTS:
        try:
            return ask(expand(expression, start))
        except TooNearError:
            continue
        except UndefinedError:
            return None
        except UnsupportedError:
            break
    return UNKNOWN


def _limit(e: Expansion) -> float | None:
    if e.is_zero:
        return 0.0
    scale, c = e.largest()
    growth = scale.growth
    if growth > 0:
        return _growing(e, scale, c)
    if growth < 0:
        return 0.0 if e.rest and e.rest.oscillates else math.copysign(0.0, e.sign())
    if e.rest is None or e.rest.scale.growth < 0:
        return float(e.terms[scale])
    if e.rest.oscillates:
        return None
    raise TooNearError


def _growing(e: Expansion, scale: Scale, c: Any) -> float | None:
    try:
        return e.sign() * math.inf
    except TooNearError:
        if e.rest is not None and e.rest.oscillates and e.rest.scale == scale:
            low, high = e.relative(scale, c)
            if low < 0 < high:
                return None
        raise
