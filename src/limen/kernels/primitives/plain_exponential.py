"""Plain primitives built on e^x: relative error below 2^-50, nothing that cancels.

Everything goes through x = k ln 2 + r with |r| <= ln(2)/2, after which e^x = 2^k e^r and
e^x - 1 = 2^k (e^r - 1) + (2^k - 1).
"""

from __future__ import annotations

from limen.kernels.primitives import fitted_plain as fitted
from limen.kernels.primitives.lanes import (
    ROUNDER,
    Real,
    absolute,
    at_least,
    at_most,
    copysign,
    fma,
    horner,
    select,
)

#: With the bias of float64 exponents added: shifted by 52, the low bits of the sum are 2^k.
_EXPONENT_ROUNDER = ROUNDER + 1023.0
#: Arguments beyond which e^x is 0 or infinite, whatever small correction follows.
EXP_LOW, EXP_HIGH = -750.0, 715.0
#: Arguments beyond which e^x - 1 is -1, or sinh x infinite.
EXPM1_LOW, EXPM1_HIGH = -60.0, 710.5
#: Below it x stands for any f(x) = x + O(x^2) with f''(0) up to 1.
_TINY = 2.0**-54
#: Below it x stands for any odd f(x) = x + O(x^3) with f'''(0) up to 2.
_TINY_ODD = 2.0**-28


def power_of_two(k: Real) -> Real:
    """2^k for an integer k in -1022 ... 1023."""
    return ((k + _EXPONENT_ROUNDER).bits() << 52).as_real()


def scale(x: Real, k: Real) -> Real:
    """x 2^k for any integer k with |k| <= 2044, rounded once where it is subnormal."""
    half = (k * 0.5 + ROUNDER) - ROUNDER
    return x * power_of_two(half) * power_of_two(k - half)


def reduce_exponent(x: Real) -> tuple[Real, Real]:
    """The integer k and the r with x = k ln 2 + r, |r| <= ln(2)/2."""
    k = fma(x, fitted.LOG2_E, ROUNDER) - ROUNDER
    return k, fma(k, -fitted.LN2[1], fma(k, -fitted.LN2[0], x))


def small_expm1(r: Real) -> Real:
    """e^r - 1 for |r| <= ln(2)/2."""
    return fma(horner(r, fitted.EXP) * r, r, r)


def scaled_exp(x: Real, exponent: int = 0, *, correction: Real | None = None) -> Real:
    """2^exponent e^(x + correction), |correction| <= 1; infinite where too large."""
    k, r = reduce_exponent(at_most(at_least(x, EXP_LOW), EXP_HIGH))
    value = small_expm1(r if correction is None else r + correction) + 1.0
    return scale(value, k + exponent if exponent else k)


def scaled_expm1(x: Real, exponent: int) -> Real:
    """2^exponent (e^x - 1), beyond x = 710.5 as at 710.5; not for subnormal results."""
    k, r = reduce_exponent(at_most(at_least(x, EXPM1_LOW), EXPM1_HIGH))
    power = power_of_two(k + exponent)
    return fma(power, small_expm1(r), power - 2.0**exponent)


def exp(x: Real) -> Real:
    """e^x."""
    return scaled_exp(x)


def expm1(x: Real) -> Real:
    """e^x - 1."""
    value = scaled_expm1(x, -2) * 4.0
    return select(absolute(x) < _TINY, x, value)


def sinh(x: Real) -> Real:
    """The hyperbolic sine: with h = (e^|x| - 1)/2, |sinh x| = h + h/(2h + 1)."""
    quarter = scaled_expm1(absolute(x), -2)
    magnitude = 2.0 * quarter + quarter / fma(2.0, quarter, 0.5)
    return select(absolute(x) < _TINY_ODD, x, copysign(magnitude, x))


def cosh(x: Real) -> Real:
    """The hyperbolic cosine: with h = e^|x|/2, cosh x = h + 1/(4h)."""
    half = scaled_exp(absolute(x), -1)
    return half + 0.25 / half


def tanh(x: Real) -> Real:
    """The hyperbolic tangent: with u = e^(-2|x|) - 1, |tanh x| = -u/(2 + u)."""
    u = scaled_expm1(absolute(x) * -2.0, 0)
    return select(absolute(x) < _TINY_ODD, x, copysign(u / (-2.0 - u), x))


def sech(x: Real) -> Real:
    """1 / cosh x: with d = 2 e^(-|x|), sech x = d/(1 + d^2/4)."""
    double = scaled_exp(-absolute(x), 1)
    return double / fma(double * 0.25, double, 1.0)


def sigmoid(x: Real) -> Real:
    """1 / (1 + e^(-x)), from e^(-|x|) so that both tails are exact."""
    e = scaled_exp(-absolute(x))
    return select(x < 0.0, e, 1.0) / (1.0 + e)


def softplus(x: Real) -> Real:
    """log(1 + e^x) = max(x, 0) + log(1 + e^(-|x|))."""
    e = scaled_exp(-absolute(x))
    # log(1 + e) = e - s (e - z R(z)) with s = e/(2 + e) and z = s^2, as in plain_logarithm
    s = e / (2.0 + e)
    z = s * s
    log1p_of_e = fma(-s, fma(horner(z, fitted.LOG1P_OF_EXP), -z, e), e)
    return select(x > 0.0, x, 0.0) + log1p_of_e


def tanhshrink(x: Real) -> Real:
    """x - tanh x: x^3 P(x^2) for |x| <= 1; beyond, |x| - 1 + 2w/(1 + w) with w = e^(-2|x|)."""
    magnitude, z = absolute(x), x * x
    w = scaled_exp(magnitude * -2.0)
    far = (magnitude - 1.0) + 2.0 * w / (1.0 + w)
    near = horner(at_most(z, 1.0), fitted.TANHSHRINK) * z * magnitude
    return copysign(select(magnitude > 1.0, far, near), x)
