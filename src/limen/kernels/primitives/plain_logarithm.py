"""Plain logarithms and powers: relative error below 2^-50.

x = 2^k m with m in [1/sqrt(2), sqrt(2)), and with f = m - 1, s = f/(2 + f):
log m = 2 atanh(s) = f - (f^2/2 - s (f^2/2 + s^2 R(s^2))), as in fdlibm's e_log.c (Sun, 1993).
"""

from __future__ import annotations

from math import inf, nan

from limen.kernels.primitives import fitted_plain as fitted
from limen.kernels.primitives.exact import quick_two_sum, two_product, two_sum
from limen.kernels.primitives.lanes import (
    Real,
    absolute,
    at_least,
    at_most,
    fma,
    select,
    two_horners,
)
from limen.kernels.primitives.newton import inverse
from limen.kernels.primitives.plain_exponential import scaled_exp

_SMALLEST_NORMAL = 2.0**-1022
_SIGNIFICAND = (1 << 52) - 1
_ONE_BITS = 1023 << 52
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
#: 2^52 as bits: an integer below 2^52 put in its low bits becomes 2^52 + that integer.
_INTEGER_BITS = (1023 + 52) << 52
_TINY = 2.0**-54


def split_exponent(x: Real) -> tuple[Real, Real]:
    """The integer k and the m in [1/sqrt(2), sqrt(2)) with x = 2^k m, for positive x."""
    subnormal = x < _SMALLEST_NORMAL
    bits = select(subnormal, x * 2.0**54, x).bits() + (_ONE_BITS - _SQRT_HALF_BITS)
    biased = ((bits >> 52) | _INTEGER_BITS).as_real()
    k = biased - select(subnormal, 2.0**52 + 1023.0 + 54.0, 2.0**52 + 1023.0)
    return k, ((bits & _SIGNIFICAND) + _SQRT_HALF_BITS).as_real()


def _log_parts(x: Real, lost: Real | None = None) -> tuple[Real, Real]:
    """log(x + lost) as an unevaluated sum, for positive x and |lost| no more than x's rounding."""
    k, m = split_exponent(x)
    f = m - 1.0
    s = f * inverse(f + 2.0)
    half_square = 0.5 * f * f
    z = s * s
    correction = fma(k, fitted.LN2[1], s * fma(two_horners(z, fitted.LOG), z, half_square))
    if lost is not None:
        correction = correction + lost / x
    high, low = quick_two_sum(k * fitted.LN2[0], f)
    return high, low - (half_square - correction)


def _at_the_ends(x: Real, value: Real) -> Real:
    """`value` where x is positive and finite; the logarithm's limits and NaN elsewhere."""
    return select(x > 0.0, select(x < inf, value, x), select(x.equals(0.0), -inf, nan))


def log(x: Real) -> Real:
    """The natural logarithm; -inf at 0, NaN below."""
    high, low = _log_parts(x)
    return _at_the_ends(x, high + low)


def log1p(x: Real) -> Real:
    """log(1 + x); -inf at -1, NaN below."""
    total, lost = two_sum(1.0, x)
    high, low = _log_parts(total, lost)
    return select(absolute(x) < _TINY, x, _at_the_ends(total, high + low))


def power(x: Real, exponent: Real) -> Real:
    """x^exponent for x >= 0 and a constant exponent; relative error below 2^-45. NaN below 0.

    e^(exponent log x), the exponent's product with both parts of the logarithm kept in two parts.
    """
    high, low = quick_two_sum(*_log_parts(x))
    product, error = two_product(exponent, high)
    value = scaled_exp(product, correction=at_most(at_least(fma(exponent, low, error), -1.0), 1.0))
    at_infinity = select(exponent > 0.0, inf, select(exponent < 0.0, 0.0, 1.0))
    at_zero = select(exponent > 0.0, 0.0, select(exponent < 0.0, inf, 1.0))
    positive = select(x < inf, value, at_infinity)
    return select(x > 0.0, positive, select(x.equals(0.0), at_zero, nan))
