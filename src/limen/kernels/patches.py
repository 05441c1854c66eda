"""Beside a root a function is a small difference of large terms: there, its Taylor series instead.

At the float32 nearest the root of mish' the terms agree to 29 bits, which leaves a float64 kernel
too few. In a small window around such a root, the kernel takes t (c1 + t (c2 + ...)) with t the
distance to the root in twice the working precision, which loses nothing.

Finding the roots is a search, not a proof: a root that is missed costs accuracy, as measured, and
nothing else. The series found is compared with the function before it is used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

from limen.formula import real
from limen.formula.analysis import digits
from limen.formula.expression import (
    Expression,
    add,
    apply,
    bind,
    constant,
    multiply,
    walk,
)

__all__ = ["LENGTH", "apply_patches", "find_patches"]

# Half the width of a window. Outside, 11 bits are lost to cancellation: float64 has 29 more than
# float32, and a pair of float64 about 11 more than float64.
_HALF_WIDTH = 2.0**-11
_DEGREE = 6  # the next term is below 2**-66 of the first
LENGTH = 2 * (_DEGREE + 1)
"""The numbers of a patch: the root and the coefficients c1, c2, ..., each as a pair of floats."""

_MOST_ROOTS = 4  # more are far oscillation, which primitives deal with
# Functions without these are sums and products, which are exact enough beside their roots.
_TRANSCENDENTAL = {
    "exp", "expm1", "log", "log1p", "sin", "cos", "sinh", "cosh", "tanh", "sech", "atan", "erf",
    "erfc", "sigmoid", "softplus", "tanhshrink", "sqrt", "power",
}  # fmt: skip
_GRID = [math.sinh(k / 40) for k in range(-176, 177)]  # dense near 0, out to 40


def find_patches(expression: Expression, x: str, parameters: Mapping[str, float]) -> list[float]:
    """The patches a function needs, `LENGTH` numbers each, for one set of parameters.

    Args:
        expression: the stable form.
        x: the name of its input.
        parameters: the values of its parameters.
    """
    if not any(map(_rounds, walk(expression))):
        return []
    brackets = _sign_changes(expression, x, parameters)
    if len(brackets) > _MOST_ROOTS:
        return []
    patches = [_patch(expression, x, parameters, *bracket) for bracket in brackets]
    return [number for patch in patches for number in patch]


def _rounds(node: Expression) -> bool:
    """Whether a node's value is rounded where a sum or product of inputs would be exact."""
    if node.operation == "power" and node.arguments[1].is_constant:
        return node.varies and node.arguments[1].payload.denominator != 1
    return node.varies and node.operation in _TRANSCENDENTAL


def _sign_changes(
    expression: Expression, x: str, parameters: Mapping[str, float]
) -> list[tuple[float, float]]:
    values = [real.value(expression, {**parameters, x: point}) for point in _GRID]
    points = zip(_GRID, values, strict=True)
    nonzero = [(p, v) for p, v in points if v != 0 and math.isfinite(v)]
    return [(p, q) for (p, v), (q, w) in pairwise(nonzero) if (v < 0) != (w < 0)]


def _patch(
    expression: Expression, x: str, parameters: Mapping[str, float], low: float, high: float
) -> list[float]:
    """Root and coefficients in a bracket; empty where the function is no series there."""
    mp = digits.context()
    fixed = bind(expression, parameters)

    def function(at: Any) -> Any:
        return digits.value(fixed, at)

    try:
        root = mp.findroot(function, (low, high), solver="anderson")
        coefficients = mp.taylor(function, root, _DEGREE)[1:]
    except (ValueError, ZeroDivisionError, ArithmeticError):
        return []
    if not low <= root <= high or abs(root) < _HALF_WIDTH:
        return []  # a root at 0 is a factor x, exact as it is
    for t in (-_HALF_WIDTH, _HALF_WIDTH):
        series = mp.polyval([*reversed(coefficients), 0], t)
        if abs(series - function(root + t)) > mp.mpf(2) ** -60 * abs(series):
            return []
    return [part for number in (root, *coefficients) for part in digits.halves(number)]


def apply_patches(lowered: Expression, x: Expression, numbers: Sequence[float]) -> Expression:
    """The function with its series in each window."""
    for start in range(0, len(numbers), LENGTH):
        root, *coefficients = numbers[start : start + LENGTH : 2]
        root_rest, *rests = numbers[start + 1 : start + LENGTH : 2]
        t = add(add(x, constant(-root)), constant(-root_rest))
        series = constant(0)
        for c, rest in reversed(list(zip(coefficients, rests, strict=True))):
            series = multiply(t, add(constant(Fraction(c) + Fraction(rest)), series))
        is_near = apply("less", apply("abs", t), constant(_HALF_WIDTH))
        lowered = apply("where", is_near, series, lowered)
    return lowered
