"""The properties of a function of one input: exact where they can be, honest where not.

Every question takes the formula itself, with numbers for all parameters, and is answered with

- the answer, each number in it the double nearest the true one;
- `ENDLESS` where there are infinitely many points;
- None for a limit that provably does not exist;
- `UNKNOWN` where a bounded amount of work did not decide.

How: the formula is cut into smooth pieces at the zeros of what its choices depend on (`pieces`),
each piece into monotone segments at the zeros of its derivative (`roots`, `monotone`), and what
happens towards infinity is told by expansions (`asymptotics`). A periodic function is looked at
over one period. The questions are independent and nothing is kept between them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Literal, ParamSpec, TypeVar

from limen.errors import FormulaError
from limen.formula.analysis import asymptotics, digits
from limen.formula.analysis.answers import (
    ENDLESS,
    UNKNOWN,
    Endless,
    Extremum,
    Range,
    Stretch,
    Unknown,
)
from limen.formula.analysis.monotone import (
    Joint,
    Segment,
    joints,
    pieces,
    segments,
    slope_joint,
    slope_pieces,
    trends,
)
from limen.formula.analysis.period import period
from limen.formula.analysis.pieces import Piece
from limen.formula.analysis.roots import zeros
from limen.formula.analysis.search import Budget, EndlessError, UndecidedError
from limen.formula.analysis.turning import extrema_of
from limen.formula.expression import ZERO, Expression
from limen.formula.stabilize import stable

__all__ = [
    "direction",
    "extrema",
    "is_bounded",
    "is_monotonic",
    "kinks",
    "limits",
    "lipschitz",
    "range",
    "roots",
]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_Limit = float | None | Unknown


def _or_unknown(question: Callable[_P, _R]) -> Callable[_P, _R | Unknown]:
    """The question, answered with `UNKNOWN` where the search gave up."""

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

    A pole and an end of the domain count: the value is not continuous there. Where two branches
    meet in value and slope there is no kink: ELU has none for alpha = 1.

    Example:
        >>> from limen.formula.parse import parse
        >>> kinks(parse("x * clip(x + 3, 0, 6) / 6"))
        (-3.0, 3.0)
    """
    found = pieces(expression, Budget())
    points = []
    for joint, (before, after) in zip(joints(expression, found), pairwise(found), strict=True):
        if not joint.is_continuous or _bends(slope_joint(before, after)):
            points.append(joint.point.x)
    return _endless_if_periodic(expression, tuple(points))


def _bends(joint: Joint) -> bool:
    assert joint.left is not None
    return joint.left != joint.right or not math.isfinite(joint.left)


def _endless_if_periodic(expression: Expression, found: tuple[_R, ...]) -> tuple[_R, ...] | Endless:
    """What was found in one period, as an answer for the whole line."""
    return ENDLESS if found and period(expression) is not None else found


def limits(expression: Expression) -> tuple[_Limit, _Limit]:
    """The limits at -inf and at +inf.

    Returns:
        For each a float, infinite where the function grows without bound and -0.0 where it tends
        to 0 from below; None where there is provably no limit; or `UNKNOWN`.

    Example:
        >>> from limen.formula.parse import parse
        >>> limits(parse("x / (1 + exp(-x))")), limits(parse("sin(x)"))
        ((-0.0, inf), (None, None))
    """
    if period(expression) is not None:
        return _limits_of_periodic(expression)
    return _limit(expression, -math.inf), _limit(expression, math.inf)


def _limit(expression: Expression, end: float) -> _Limit:
    try:
        found = asymptotics.limit(expression, end)
        return asymptotics.limit(stable(expression), end) if found is UNKNOWN else found
    except FormulaError:
        return UNKNOWN


def _limits_of_periodic(expression: Expression) -> tuple[_Limit, _Limit]:
    """None, unless the function is constant."""
    values = [digits.value(expression, place) for place in (0.2, 0.5, 1.7, 2.9)]
    if all(abs(v - values[0]) <= digits.SAME * (1 + abs(v)) for v in values):
        return UNKNOWN, UNKNOWN
    return None, None


@_or_unknown
def roots(expression: Expression) -> tuple[float | Stretch, ...] | Endless:
    """The points where the function is 0, from left to right.

    Returns:
        Floats, and a `Stretch` for an interval of roots: (-inf, 0] for ReLU.

    Example:
        >>> from limen.formula.parse import parse
        >>> roots(parse("x * clip(x + 3, 0, 6) / 6"))
        ((-inf, -3.0], 0.0)
    """
    budget = Budget()
    found = pieces(expression, budget)
    answer: list[float | Stretch] = []
    meetings = [*joints(expression, found), None]
    for piece, joint in zip(found, meetings, strict=True):
        try:
            answer += _roots_of_piece(piece, budget)
        except EndlessError:
            return ENDLESS
        if joint is not None and joint.value == 0:
            answer.append(joint.point.x)
    return _endless_if_periodic(expression, tuple(_joined(answer)))


def _roots_of_piece(piece: Piece, budget: Budget) -> list[float | Stretch]:
    if piece.expression is None:
        return []
    if piece.expression is ZERO:
        return [Stretch(piece.low.x, piece.high.x, False, False)]
    return [point.x for point in zeros(piece.expression, piece.low, piece.high, budget)]


def _joined(places: list[float | Stretch]) -> Iterator[float | Stretch]:
    """Places from left to right, with a stretch taking in the root at its end."""
    last: float | Stretch | None = None
    for place in places:
        together = None if last is None else _union(last, place)
        if together is None and last is not None:
            yield last
        last = place if together is None else together
    if last is not None:
        yield last


