"""The value of a constant expression, such as sqrt(2 / pi), to as many digits as a kernel needs."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

from limen.formula.expression import Expression, evaluate

__all__ = ["as_pair", "functions"]

# More than twice the 106 bits of a pair, so that cancellation in a constant does no harm.
_PRECISION = 256


def as_pair(expression: Expression) -> tuple[float, float]:
    """A leaf-free expression as the unevaluated sum of two floats, correct to about 106 bits."""
    if expression.is_constant:
        return _split(expression.payload)
    from mpmath import mp

    with mp.workprec(_PRECISION):
        table = functions()

        def visit(node: Expression, *arguments: Any) -> Any:
            if node.is_constant:
                return mp.mpf(node.payload.numerator) / node.payload.denominator
            return table[node.operation](*arguments)

        number = evaluate(expression, visit)
        high = float(number)
        return high, float(number - high)


def _split(value: Fraction) -> tuple[float, float]:
    high = float(value)
    return high, float(value - Fraction(high))


@cache
def functions() -> dict[str, Callable[..., Any]]:
    """The operations on mpmath's numbers, at the working precision."""
    from mpmath import mp

    named = ("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "sinh", "cosh", "tanh", "sech")
    return {
        **{name: getattr(mp, name) for name in named},
        "add": mp.fadd,
        "multiply": mp.fmul,
        "divide": mp.fdiv,
        "power": mp.power,
        "abs": mp.fabs,
        "atan": mp.atan,
        "erf": mp.erf,
        "erfc": mp.erfc,
        "sigmoid": lambda a: 1 / (1 + mp.exp(-a)),
        "softplus": lambda a: mp.log1p(mp.exp(a)),
        "tanhshrink": lambda a: a - mp.tanh(a),
        "sin_plus_cos": lambda a: mp.sin(a) + mp.cos(a),
        "sign": mp.sign,
        "minimum": lambda a, b: min(a, b),
        "maximum": lambda a, b: max(a, b),
        "clip": lambda a, low, high: min(max(a, low), high),
        "pi": lambda: +mp.pi,
        "e": lambda: +mp.e,
        "less": lambda a, b: a < b,
        "less_equal": lambda a, b: a <= b,
        "greater": lambda a, b: a > b,
        "greater_equal": lambda a, b: a >= b,
        "equal": lambda a, b: a == b,
        "not_equal": lambda a, b: a != b,
        "where": lambda c, a, b: a if c else b,
    }
