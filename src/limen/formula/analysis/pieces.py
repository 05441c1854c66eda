"""A formula with choices as smooth formulas side by side.

`where`, `abs`, `sign`, `minimum`, `maximum` and `clip` take one branch between two zeros of what
decides them. Cutting the line at all those zeros, and where a divisor, a logarithm's argument or
the base of a power vanishes, leaves open pieces; on each the function is one smooth formula
without choices, or has no real value.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

from limen.formula.analysis import digits
from limen.formula.analysis.roots import sign_between, zeros
from limen.formula.analysis.search import (
    AT_MINUS_INFINITY,
    AT_PLUS_INFINITY,
    Budget,
    Point,
    UndecidedError,
)
from limen.formula.expression import (
    MINUS_ONE,
    ONE,
    ZERO,
    Expression,
    add,
    apply,
    evaluate,
    negate,
    rebuild,
    walk,
)
from limen.formula.operations import COMPARISONS
from limen.formula.stabilize import canonical

__all__ = ["Piece", "crossings", "sign_gaps", "split"]

_MOST_PIECES = 64


class Piece(NamedTuple):
    """An open interval, and the smooth formula there; None where there is no real value."""

    low: Point
    high: Point
    expression: Expression | None


class _Cell(NamedTuple):
    """A piece in the making: what every node of the formula is on it."""

    low: Point
    high: Point
    values: dict[Expression, Any]  # an expression, a bool for a comparison, None for no value


def split(
    expression: Expression,
    budget: Budget,
    low: Point = AT_MINUS_INFINITY,
    high: Point = AT_PLUS_INFINITY,
) -> list[Piece]:
    """The smooth pieces of a formula in x between two points, from left to right.

    Raises:
        UndecidedError: when a place where the formula branches was not found.
        EndlessError: when there are infinitely many such places.
    """
    root = _with_where_only(expression)
    cells = [_Cell(low, high, {})]
    for node in walk(root):
        cells = [part for cell in cells for part in _resolve(node, cell, budget)]
        if len(cells) > _MOST_PIECES:
            raise UndecidedError
    pieces = []
    for cell in cells:
        found = cell.values[root]
        pieces.append(Piece(cell.low, cell.high, None if found is None else canonical(found)))
    return pieces


def crossings(g: Expression, low: Point, high: Point, budget: Budget) -> list[Point]:
    """Every point between two others where a formula may change its sign."""
    if not _has_choices(g):
        return zeros(g, low, high, budget)
    found: list[Point] = []
    for piece in split(g, budget, low, high):
        if piece.low.x > low.x:
            found.append(piece.low)
        if piece.expression is not None and not _is_constant(piece.expression):
            found += zeros(piece.expression, piece.low, piece.high, budget)
    return found


def sign_gaps(
    g: Expression, low: Point, high: Point, budget: Budget
) -> list[tuple[Point, Point, int]]:
    """The intervals between the crossings of a formula, each with the sign it has there."""
    if _is_constant(g):
        return [(low, high, _sign_of_constant(g))]
    ends = [low, *crossings(g, low, high, budget), high]
    return [(a, b, sign_between(g, a, b)) for a, b in pairwise(ends)]


# --- Choices, all spelled with where ----------------------------------------------------------

_CHOICES = frozenset({"where", "abs", "sign", "minimum", "maximum", "clip"})


def _has_choices(expression: Expression) -> bool:
    return any(node.operation in _CHOICES for node in walk(expression))


def _with_where_only(expression: Expression) -> Expression:
    def visit(node: Expression, *arguments: Expression) -> Expression:
        spell = _SPELLINGS.get(node.operation)
        return spell(*arguments) if spell else rebuild(node, arguments)

    result: Expression = evaluate(expression, visit)
    return result


def _where(condition: Expression, yes: Expression, no: Expression) -> Expression:
    return apply("where", condition, yes, no)


def _minimum(a: Expression, b: Expression) -> Expression:
    return _where(apply("less", b, a), b, a)


def _maximum(a: Expression, b: Expression) -> Expression:
    return _where(apply("less", a, b), b, a)


_SPELLINGS: dict[str, Callable[..., Expression]] = {
    "abs": lambda a: _where(apply("less", a, ZERO), negate(a), a),
    "sign": lambda a: _where(
        apply("less", a, ZERO), MINUS_ONE, _where(apply("less", ZERO, a), ONE, ZERO)
    ),
    "minimum": _minimum,
    "maximum": _maximum,
    "clip": lambda a, low, high: _minimum(_maximum(a, low), high),
}


# --- One node on one cell ---------------------------------------------------------------------


def _resolve(node: Expression, cell: _Cell, budget: Budget) -> list[_Cell]:
    """The parts of a cell on which a node is one thing, with that written down."""
    arguments = tuple(cell.values[a] for a in node.arguments)
    if node.operation == "where":
        condition, yes, no = arguments
        return [_with(cell, node, None if condition is None else yes if condition else no)]
    if any(a is None for a in arguments):
        return [_with(cell, node, None)]
    holds = COMPARISONS.get(node.operation)
    if holds is not None:
        difference = canonical(add(arguments[0], negate(arguments[1])))
        return [_with(part, node, holds(sign, 0)) for part, sign in _cut(cell, difference, budget)]
    edge = _edge(node, arguments)
    if edge is None:
        return [_with(cell, node, rebuild(node, arguments))]
    decider, needs_positive = edge
    parts = []
    for part, sign in _cut(cell, canonical(decider), budget):
        undefined = sign == 0 or (needs_positive and sign < 0)
        parts.append(_with(part, node, None if undefined else rebuild(node, arguments)))
    return parts


def _with(cell: _Cell, node: Expression, value: Any) -> _Cell:
    return _Cell(cell.low, cell.high, {**cell.values, node: value})


def _edge(node: Expression, arguments: tuple[Expression, ...]) -> tuple[Expression, bool] | None:
    """What may not vanish for the operation to be smooth, and whether it must be positive."""
    match node.operation:
        case "divide":
            return arguments[1], False
        case "log" | "sqrt":
            return arguments[0], True
        case "log1p":
            return add(ONE, arguments[0]), True
        case "power":
            exponent = digits.value(arguments[1], 0)
            whole = digits.context().isint(exponent)
            return None if whole and exponent > 0 else (arguments[0], not whole)
    return None


def _cut(cell: _Cell, decider: Expression, budget: Budget) -> list[tuple[_Cell, int]]:
    """The cell between the zeros of the decider, with its sign."""
    return [
        (_Cell(low, high, cell.values), sign)
        for low, high, sign in sign_gaps(decider, cell.low, cell.high, budget)
    ]


def _is_constant(expression: Expression) -> bool:
    return not any(node.operation == "input" for node in walk(expression))


def _sign_of_constant(expression: Expression) -> int:
    value = digits.regular(expression, 0)
    if value is None:
        raise UndecidedError
    return int(digits.context().sign(value))
