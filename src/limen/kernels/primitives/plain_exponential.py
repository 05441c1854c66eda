"""Plain primitives built on e^x: relative error below 2^-50, nothing that cancels.

Everything goes through e^x = p + p m and e^x - 1 = p m + (p - 1), with a power p of 2 or of a root
of 2 (`plain_powers`). Functions of one |x| spell the same instructions, so that a kernel with
several of them computes one exponential and one reciprocal. Results below 2^-1021 are not precise:
the formats served here end long before.
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
    select,
    two_horners,
)
from limen.kernels.primitives.newton import inverse
from limen.kernels.primitives.plain_powers import split, split_precisely
from limen.kernels.primitives.registers import HAS_PERMUTATION, Sixteen

_LOGARITHMS = Sixteen("logarithms", fitted.LOGARITHMS)
_RECIPROCALS = Sixteen("reciprocals", fitted.RECIPROCALS)

#: Arguments beyond which e^x is 0, or infinite, whatever small correction follows: the first is
#: -1023 ln 2, for which the bits of the power are those of 0.
EXP_LOW, EXP_HIGH = -709.0895657128241, 710.0
#: Arguments beyond which e^x - 1 is -1, or sinh x infinite.
_EXPM1_LOW, _EXPM1_HIGH = -60.0, 710.5
#: Below it x stands for any f(x) = x + O(x^2) with f''(0) up to 1.
_TINY = 2.0**-54
#: Below it x stands for any odd f(x) = x + O(x^3) with f'''(0) up to 2.
_TINY_ODD = 2.0**-28
_LN2 = 0.6931471805599453
#: The largest value of a function that is 1 at 0 and nowhere else.
_ALMOST_ONE = 1.0 - 2.0**-51
#: Numbers from here on have no places below 1.
_ALL_ITS_OWN = 2.0**53


def _split_decay(size: Real, correction: Real | None = None) -> tuple[Real, Real]:
    """2^k and m of e^(-size + correction), for size >= 0."""
    return split(at_least(-size, EXP_LOW), 0, correction)


def decay(size: Real, correction: Real | None = None) -> Real:
    """e^(-size + correction) for size >= 0 and a |correction| <= 1."""
    power, m = _split_decay(size, correction)
    return fma(power, m, power)


def rise(size: Real) -> Real:
    """1 - e^(-size) for 0 <= size <= 700."""
    power, m = split_precisely(-size, 0)
    return fma(-power, m, 1.0 - power)


def below_one(value: Real, size: Real) -> Real:
    """A function that falls from 1 at 0, and has not been rounded to 1 at any other size.

    If it had, x f(x) of a subnormal x would be a tie between two float32 numbers, as it is not.
    """
    return select(size.equals(0.0), value, at_most(value, _ALMOST_ONE))


def scaled_exp(x: Real, exponent: int = 0, *, correction: Real | None = None) -> Real:
    """2^exponent e^(x + correction), |correction| <= 1, exponent 0 or -1; infinite if too large."""
    # Half the power, as 2^1024 is none.
    held = at_most(at_least(x, EXP_LOW + _LN2 * (1 - exponent)), EXP_HIGH - _LN2 * exponent)
    power, m = split(held, exponent - 1, correction)
    return fma(power, m, power) * 2.0


def _scaled_expm1(x: Real, exponent: int) -> Real:
    """2^exponent (e^x - 1), beyond x = 710.5 as at 710.5; not for subnormal results."""
    power, m = split_precisely(at_most(at_least(x, _EXPM1_LOW), _EXPM1_HIGH), exponent)
    return fma(power, m, power - 2.0**exponent)


def exp(x: Real) -> Real:
    """e^x."""
    return scaled_exp(x)


def expm1(x: Real) -> Real:
    """e^x - 1."""
    value = _scaled_expm1(x, -2) * 4.0
    return select(absolute(x) < _TINY, x, value)


def sinh(x: Real) -> Real:
    """The hyperbolic sine: with h = (e^|x| - 1)/2, |sinh x| = h + h/(2h + 1)."""
    quarter = _scaled_expm1(absolute(x), -2)
    magnitude = 2.0 * quarter + quarter / fma(2.0, quarter, 0.5)
    return select(absolute(x) < _TINY_ODD, x, copysign(magnitude, x))


def cosh(x: Real) -> Real:
    """The hyperbolic cosine: with h = e^|x|/2, cosh x = h + 1/(4h)."""
    half = scaled_exp(absolute(x), -1)
    return half + 0.25 / half


def tanh(x: Real) -> Real:
    """The hyperbolic tangent: with e = e^(-|x|), |tanh x| = (1 - e)(1 + e)/(1 + e^2)."""
    power, m = split_precisely(at_least(-absolute(x), EXP_LOW), 0)
    e = fma(power, m, power)
    rest = fma(-power, m, 1.0 - power)
    return copysign(rest * ((e + 1.0) * inverse(fma(e, e, 1.0))), x)


def sech(x: Real) -> Real:
    """1 / cosh x: with e = e^(-|x|), sech x = 2e/(1 + e^2)."""
    e = decay(absolute(x))
    return (e + e) * inverse(fma(e, e, 1.0))


def sigmoid(x: Real) -> Real:
    """1 / (1 + e^(-x)), from e^(-|x|) so that both tails are exact."""
    e = below_one(decay(absolute(x)), absolute(x))
    return select(x < 0.0, e, 1.0) * inverse(e + 1.0)


def softplus(x: Real) -> Real:
    """log(1 + e^x) = max(x, 0) + log(1 + e^(-|x|))."""
    return select(x > 0.0, x, 0.0) + log1p_of_fraction(decay(absolute(x)))


def log1p_of_fraction(x: Real) -> Real:
    """log(1 + x) for 0 <= x <= 1.

    By log c + log(1 + r) with a c of a table, where the CPU has it at hand; else as in
    `plain_logarithm`, log(1 + x) = x - s (x - z R(z)) with s = x/(2 + x) and z = s^2.
    """
    if not HAS_PERMUTATION:
        s = x * inverse(x + 2.0)
        z = s * s
        return fma(-s, fma(two_horners(z, fitted.LOG1P_OF_EXP), -z, x), x)
    shifted = fma(x, fitted.PER_STEP, ROUNDER)
    k = shifted - ROUNDER
    r = fma(k, -fitted.STEP, x) * _RECIPROCALS.look_up(shifted.bits())
    return fma(two_horners(r, fitted.LOG1P_OF_STEP), r * r, r) + _LOGARITHMS.look_up(shifted.bits())


def tanhshrink(x: Real) -> Real:
    """x - tanh x: x^3 P(x^2) for |x| <= 1; beyond, |x| - 1 + 2w/(1 + w) with w = e^(-2|x|).

    The last place far out is odd: of |x| - 1, which may be a tie, there is a little more.
    """
    size, z = absolute(x), x * x
    w = decay(absolute(x * 2.0))
    far = (size - 1.0) + (w + w) * inverse(w + 1.0)
    far = select(size < _ALL_ITS_OWN, (far.bits() | 1).as_real(), far)
    near = two_horners(at_most(z, 1.0), fitted.TANHSHRINK) * z * size
    return copysign(select(size > 1.0, far, near), x)
