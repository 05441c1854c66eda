"""The operations on Python floats, with IEEE 754's answers at the edges of their domains.

Where `math` raises, the hardware answers: exp(1000) is inf, log(0) is -inf, 1/-0.0 is -inf,
sin(inf) is NaN. Each function is free of cancellation and accurate to a few ULP (`sin_plus_cos`
within a few ULP of its argument's own spacing beside far roots), so this table is both the plain
meaning of a formula at a point and the fallback for arithmetic on constants.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction

from limen.formula.expression import Expression, evaluate
from limen.formula.operations import COMPARISONS

__all__ = ["FUNCTIONS", "from_fraction", "value"]

_NAN = math.nan
_INF = math.inf

# pi/4 in two floats: the nearest double, and the part of pi/4 it lacks.
_PI_4 = math.pi / 4
_PI_4_REST = 3.061616997868383e-17

# Below this |a|, a - tanh(a) cancels and a continued fraction takes its place.
_TANHSHRINK_CANCELS = 1.0


def from_fraction(number: Fraction) -> float:
    """The double nearest a fraction; infinite when it is too large for one."""
    try:
        return float(number)
    except OverflowError:
        return -_INF if number < 0 else _INF


def value(expression: Expression, environment: Mapping[str, float]) -> float:
    """The value of a formula at a point, computed in doubles.

    Args:
        expression: a formula; a comparison yields a bool.
        environment: a float for the name of each input and parameter.

    Example:
        >>> from limen.formula.expression import apply, input_
        >>> value(apply("exp", input_("x")), {"x": 1000.0})
        inf
    """

    def visit(node: Expression, *arguments: float) -> float:
        if node.operation == "constant":
            return from_fraction(node.payload)
        if node.operation in ("input", "parameter"):
            return environment[node.payload]
        return FUNCTIONS[node.operation](*arguments)

    result: float = evaluate(expression, visit)
    return result


def _divide(a: float, b: float) -> float:
    if b != 0.0:
        return a / b
    if a == 0.0 or a != a or b != b:
        return _NAN
    return math.copysign(_INF, a) * math.copysign(1.0, b)


def _power(a: float, b: float) -> float:
    if a == -_INF and math.isfinite(b) and b % 1:
        return _NAN  # as for any negative base: the limit of what is undefined
    try:
        return math.pow(a, b)
    except OverflowError:
        return -_INF if a < 0.0 and _is_odd(b) else _INF
    except ValueError:  # 0 to a negative power, or a negative base with a broken exponent
        if a != 0.0:
            return _NAN
        return math.copysign(_INF, a) if _is_odd(b) else _INF


def _is_odd(b: float) -> bool:
    return math.fmod(b, 2.0) in (1.0, -1.0)


def _minimum(a: float, b: float) -> float:
    return b if b < a or b != b else a


def _maximum(a: float, b: float) -> float:
    return b if b > a or b != b else a


def _sign(a: float) -> float:
    return a if a == 0.0 or a != a else math.copysign(1.0, a)


def _at_overflow(function: Callable[[float], float], odd: bool = False) -> Callable[[float], float]:
    """`function`, infinite where its result is too large for a double."""

    def complete(a: float) -> float:
        try:
            return function(a)
        except OverflowError:
            return math.copysign(_INF, a) if odd else _INF

    return complete


def _within(function: Callable[[float], float], edge: float) -> Callable[[float], float]:
    """A logarithm: -inf at the lower edge of its domain and NaN below."""

    def complete(a: float) -> float:
        if a > edge or a != a:
            return function(a)
        return -_INF if a == edge else _NAN

    return complete


def _circular(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda a: function(a) if math.isfinite(a) else _NAN


def _sqrt(a: float) -> float:
    return math.sqrt(a) if a >= 0.0 else _NAN


def _sech(a: float) -> float:
    e = math.exp(-abs(a))
    return 2.0 * e / (1.0 + e * e)


def _sigmoid(a: float) -> float:
    if a >= 0.0:
        return 1.0 / (1.0 + math.exp(-a))
    e = math.exp(a)
    return e / (1.0 + e)


def _softplus(a: float) -> float:
    if a != a:
        return a
    return max(a, 0.0) + math.log1p(math.exp(-abs(a)))


def _tanhshrink(a: float) -> float:
    if abs(a) >= _TANHSHRINK_CANCELS or a != a:
        return a - math.tanh(a)
    # tanh(a) = a/(1 + s/(3 + s/(5 + ...))) with s = a**2 (Lambert 1761), so that
    # a - tanh(a) = a s/(3 + s + t) with t = s/(5 + s/(7 + ...)): no difference is left.
    s = a * a
    t = 0.0
    for odd in (19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0):
        t = s / (odd + t)
    return a * (s / (3.0 + s + t))


def _sin_plus_cos(a: float) -> float:
    """sqrt(2) sin(a + pi/4), with the sum a + pi/4 in two floats (Knuth's two-sum)."""
    if not math.isfinite(a):
        return _NAN
    total = a + _PI_4
    added = total - a
    rest = (a - (total - added)) + (_PI_4 - added) + _PI_4_REST
    return math.sqrt(2.0) * (math.sin(total) + math.cos(total) * rest)


def _erfcx(a: float) -> float:
    """exp(a**2) erfc(a), the square in two floats; beyond 25 its series in 1/a, A&S 7.1.23."""
    if a > 25.0:
        z = 0.5 / a / a
        series = 1.0
        for odd in (11.0, 9.0, 7.0, 5.0, 3.0, 1.0):
            series = 1.0 - odd * z * series
        return series / (a * math.sqrt(math.pi))
    if not a > -27.0:
        return a if a != a else _INF
    square = Fraction(a) ** 2
    high = float(square)
    return FUNCTIONS["exp"](high) * (1.0 + float(square - Fraction(high))) * math.erfc(a)


FUNCTIONS: dict[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": _divide,
    "negate": lambda a: -a,
    "power": _power,
    **COMPARISONS,
    "where": lambda a, b, c: b if a else c,
    "minimum": _minimum,
    "maximum": _maximum,
    "clip": lambda a, b, c: _minimum(_maximum(a, b), c),
    "abs": math.fabs,
    "sign": _sign,
    "sqrt": _sqrt,
    "exp": _at_overflow(math.exp),
    "expm1": _at_overflow(math.expm1),
    "log": _within(math.log, 0.0),
    "log1p": _within(math.log1p, -1.0),
    "sin": _circular(math.sin),
    "cos": _circular(math.cos),
    "sinh": _at_overflow(math.sinh, odd=True),
    "cosh": _at_overflow(math.cosh),
    "tanh": math.tanh,
    "sech": _sech,
    "atan": math.atan,
    "erf": math.erf,
    "erfc": math.erfc,
    "erfcx": _erfcx,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "tanhshrink": _tanhshrink,
    "sin_plus_cos": _sin_plus_cos,
    "pi": lambda: math.pi,
    "e": lambda: math.e,
}
"""For every operation of the table, its function of floats."""
