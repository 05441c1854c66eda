"""The monotone segments of a formula: what range, extrema and Lipschitz constant are read from."""

from __future__ import annotations

import math
from typing import NamedTuple

from limen.formula import digits, real
from limen.formula.answers import UNKNOWN
from limen.formula.asymptotics import Side, limit
from limen.formula.expression import Expression
from limen.formula.period import period
from limen.formula.pieces import Piece, sign_gaps, split
from limen.formula.roots import (
    AT_MINUS_INFINITY,
    AT_PLUS_INFINITY,
    Budget,
    Point,
    UndecidedError,
    slope,
)

__all__ = ["Segment", "edge", "pieces_of_domain", "segments", "segments_of_piece", "value_at"]

# A formula is taken to be singular at an irrational point if it changes by more than this, ...
_SMOOTH = 1e-20
# ... relatively, when the point is moved by this.
_NUDGE = 1e-30


class Segment(NamedTuple):
    """An open interval on which a function is continuous and monotone.

    `start` and `stop` are its one-sided limits at the two ends; `trend` is 1 where it increases,
    -1 where it decreases, 0 where it is constant.
    """

    low: Point
    high: Point
    start: float
    stop: float
    trend: int


def pieces_of_domain(expression: Expression, budget: Budget) -> list[Piece]:
    """The smooth pieces where the function has a value: of one period, if it is periodic."""
    turn = period(expression)
    if turn is None:
        found = split(expression, budget, AT_MINUS_INFINITY, AT_PLUS_INFINITY)
    else:
        # From an arbitrary place, so that nothing happens right at the ends.
        start = digits.number(0.0123456789) * turn
        found = split(expression, budget, Point.at(start), Point.at(start + turn))
    return [piece for piece in found if piece.expression is not None]


def segments(expression: Expression, budget: Budget) -> list[Segment]:
    """The monotone segments of a formula in x, from left to right; of one period, if it has one.

    Raises:
        UndecidedError, EndlessError: see `roots`.
    """
    found: list[Segment] = []
    for piece in pieces_of_domain(expression, budget):
        found += segments_of_piece(piece, budget)
    return found


def segments_of_piece(piece: Piece, budget: Budget) -> list[Segment]:
    """The monotone segments of one smooth piece."""
    formula = piece.expression
    assert formula is not None
    gaps = sign_gaps(slope(formula), piece.low, piece.high, budget)
    ends = [edge(formula, piece.low, 1)]
    ends += [_inside(formula, high) for _, high, _ in gaps[:-1]]
    ends.append(edge(formula, piece.high, -1))
    return [
        Segment(low, high, start, stop, trend)
        for (low, high, trend), start, stop in zip(gaps, ends, ends[1:], strict=False)
    ]


def _inside(formula: Expression, point: Point) -> float:
    return float(digits.value(formula, point.place))


def edge(formula: Expression, point: Point, side: Side) -> float:
    """The one-sided limit of a smooth piece at its end.

    Raises:
        UndecidedError: when there is none, or it was not found.
    """
    if math.isfinite(point.x):
        value = digits.regular(formula, point.place)
        if value is not None and (point.is_exact or _is_smooth(formula, point, side, value)):
            return float(value)
        if not point.is_exact:
            raise UndecidedError
    found = limit(formula, point.place, side)
    if found is UNKNOWN or not isinstance(found, float):
        raise UndecidedError
    return found


def _is_smooth(formula: Expression, point: Point, side: Side, value: object) -> bool:
    beside = digits.regular(formula, point.place + side * digits.number(_NUDGE))
    return beside is not None and bool(abs(beside - value) <= _SMOOTH * (1 + abs(value)))  # type: ignore[operator]


def value_at(expression: Expression, point: Point) -> float | None:
    """The value of the whole formula at a point between two pieces; None where it has none."""
    if point.is_exact:
        value = digits.value(expression, point.place)
        return float(value) if digits.context().isfinite(value) else None
    value = real.value(expression, {"x": point.x})
    return value if math.isfinite(value) else None
