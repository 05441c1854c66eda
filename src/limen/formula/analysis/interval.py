"""Interval arithmetic on pairs of floats: rigorous bounds of a formula over a stretch of its input.

An interval is a pair `(low, high)` with low <= high; its ends may be infinite. The interval of an
expression holds every real value that the expression takes on the stretch. Where part of the
stretch lies outside an operation's domain, or a divisor passes through zero, the result is `WHOLE`,
which promises nothing.

Rounding: sums, products and quotients are moved outward by one float (`math.nextafter`), which
bounds the half ULP of IEEE 754. Library functions are not correctly rounded; they are moved by
`_ALLOWANCE`, 8 ULP, which is above every error that the manual of the GNU C library lists for
x86-64 and AArch64 in double precision (at most 5 ULP, erfc; the others at most 3), and above the
errors of the compound functions of `real`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from limen.formula import real

__all__ = ["FUNCTIONS", "WHOLE", "Interval", "of_fraction", "square"]

Interval = tuple[float, float]
Verdict = bool | None  # a comparison over a stretch: always, never, or not the same everywhere

_INF = math.inf
_ALLOWANCE = 8 * 2.0**-52
_TINY = 8 * 5e-324
_MOST = sys.float_info.max
# Beyond this the reduction of the argument of sin in floats is not worth following.
_FAR = 1e8
_SLACK = 1e-14

WHOLE: Interval = (-_INF, _INF)
"""The interval that promises nothing."""


def of_fraction(number: Fraction) -> Interval:
    """The tightest interval around a fraction."""
    nearest = real.from_fraction(number)
    if math.isinf(nearest):
        return (-_INF, -_MOST) if nearest < 0 else (_MOST, _INF)
    if nearest == number:
        return (nearest, nearest)
    if nearest < number:
        return (nearest, math.nextafter(nearest, _INF))
    return (math.nextafter(nearest, -_INF), nearest)


def _down(value: float) -> float:
    """Below a library function's true result; an overflow says only that it is past `_MOST`."""
    if math.isinf(value):
        return min(value, _MOST)
    return value - abs(value) * _ALLOWANCE - _TINY


def _up(value: float) -> float:
    return -_down(-value)


def _add(a: Interval, b: Interval) -> Interval:
    low, high = a[0] + b[0], a[1] + b[1]
    # A float sum is 0 only when it is exact.
    return (
        math.nextafter(low, -_INF) if low else low,
        math.nextafter(high, _INF) if high else high,
    )


def _negate(a: Interval) -> Interval:
    return (-a[1], -a[0])


def _product(a: float, b: float) -> tuple[float, float]:
    """Bounds of one product; 0 times infinity is 0, as the infinite end is never attained."""
    if a == 0.0 or b == 0.0:
        return (0.0, 0.0)
    p = a * b
    if p == 0.0:  # underflow
        return (0.0, 5e-324) if (a > 0.0) == (b > 0.0) else (-5e-324, 0.0)
    return (math.nextafter(p, -_INF), math.nextafter(p, _INF))


def _multiply(a: Interval, b: Interval) -> Interval:
    if _is_pole(a, b) or _is_pole(b, a):
        return WHOLE
    if a[0] >= 0.0 and b[0] >= 0.0:
        return (_product(a[0], b[0])[0], _product(a[1], b[1])[1])
    corners = (
        _product(a[0], b[0]),
        _product(a[0], b[1]),
        _product(a[1], b[0]),
        _product(a[1], b[1]),
    )
    return (min(c[0] for c in corners), max(c[1] for c in corners))


def _is_pole(a: Interval, b: Interval) -> bool:
    """Nothing known times anything, or exactly 0 times what may be infinite, such as x * (1/x)."""
    return b == WHOLE or (a[0] == a[1] == 0.0 and (b[0] == -_INF or b[1] == _INF))


