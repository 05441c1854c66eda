"""What plain arithmetic makes of an infinite input, and forms of which it makes the limit.

A guard at infinity costs a third of a kernel that does little else. Most kernels can do without,
with an input that stops far out, where the function has long been as good as its limit. Straight
and polynomial pieces need not even that on a side where no infinite number meets 0.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from limen.formula import real
from limen.formula.expression import (
    ZERO,
    Expression,
    apply,
    constant,
    evaluate,
    multiply,
    names,
    negate,
    rebuild,
    substitute,
    walk,
)
from limen.formula.operations import COMPARISONS

__all__ = ["Limits", "needs_limits", "with_own_limits"]


class Limits(NamedTuple):
    """What is known of a function far out.

    Attributes:
        low, high: the limits at -inf and +inf; None where they are not known, or there are none.
        is_factor: whether the value is multiplied with a gradient, and not stored itself.
    """

    low: float | None = None
    high: float | None = None
    is_factor: bool = False


_CHOOSING = frozenset({"input", "where", "abs"} | COMPARISONS.keys())
_POLYNOMIAL = _CHOOSING | {"add", "multiply", "constant"}
_LARGEST = constant(sys.float_info.max)
# Inputs and results of at most 32 bits are infinite from 2^128 on. A piece that is not constant is
# far beyond at 2^200, if its coefficients are moderate, and no piece begins so far out.
_INFINITE = 2.0**128
_BEYOND, _FARTHER = 2.0**200, 2.0**300
_NOTHING = 2.0**-200  # rounds to 0 in any of those formats


def needs_limits(lowered: Expression, parameters: Mapping[str, float]) -> bool:
    """Whether plain arithmetic may miss the limits: it does not for sums, products, choices."""
    if all(_serves_infinity(node) for node in walk(lowered) if node.varies):
        return False
    operations = {node.operation for node in walk(lowered)}
    if operations <= _POLYNOMIAL and not parameters:
        at = [
            real.value(lowered, dict.fromkeys(names(lowered, "input"), v))
            for v in (-math.inf, math.inf)
        ]
        return any(v != v for v in at)
    return True


def _serves_infinity(node: Expression) -> bool:
    """Whether arithmetic is right for an infinite input, whatever the (finite) parameters are."""
    if node.operation == "add":
        return sum(argument.varies for argument in node.arguments) == 1
    if node.operation == "multiply":
        return node.arguments[0].is_constant  # and not 0, as the product would be
    return node.operation in _CHOOSING


def with_own_limits(value: Expression, x: Expression, limits: Limits) -> Expression | None:
    """A form of equal value that has its limits at infinity by itself; None where none is known.

    Args:
        value: what is computed in float64 and stored with 32 bits or less.
        x: the input, which has no more bits either.
        limits: of the value.
    """
    if not names(value, "parameter"):
        return _stopped(value, x) or _ended(value, x, limits)
    rest = [n for n in walk(value) if n.varies and not _serves_infinity(n)]
    return _spared(value) if all(map(_is_scaled, rest)) else None


def _is_scaled(node: Expression) -> bool:
    """Whether it is a product of something that varies and something that does not."""
    return node.operation == "multiply" and sum(a.varies for a in node.arguments) == 1


def _spared(value: Expression) -> Expression:
    """Products with a parameter that is 0 meet no infinite number.

    Whether it is 0 does not vary: LLVM makes two loops of it.
    """

    def visit(node: Expression, *arguments: Expression) -> Expression:
        if not node.varies or not _is_scaled(node) or _serves_infinity(node):
            return rebuild(node, arguments)
        factor, varying = sorted(arguments, key=lambda argument: argument.varies)
        bounded = _bounded(varying, _LARGEST, (-1, 1))
        return multiply(factor, apply("where", apply("equal", factor, ZERO), bounded, varying))

    spared: Expression = evaluate(value, visit)
    return spared


def _stopped(value: Expression, x: Expression) -> Expression | None:
    """Pieces that are polynomials, of an x that stops where they have long reached their limits."""
    if any(node.operation not in _POLYNOMIAL for node in walk(value)):
        return None
    if any(node.is_constant and abs(node.payload) >= _INFINITE for node in walk(value)):
        return None
    sides = [
        side for side in (-1, 1) if math.isnan(real.value(value, {x.payload: side * math.inf}))
    ]
    if not all(_has_arrived(value, x, side) for side in sides):
        return None
    return substitute(value, {x: _bounded(x, constant(_BEYOND), sides)})


def _ended(value: Expression, x: Expression, limits: Limits) -> Expression | None:
    """The value of an x that stops on either side where it has become the limit."""
    has_become = _does_as if limits.is_factor else _is_stored_as
    for limit, far in ((limits.low, -_BEYOND), (limits.high, _BEYOND)):
        if limit is None or not has_become(real.value(value, {x.payload: far}), limit):
            return None
    return substitute(value, {x: _bounded(x, constant(_BEYOND), (-1, 1))})


def _does_as(number: float, limit: float) -> bool:
    """Whether the product with a gradient, which may be infinite, is the limit's; 0 has no sign."""
    return number == limit and math.isfinite(limit)


def _is_stored_as(number: float, limit: float) -> bool:
    """Whether two float64 numbers are the same to formats of at most 32 bits, for sure."""
    if math.copysign(1.0, number) != math.copysign(1.0, limit):
        return False
    small, large = abs(number) <= _NOTHING, abs(number) >= _INFINITE
    return number == limit or (small and limit == 0.0) or (large and math.isinf(limit))


def _has_arrived(value: Expression, x: Expression, side: int) -> bool:
    """Whether all choices are made that far out, for a constant or what is as good as infinite."""
    at = [{x.payload: side * size} for size in (_BEYOND, _FARTHER, math.inf)]
    choices = [node for node in walk(value) if node.operation in COMPARISONS]
    if any(len({bool(real.value(choice, where)) for where in at}) > 1 for choice in choices):
        return False
    near, far = (real.value(value, where) for where in at[:2])
    return near == far or (min(abs(near), abs(far)) >= _INFINITE and (near < 0) == (far < 0))


def _bounded(node: Expression, size: Expression, sides: Sequence[int]) -> Expression:
    """The number, but no larger than that on these sides."""
    for side in sides:
        bound = size if side > 0 else negate(size)
        pair = (bound, node) if side > 0 else (node, bound)
        node = apply("where", apply("less", *pair), bound, node)
    return node
