"""The operations on numbers of 60 digits (mpmath): for constants, roots and critical values.

mpmath is loaded when the first digit is needed. The context is limen's own, so that nobody's
`mpmath.mp.dps` is touched.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from fractions import Fraction
from functools import cached_property
from typing import Any

from limen.formula.expression import Expression, evaluate
from limen.formula.operations import COMPARISONS

__all__ = [
    "DIGITS",
    "SAME",
    "STEEP",
    "cancelling_sum",
    "context",
    "fraction",
    "number",
    "regular",
    "value",
]

DIGITS = 60
"""Decimal digits of the working precision."""

SAME = 1e-40
"""Two results of 60 digits that differ by less, relative to their size, are taken for equal."""

STEEP = 1e30
"""With a slope beyond this a rounding of x shows where `SAME` asks for equality: nothing is said of
what is so steep."""


class _Arithmetic(threading.local):
    """One context for each thread: mpmath raises the precision in place while it works."""

    @cached_property
    def context(self) -> Any:
        from mpmath.ctx_mp import MPContext

        own = MPContext()
        own.dps = DIGITS
        return own

    @cached_property
    def functions(self) -> dict[str, Callable[..., Any]]:
        return _functions_of(self.context)


_arithmetic = _Arithmetic()


def context() -> Any:
    """The arithmetic context of this thread; its `mpf` are the numbers."""
    return _arithmetic.context


def number(exact: Fraction | float | int) -> Any:
    """An exact number as `mpf`."""
    if isinstance(exact, Fraction):
        return context().mpf(exact.numerator) / exact.denominator
    return context().mpf(exact)


def fraction(exact: Any) -> Fraction:
    """The fraction that an `mpf` is."""
    from mpmath.libmp import to_rational

    return Fraction(*to_rational(exact._mpf_))


def halves(precise: Any) -> tuple[float, float]:
    """An `mpf` as the unevaluated sum of two floats."""
    high = float(precise)
    return high, float(precise - high)


def value(expression: Expression, x: Any) -> Any:
    """The value of a formula in one variable at an `mpf`, or at a fraction or float.

    Returns:
        An `mpf`, infinite or NaN as `limen.formula.real` would have it; a bool for a comparison.
    """
    return evaluate(expression, _visitor(x))


def regular(expression: Expression, x: Any) -> Any:
    """The value at a point, with care for points known to 60 digits only.

    A sum whose terms cancel to `SAME` is 0, as are such values of sin, cos and log: at a root of
    60 digits a formula is then what it is at the root itself.

    Returns:
        An `mpf`, or a bool for a comparison; None where a part of the formula that is used is
        infinite or NaN.
    """
    visit, finite = _visitor(x), context().isfinite

    def visit_finite(node: Expression, *arguments: Any) -> Any:
        if node.operation == "where" and arguments[0] is not None:
            return arguments[1] if arguments[0] else arguments[2]
        if any(a is None for a in arguments):
            return None
        if node.operation in COMPARISONS:
            difference = cancelling_sum(arguments[0], -arguments[1])
            return _arithmetic.functions[node.operation](difference, 0)
        if node.operation == "add":
            return cancelling_sum(*arguments)
        result = visit(node, *arguments)
        if node.operation in _CROSSING and abs(result) <= SAME:
            return 0 * result
        return result if finite(result) else None

    return evaluate(expression, visit_finite)


_MOST_BITS = 1 << 9  # mpmath would need as many as a number has before its point
_FAR_OUT = 2.0**200  # beyond every number of a formula that matters
# Functions that cross 0 away from 0, where the rounding of their argument shows.
_CROSSING = frozenset({"sin", "cos", "sin_plus_cos", "log"})


def cancelling_sum(a: Any, b: Any) -> Any:
    """a + b, and 0 where the two cancel to the digits that are known."""
    total = a + b
    if (a < 0) == (b < 0):
        return total
    return 0 * total if abs(total) <= SAME * max(abs(a), abs(b)) else total


def _visitor(x: Any) -> Callable[..., Any]:
    point = x if isinstance(x, context().mpf) else number(x)
    functions = _arithmetic.functions

    def visit(node: Expression, *arguments: Any) -> Any:
        if node.operation == "constant":
            return number(node.payload)
        return point if node.operation == "input" else functions[node.operation](*arguments)

    return visit


def _functions_of(mp: Any) -> dict[str, Callable[..., Any]]:
    def unknown(a: Any) -> Any:
        return mp.nan

    return {
        "add": lambda a, b: a + b,
        "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b,
        "divide": _divide,
        "negate": lambda a: -a,
        "power": _power,
        **COMPARISONS,
        "where": lambda a, b, c: b if a else c,
        "minimum": lambda a, b: b if b < a or b != b else a,
        "maximum": lambda a, b: b if b > a or b != b else a,
        "clip": lambda a, b, c: min(max(a, b), c),
        "abs": abs,
        "sign": mp.sign,
        "sqrt": lambda a: mp.sqrt(a) if a >= 0 else mp.nan,
        "exp": _moderately(mp.exp, lambda a: mp.inf if a > 0 else mp.mpf(0)),
        "expm1": _moderately(mp.expm1, lambda a: _exp(a) - 1),
        "log": lambda a: mp.log(a) if a >= 0 else mp.nan,
        "log1p": lambda a: mp.log1p(a) if a > -1 else -mp.inf if a == -1 else mp.nan,
        "sin": _moderately(mp.sin, unknown),
        "cos": _moderately(mp.cos, unknown),
        "sinh": _moderately(mp.sinh, lambda a: mp.sign(a) * mp.inf),
        "cosh": _moderately(mp.cosh, lambda a: mp.inf),
        "tanh": _moderately(mp.tanh, mp.sign),
        "sech": _moderately(mp.sech, lambda a: mp.mpf(0)),
        "atan": mp.atan,
        "erf": _moderately(mp.erf, mp.sign),
        "erfc": _erfc,
        "erfcx": _erfcx,
        "sigmoid": _sigmoid,
        "softplus": lambda a: max(a, 0) + mp.log1p(_exp(-abs(a))),
        "tanhshrink": _tanhshrink,
        "sin_plus_cos": _moderately(lambda a: mp.sqrt(2) * mp.sin(a + mp.pi / 4), unknown),
        "pi": lambda: +mp.pi,
        "e": lambda: +mp.e,
    }


def _divide(a: Any, b: Any) -> Any:
    if b != 0:
        return a / b
    return context().nan if a == 0 or a != a else context().inf * context().sign(a)


def _power(a: Any, b: Any) -> Any:
    mp = context()
    if a < 0 and not mp.isint(b):
        return mp.nan
    if a == 0 and b < 0:
        return mp.inf
    return mp.power(a, b)


def _moderately(function: Callable[..., Any], far_out: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose digits include all those before the point of its argument: not too many."""
    mp = context()

    def limited(a: Any) -> Any:
        is_moderate = a == 0 or not mp.isfinite(a) or mp.mag(a) < _MOST_BITS
        return function(a) if is_moderate else far_out(a)

    return limited


def _exp(a: Any) -> Any:
    result: Any = _arithmetic.functions["exp"](a)
    return result


def _erfc(a: Any) -> Any:
    """The complementary error function, far out its limits: from 2^512 on mpmath overflows."""
    mp = context()
    return mp.mpf(2 * (a < 0)) if mp.isfinite(a) and abs(a) > _FAR_OUT else mp.erfc(a)


def _erfcx(a: Any) -> Any:
    mp = context()
    if not mp.isfinite(a):
        return mp.inf * (a < 0)
    return 1 / (a * mp.sqrt(mp.pi)) if a > _FAR_OUT else _exp(a * a) * _erfc(a)


def _sigmoid(a: Any) -> Any:
    if a >= 0:
        return 1 / (1 + _exp(-a))
    e = _exp(a)
    return e / (1 + e)


def _tanhshrink(a: Any) -> Any:
    """a - tanh(a) with the digits that the difference takes, twice the exponent of a, added."""
    mp = context()
    if a == 0 or not mp.isfinite(a):
        return a
    lost = max(0, -2 * int(mp.mag(a)))
    with mp.workprec(mp.prec + min(lost, 4096)):
        return a - _arithmetic.functions["tanh"](a)