def _union(left: float | Stretch, right: float | Stretch) -> Stretch | None:
    if isinstance(left, Stretch) and left.high == right:
        return Stretch(left.low, left.high, left.low_included, True)
    if isinstance(right, Stretch) and left == right.low:
        return Stretch(right.low, right.high, True, right.high_included)
    if isinstance(left, Stretch) and isinstance(right, Stretch):
        touching = left.high == right.low and left.high_included
        ends = left.low_included, right.high_included
        return Stretch(left.low, right.high, *ends) if touching else None
    return None


@_or_unknown
def extrema(expression: Expression) -> tuple[Extremum, ...] | Endless:
    """The local minima and maxima, from left to right.

    A stretch on which the function is constant is one extremum, if the function goes up from it
    (or down from it) wherever it goes on: ReLU has a minimum on (-inf, 0].

    Example:
        >>> from limen.formula.parse import parse
        >>> extrema(parse("x / (1 + exp(-x))"))
        (minimum -0.2784645427610738 at -1.2784645427610737,)
    """
    budget = Budget()
    found = pieces(expression, budget)
    meetings = joints(expression, found)
    try:
        parts = [s for piece in found for s in segments(piece, budget)]
    except EndlessError:
        return _extrema_of_endless(found, budget)
    return _endless_if_periodic(expression, extrema_of(parts, meetings))


def _extrema_of_endless(found: list[Piece], budget: Budget) -> tuple[Extremum, ...] | Endless:
    """For a slope with infinitely many zeros: does it change its sign again and again?"""
    (piece,) = found if len(found) == 1 else (None,)
    if piece is None:
        raise UndecidedError
    signs = trends(piece, budget)
    return ENDLESS if {1, -1} <= signs else ()


@_or_unknown
def range(expression: Expression) -> Range:
    """The smallest interval that holds every value, and whether its ends are values.

    A function that jumps need not take every value between: Heaviside's range is [0, 1].

    Example:
        >>> from limen.formula.parse import parse
        >>> range(parse("x / (1 + exp(-x))"))
        [-0.2784645427610738, inf)
    """
    budget = Budget()
    found = pieces(expression, budget)
    try:
        return _range_of(expression, found, budget)
    except (UndecidedError, EndlessError):
        # A function continuous on the whole line takes every value between its limits.
        ends = set(limits(expression))
        if len(found) == 1 and found[0].expression is not None and ends == {-math.inf, math.inf}:
            return Range(-math.inf, math.inf, False, False)
        raise


def _range_of(expression: Expression, found: list[Piece], budget: Budget) -> Range:
    taken = {v for joint in joints(expression, found) if (v := joint.value) is not None}
    approached: set[float] = set()
    for piece in found:
        parts = segments(piece, budget)
        taken |= _turning_values(parts, whole=period(expression) is not None)
        approached |= {v for part in parts for v in (part.start, part.stop)}
    if not approached:
        raise UndecidedError  # no real value anywhere
    low, high = min(taken | approached), max(taken | approached)
    return Range(low + 0.0, high + 0.0, low in taken, high in taken)


def _turning_values(parts: list[Segment], whole: bool) -> set[float]:
    """The values at the ends of segments that lie inside a piece, and on flat segments.

    `whole`: the piece is one of a periodic function, whose outer ends are places like any other.
    """
    inside = {part.stop for part in (parts if whole else parts[:-1])}
    inside = {value for value in inside if math.isfinite(value)}
    return inside | {part.start for part in parts if part.trend == 0}


@_or_unknown
def direction(
    expression: Expression,
) -> Literal["increasing", "decreasing", "constant"] | None:
    """Which way a monotone function goes, not strictly; None for one that is not monotone.

    Example:
        >>> from limen.formula.parse import parse
        >>> direction(parse("tanh(x)")), direction(parse("sin(x)"))
        ('increasing', None)
    """
    budget = Budget()
    found = pieces(expression, budget)
    signs: set[int] = set()
    for piece in found:
        if piece.expression is not None:
            signs |= trends(piece, budget)
    met = [v for joint in joints(expression, found) for v in joint.values]
    signs |= {(b > a) - (b < a) for a, b in pairwise(met)}
    if {1, -1} <= signs:
        return None
    return "increasing" if 1 in signs else "decreasing" if -1 in signs else "constant"


def is_monotonic(expression: Expression) -> bool | Unknown:
    """Whether the function never falls, or never rises, on its domain.

    Example:
        >>> from limen.formula.parse import parse
        >>> is_monotonic(parse("x + sin(x)**2"))
        True
    """
    found = direction(expression)
    return found if isinstance(found, Unknown) else found is not None


@_or_unknown
def lipschitz(expression: Expression) -> float:
    """The smallest L with |f(a) - f(b)| <= L |a - b|: the largest slope; inf where f jumps.

    Example:
        >>> from limen.formula.parse import parse
        >>> lipschitz(parse("x / (1 + exp(-x))"))
        1.099839320128867
    """
    budget = Budget()
    found = pieces(expression, budget)
    if any(len(set(joint.values)) > 1 for joint in joints(expression, found)):
        return math.inf
    steepest = 0.0
    for part in (part for piece in found for part in slope_pieces(piece, budget)):
        for segment in segments(part, budget):
            steepest = max(steepest, abs(segment.start), abs(segment.stop))
    return steepest


def is_bounded(expression: Expression) -> bool | Unknown:
    """Whether all values lie between two numbers.

    Example:
        >>> from limen.formula.parse import parse
        >>> is_bounded(parse("tanh(x)")), is_bounded(parse("exp(x)"))
        (True, False)
    """
    found = range(expression)
    if isinstance(found, Unknown):
        return found
    return math.isfinite(found.low) and math.isfinite(found.high)