def _reciprocal(b: Interval) -> Interval:
    if b[0] < 0.0 < b[1] or b[0] == b[1] == 0.0:
        return WHOLE
    low = -_INF if b[1] == 0.0 else 1.0 / b[1]
    high = _INF if b[0] == 0.0 else 1.0 / b[0]
    # 1/inf is a bound that is never crossed: 0 is kept.
    return (
        math.nextafter(low, -_INF) if low else low,
        math.nextafter(high, _INF) if high else high,
    )


def _divide(a: Interval, b: Interval) -> Interval:
    return _multiply(a, _reciprocal(b))


def _smallest(a: Interval) -> float:
    """The smallest absolute value in an interval."""
    return 0.0 if a[0] <= 0.0 <= a[1] else min(abs(a[0]), abs(a[1]))


def _largest(a: Interval) -> float:
    return max(abs(a[0]), abs(a[1]))


def _abs(a: Interval) -> Interval:
    return (_smallest(a), _largest(a))


def square(a: Interval) -> Interval:
    """a * a, which a product of two independent intervals would bound too widely."""
    small, large = _smallest(a), _largest(a)
    return (max(0.0, _product(small, small)[0]), _product(large, large)[1])


def _integer_power(a: Interval, n: int) -> Interval:
    if n < 0:
        return _reciprocal(_integer_power(a, -n))
    if n == 2:
        return square(a)
    low, high = _abs(a) if n % 2 == 0 else a
    power = real.FUNCTIONS["power"]
    # 0 to a positive power is exact, and the sign of a power never needs rounding.
    return (
        0.0 if low == 0.0 else _keep_sign(_down(power(low, n)), low),
        0.0 if high == 0.0 else _keep_sign(_up(power(high, n)), high),
    )


def _keep_sign(bound: float, base: float) -> float:
    return max(bound, 0.0) if base > 0.0 else min(bound, 0.0)


def _power(a: Interval, b: Interval) -> Interval:
    if b[0] == b[1] and b[0].is_integer():
        return _integer_power(a, int(b[0]))
    if a[0] < 0.0:
        return WHOLE
    # Monotone in the base and in the exponent: the bounds are among the corners.
    corners = [real.FUNCTIONS["power"](base, exponent) for base in a for exponent in b]
    return (max(0.0, _down(min(corners))), _up(max(corners)))


def _monotone(
    name: str, floor: float = -_INF, ceiling: float = _INF, zero: bool = False
) -> Callable[[Interval], Interval]:
    """An increasing function; `zero` says that its value at 0 is 0, exactly."""
    function = real.FUNCTIONS[name]

    def bound(a: Interval) -> Interval:
        low, high = a
        return (
            0.0 if zero and low == 0.0 else max(floor, _down(function(low))),
            0.0 if zero and high == 0.0 else min(ceiling, _up(function(high))),
        )

    return bound


def _from(edge: float, inner: Callable[[Interval], Interval]) -> Callable[[Interval], Interval]:
    return lambda a: inner(a) if a[0] >= edge else WHOLE


def _erfc(a: Interval) -> Interval:
    return (max(0.0, _down(math.erfc(a[1]))), min(2.0, _up(math.erfc(a[0]))))


def _erfcx(a: Interval) -> Interval:
    """Falling, from infinity to 0."""
    erfcx = real.FUNCTIONS["erfcx"]
    low, high = erfcx(a[1]), erfcx(a[0])
    return (max(0.0, _down(low)), _up(high))


def _cosh(a: Interval) -> Interval:
    cosh = real.FUNCTIONS["cosh"]
    return (max(1.0, _down(cosh(_smallest(a)))), _up(cosh(_largest(a))))


def _sech(a: Interval) -> Interval:
    sech = real.FUNCTIONS["sech"]
    return (max(0.0, _down(sech(_largest(a)))), min(1.0, _up(sech(_smallest(a)))))


def _sign(a: Interval) -> Interval:
    sign = real.FUNCTIONS["sign"]
    return (sign(a[0]), sign(a[1]))


