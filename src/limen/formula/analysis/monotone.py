"""Smooth pieces in sequence: how they meet, and on which parts of them the formula is monotone."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

from limen.formula.analysis import digits
from limen.formula.analysis.answers import UNKNOWN
from limen.formula.analysis.asymptotics import Side, limit
from limen.formula.analysis.period import period
from limen.formula.analysis.pieces import Piece, sign_gaps, split
from limen.formula.analysis.search import Budget, Point, UndecidedError, slope
from limen.formula.expression import Expression

__all__ = ["Joint", "Segment", "joints", "pieces", "segments", "slope_pieces", "trends"]

# Where a period is cut: an arbitrary place, so that nothing happens right at the ends.
_START = 0.0123456789


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


class Joint(NamedTuple):
    """Where two pieces meet: the limits from both sides and the value, None where there is none."""

    point: Point
    left: float | None
    value: float | None
    right: float | None

    @property
    def is_continuous(self) -> bool:
        """Whether the function is continuous here."""
        return self.left is not None and self.left == self.value == self.right

    @property
    def values(self) -> tuple[float, ...]:
        """Those of the three that exist, from left to right."""
        return tuple(v for v in (self.left, self.value, self.right) if v is not None)


def pieces(expression: Expression, budget: Budget) -> list[Piece]:
    """All pieces of a formula in x, those without a value too; of one period, if it has one."""
    turn = period(expression)
    return split(expression, budget) if turn is None else _of_one_turn(expression, turn, budget)


def _of_one_turn(expression: Expression, turn: Any, budget: Budget) -> list[Piece]:
    start = digits.number(_START) * turn
    return split(expression, budget, Point.at(start), Point.at(start + turn))


def slope_pieces(piece: Piece, budget: Budget) -> list[Piece]:
    """The pieces of the derivative on a piece; of one period, if the derivative is periodic."""
    if piece.expression is None:
        return []
    rate = slope(piece.expression)
    turn = period(rate) if math.isinf(piece.low.x) and math.isinf(piece.high.x) else None
    if turn is not None:
        return _of_one_turn(rate, turn, budget)
    return split(rate, budget, piece.low, piece.high)


def trends(piece: Piece, budget: Budget) -> set[int]:
    """The signs that the derivative takes on a piece, but for single points."""
    found = set()
    for part in slope_pieces(piece, budget):
        if part.expression is None:
            raise UndecidedError
        found |= {sign for _, _, sign in sign_gaps(part.expression, part.low, part.high, budget)}
    return found


def segments(piece: Piece, budget: Budget) -> list[Segment]:
    """The monotone segments of a piece, from left to right; none where there is no value.

    Raises:
        UndecidedError: when a limit or a zero of the derivative was not found.
        EndlessError: when there are infinitely many.
    """
    formula = piece.expression
    if formula is None:
        return []
    gaps = sign_gaps(slope(formula), piece.low, piece.high, budget)
    inside = [float(digits.value(formula, high.place)) for _, high, _ in gaps[:-1]]
    ends = [_edge(formula, piece.low, 1), *inside, _edge(formula, piece.high, -1)]
    return [
        Segment(low, high, start, stop, trend)
        for (low, high, trend), start, stop in zip(gaps, ends, ends[1:], strict=False)
    ]


def joints(expression: Expression, found: list[Piece]) -> list[Joint]:
    """Where the pieces of a formula meet, from left to right."""
    return [
        Joint(
            before.high,
            _edge(before.expression, before.high, -1),
            _value_at(expression, before.high),
            _edge(after.expression, after.low, 1),
        )
        for before, after in pairwise(found)
    ]


def slope_joint(before: Piece, after: Piece) -> Joint:
    """How the derivative goes from one piece to the next; it has no value of its own there."""
    left, right = (p.expression and slope(p.expression) for p in (before, after))
    return Joint(before.high, _edge(left, before.high, -1), None, _edge(right, after.low, 1))


def _edge(formula: Expression | None, point: Point, side: Side) -> Any:
    """The one-sided limit of a smooth piece at its end, a float; None for no formula.

    Raises:
        UndecidedError: when there is no limit, or it was not found.
    """
    if formula is None:
        return None
    if math.isfinite(point.x):
        value = digits.regular(formula, point.place)
        if value is not None:
            return float(value)
    found = limit(formula, point.fraction, side)
    if found is UNKNOWN or found is None:
        raise UndecidedError
    return found


def _value_at(expression: Expression, point: Point) -> float | None:
    """The value of the whole formula at a point between two pieces; None where it has none."""
    value = digits.regular(expression, point.place)
    return None if value is None else float(value)
