"""The properties of a function of one input: exact where they can be, honest where not.

Every question takes the formula itself, with numbers for all parameters, and is answered with

- the answer, each number the double nearest the true one;
- `ENDLESS` where there are infinitely many points;
- None for a limit that provably does not exist;
- `UNKNOWN` where a bounded amount of work did not decide.

How: the formula is cut into smooth pieces at the zeros of what its choices depend on (`pieces`),
each piece into monotone segments at the zeros of its derivative (`roots`, `monotone`), and what
happens towards infinity is told by expansions (`asymptotics`). A periodic function is looked at
over one period.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Literal, ParamSpec, TypeVar

from limen.errors import FormulaError
from limen.formula import asymptotics, turning
from limen.formula.answers import (
    ENDLESS,
    UNKNOWN,
    Endless,
    Extremum,
    Range,
    Stretch,
    Unknown,
)
from limen.formula.expression import ZERO, Expression
from limen.formula.monotone import (
    Segment,
    edge,
    pieces_of_domain,
    segments,
    segments_of_piece,
    value_at,
)
from limen.formula.period import period
from limen.formula.pieces import sign_gaps, split
from limen.formula.roots import Budget, EndlessError, Point, UndecidedError, slope, zeros
from limen.formula.stabilize import canonical

__all__ = [
    "direction",
    "extrema",
    "is_bounded",
    "is_monotonic",
    "kinks",
    "limits",
    "lipschitz",
    "range_",
    "roots",
]

Direction = Literal["increasing", "decreasing", "constant"]
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _or_unknown(question: Callable[_P, _R]) -> Callable[_P, _R | Unknown]:
    @functools.wraps(question)
    def asked(*args: _P.args, **kwargs: _P.kwargs) -> _R | Unknown:
        try:
            return question(*args, **kwargs)
        except (UndecidedError, EndlessError, FormulaError):
            return UNKNOWN

    return asked


@_or_unknown
def kinks(expression: Expression) -> tuple[float, ...] | Endless:
    """The points where the value or the derivative is discontinuous, from left to right.

    A pole and an end of the domain count, as the value is not continuous there. Where two branches
    meet in value and slope there is no kink: ELU has none for alpha = 1.

    Example:
        >>> from limen.formula.parse import parse
        >>> kinks(parse("x * clip(x + 3, 0, 6) / 6"))
        (-3.0, 3.0)
    """
    budget = Budget()
    try:
        pieces = split(expression, budget)
    except EndlessError:
        return _endless_if(kinks_in_a_period(expression))
    return tuple(p.x for p in _kinks_between(expression, pieces))