def _circular(function: Callable[[float], float], peak: float) -> Callable[[Interval], Interval]:
    """sin or cos: 1 at `peak` and every 2 pi from it, -1 half way between."""

    def passes(a: Interval, place: float) -> bool:
        slack = _SLACK * (1.0 + _largest(a))
        turn = math.ceil((a[0] - slack - place) / math.tau)
        return place + turn * math.tau <= a[1] + slack

    def bound(a: Interval) -> Interval:
        if a[1] - a[0] >= math.tau or _largest(a) > _FAR:
            return (-1.0, 1.0)
        ends = function(a[0]), function(a[1])
        low, high = max(-1.0, _down(min(ends))), min(1.0, _up(max(ends)))
        return (
            -1.0 if passes(a, peak + math.pi) else low,
            1.0 if passes(a, peak) else high,
        )

    return bound


_sin = _circular(math.sin, math.pi / 2)
_cos = _circular(math.cos, 0.0)
_PI = (math.pi, math.nextafter(math.pi, 4.0))  # the double lies below
_PI_4 = (_PI[0] / 4, _PI[1] / 4)
_E = (math.e, math.nextafter(math.e, 3.0))  # the double lies below
_SQRT2 = (math.nextafter(math.sqrt(2.0), 1.0), math.sqrt(2.0))  # the double lies above


def _sin_plus_cos(a: Interval) -> Interval:
    return _multiply(_SQRT2, _sin(_add(a, _PI_4)))


def _less(a: Interval, b: Interval) -> Verdict:
    return True if a[1] < b[0] else False if a[0] >= b[1] else None


def _less_equal(a: Interval, b: Interval) -> Verdict:
    return True if a[1] <= b[0] else False if a[0] > b[1] else None


def _equal(a: Interval, b: Interval) -> Verdict:
    if a[1] < b[0] or b[1] < a[0]:
        return False
    return True if a[0] == a[1] == b[0] == b[1] else None


def _not_equal(a: Interval, b: Interval) -> Verdict:
    same = _equal(a, b)
    return None if same is None else not same


def _where(condition: Verdict, b: Interval, c: Interval) -> Interval:
    if condition is None:
        return (min(b[0], c[0]), max(b[1], c[1]))
    return b if condition else c


def _minimum(a: Interval, b: Interval) -> Interval:
    return (min(a[0], b[0]), min(a[1], b[1]))


def _maximum(a: Interval, b: Interval) -> Interval:
    return (max(a[0], b[0]), max(a[1], b[1]))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": _add,
    "subtract": lambda a, b: _add(a, _negate(b)),
    "multiply": _multiply,
    "divide": _divide,
    "negate": _negate,
    "power": _power,
    "less": _less,
    "less_equal": _less_equal,
    "greater": lambda a, b: _less(b, a),
    "greater_equal": lambda a, b: _less_equal(b, a),
    "equal": _equal,
    "not_equal": _not_equal,
    "where": _where,
    "minimum": _minimum,
    "maximum": _maximum,
    "clip": lambda a, b, c: _minimum(_maximum(a, b), c),
    "abs": _abs,
    "sign": _sign,
    "sqrt": _from(0.0, _monotone("sqrt", 0.0, zero=True)),
    "exp": _monotone("exp", 0.0),
    "expm1": _monotone("expm1", -1.0, zero=True),
    "log": _from(0.0, _monotone("log")),
    "log1p": _from(-1.0, _monotone("log1p", zero=True)),
    "sin": _sin,
    "cos": _cos,
    "sinh": _monotone("sinh", zero=True),
    "cosh": _cosh,
    "tanh": _monotone("tanh", -1.0, 1.0, zero=True),
    "sech": _sech,
    "atan": _monotone("atan", zero=True),
    "erf": _monotone("erf", -1.0, 1.0, zero=True),
    "erfc": _erfc,
    "erfcx": _erfcx,
    "sigmoid": _monotone("sigmoid", 0.0, 1.0),
    "softplus": _monotone("softplus", 0.0),
    "tanhshrink": _monotone("tanhshrink", zero=True),
    "sin_plus_cos": _sin_plus_cos,
    "pi": lambda: _PI,
    "e": lambda: _E,
}
"""For every operation of the table, its function of intervals; comparisons give a verdict."""
