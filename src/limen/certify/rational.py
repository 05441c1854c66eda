"""Exact values: a formula in fractions, where its branch is rational and ties are common."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from limen.certify.balls import fmpq, fmpq_series, length, working
from limen.formula.expression import Expression, evaluate
from limen.formula.operations import COMPARISONS

__all__ = ["exact_value"]

_MOST_POWER = 64  # of a fraction: larger ones have more digits than use


def exact_value(
    root: Expression, leaves: Mapping[str, float], by: str, order: int
) -> Fraction | None:
    """A derivative of a formula, as a fraction; None where the branch taken is not rational.

    Args:
        root: the formula, each of its choices spelled out as a `where`.
        leaves: the values of inputs and parameters.
        by: the leaf to derive by.
        order: of the derivative; 0 for the value itself.
    """
    with working(64, order + 1):

        def visit(node: Expression, *arguments: Any) -> Any:
            if node.operation == "constant":
                return fmpq_series([_rational(node.payload)])
            if node.operation in ("input", "parameter"):
                value = _rational(Fraction(leaves[node.payload]))
                return fmpq_series([value, 1] if node.payload == by else [value])
            if node.operation == "where":
                condition, yes, no = arguments
                return None if condition is None else yes if condition else no
            if any(a is None for a in arguments):
                return None
            if node.operation in COMPARISONS:
                return COMPARISONS[node.operation](*(a[0] for a in arguments))
            return _operation(node.operation, arguments)

        series = evaluate(root, visit)
        if series is None:
            return None
        found = series[order] * math.factorial(order)
        return Fraction(int(found.p), int(found.q))


def _rational(number: Fraction) -> fmpq:
    return fmpq(number.numerator, number.denominator)


def _operation(name: str, arguments: tuple[Any, ...]) -> Any:
    match name, arguments:
        case "add", (a, b):
            return a + b
        case "multiply", (a, b):
            return a * b
        case "divide", (a, b) if b[0] != 0:
            return a / b
        case "power", (a, b) if b.length() <= 1 and b[0].q == 1 and abs(b[0].p) <= _MOST_POWER:
            n = int(b[0].p)
            if n >= 0:
                return a**n
            return None if a[0] == 0 else fmpq_series([1]) / a**-n
        case "power", (a, b) if b.length() == 1 and b[0].q == 2:
            root = _root(a)
            return None if root is None else _operation("power", (root, 2 * b))
        case "sqrt", (a,):
            return _root(a)
    return None


def _root(a: fmpq_series) -> fmpq_series | None:
    """The square root of a number that is the square of a fraction."""
    if a.length() > 1 or length() > 1 or a[0] < 0:
        return None
    over, under = (math.isqrt(int(part)) for part in (a[0].p, a[0].q))
    root = fmpq(over, under)
    return fmpq_series([root]) if root * root == a[0] else None
