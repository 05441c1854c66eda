"""Extended primitives built on e^x: relative error below 2^-60, usually 2^-66.

x = (64 e + j) ln(2)/64 + r with |r| <= 0.0055, so that e^x = 2^e 2^(j/64) (1 + r + r^2/2 + ...).
The factor 2^(j/64) is tabulated as a pair, and what follows r is so small that float64 carries it.
(Tang, "Table-driven implementation of the exponential function in IEEE floating-point arithmetic",
1989.)
"""

from __future__ import annotations

import sys

from limen.kernels.primitives import fitted_extended as fitted
from limen.kernels.primitives import lanes, pairs
from limen.kernels.primitives.exact import quick_two_sum, two_product, two_sum
from limen.kernels.primitives.lanes import (
    ROUNDER,
    Real,
    absolute,
    at_least,
    at_most,
    estrin,
    fma,
    rint,
)
from limen.kernels.primitives.pairs import Pair
from limen.kernels.primitives.tables import Table

#: Arguments beyond which e^x is 0, or infinite.
_EXP_LOW, _EXP_HIGH = -750.0, 715.0
#: Arguments beyond which e^x - 1 is -1, or sinh x infinite.
_EXPM1_LOW, _EXPM1_HIGH = -60.0, 710.5
#: With the bias of float64 exponents added: shifted by 52, the low bits of the sum are 2^k.
_EXPONENT_ROUNDER = ROUNDER + 1023.0
_POWERS = Table("powers_of_two", fitted.POWERS)
#: Below it x stands for f(x) = x + O(x^2), and for odd f(x) = x + O(x^3).
_TINY, _TINY_ODD = 2.0**-66, 2.0**-34
#: Beyond it e^(-|x|) is nothing beside e^|x|.
_ONE_SIDED = 100.0


def power_of_two(k: Real) -> Real:
    """2^k for an integer k in -1022 ... 1023."""
    return ((k + _EXPONENT_ROUNDER).bits() << 52).as_real()


def _scale(x: Real, k: Real) -> Real:
    """x 2^k for any integer k with |k| <= 2044, rounded once where it is subnormal."""
    half = (k * 0.5 + ROUNDER) - ROUNDER
    return x * power_of_two(half) * power_of_two(k - half)


def _reduce(x: Pair, low: float, high: float) -> tuple[Real, Pair, Pair]:
    """The integer e, the pair 2^(j/64) and r in two parts, the second at most 2^-43.

    `x` is held between `low` and `high`.
    """
    x_high = at_most(at_least(x[0], low), high)
    x_low = lanes.select(x_high.equals(x[0]), x[1], 0.0)
    shifted = fma(x_high, fitted.LOG2_E_64, ROUNDER)
    k = shifted - ROUNDER
    power = _POWERS.look_up(shifted.bits() & 63)
    coarse = fma(k, -fitted.LN2_64[0], x_high)
    fine = k * fitted.LN2_64[1]
    r = coarse - fine
    # j runs from -31 to 32: the rounding must not meet ties.
    e = rint(fma(k, 1 / 64, -1 / 128))
    return e, (power[0], power[1]), (r, ((coarse - r) - fine) + x_low)


def scaled_exp(x: Pair, exponent: int = 0) -> Pair:
    """2^exponent e^x; infinite (with a meaningless second part) where too large."""
    e, (power, power_low), (r, r_low) = _reduce(x, _EXP_LOW, _EXP_HIGH)
    square = r * r
    shift = r_low * (1.0 + fma(square, 0.5, r))
    rest = fma(square, estrin(r, (0.5, *fitted.EXP)), shift)
    product, error = two_product(power, r)
    total, lost = quick_two_sum(power, product)
    low = lost + (error + fma(power, rest, fma(power_low, r, power_low)))
    high, low = quick_two_sum(total, low)
    e = e + exponent if exponent else e
    return _scale(high, e), _scale(low, e)


def scaled_expm1(x: Pair, exponent: int) -> Pair:
    """2^exponent (e^x - 1), beyond x = 710.5 as at 710.5; not for subnormal results."""
    e, power, (r, r_low) = _reduce(x, _EXPM1_LOW, _EXPM1_HIGH)
    square, square_error = two_product(r, r)
    m, lost = quick_two_sum(r, square * 0.5)
    shift = r_low * (1.0 + fma(square, 0.5, r))
    cubic = fma(estrin(r, fitted.EXP), r * square, fma(square_error, 0.5, shift))
    m_low = lost + cubic
    product, product_error = two_product(power[0], m)
    low = product_error + fma(power[0], m_low, power[1] * m)
    factor = power_of_two(e + exponent)
    base, base_error = two_sum(-(2.0**exponent), power[0] * factor)
    total, lost = quick_two_sum(base, product * factor)
    return quick_two_sum(total, (lost + base_error) + (power[1] + low) * factor)


def _overflowed(x: Pair) -> Pair:
    """x, or infinity without its low part, where an overflow leaves noise."""
    high, low = x
    return high, lanes.select(absolute(high) <= sys.float_info.max, low, 0.0)


def exp(x: Pair) -> Pair:
    """e^x."""
    return _overflowed(scaled_exp(x))


def expm1(x: Pair) -> Pair:
    """e^x - 1."""
    value = _overflowed(pairs.scale(scaled_expm1(x, -2), 4.0))
    return pairs.select(absolute(x[0]) < _TINY, x, value)


def sinh(x: Pair) -> Pair:
    """The hyperbolic sine: with q = (e^|x| - 1)/4, |sinh x| = 2q + q/(2q + 1/2)."""
    size = pairs.magnitude(x)
    quarter = scaled_expm1(size, -2)
    half = pairs.scale(quarter, 2.0)
    within = size[0] < _ONE_SIDED
    denominator = pairs.add_constant(0.5, half)
    other = pairs.divide(quarter, pairs.select(within, denominator, (1.0, 0.0)))
    both = pairs.add_smaller(half, other)
    value = pairs.with_sign(_overflowed(pairs.select(within, both, half)), x[0])
    return pairs.select(size[0] < _TINY_ODD, x, value)


def cosh(x: Pair) -> Pair:
    """The hyperbolic cosine: with h = e^|x|/2, cosh x = h + 1/(4h)."""
    size = pairs.magnitude(x)
    half = scaled_exp(size, -1)
    within = size[0] < _ONE_SIDED
    other = pairs.scale(pairs.reciprocal(pairs.select(within, half, (1.0, 0.0))), 0.25)
    return _overflowed(pairs.select(size[0] >= _ONE_SIDED, half, pairs.add_smaller(half, other)))


def tanh(x: Pair) -> Pair:
    """The hyperbolic tangent: with u = e^(-2|x|) - 1, |tanh x| = -u/(2 + u)."""
    size = pairs.magnitude(x)
    u = scaled_expm1(pairs.scale(size, -2.0), 0)
    value = pairs.divide(pairs.negate(u), pairs.add_to_constant(2.0, u))
    return pairs.select(size[0] < _TINY_ODD, x, pairs.with_sign(value, x[0]))


def sech(x: Pair) -> Pair:
    """1 / cosh x: with d = 2 e^(-|x|), sech x = d/(1 + d^2/4)."""
    double = scaled_exp(pairs.negate(pairs.magnitude(x)), 1)
    square = pairs.scale(pairs.square(double), 0.25)
    return pairs.divide(double, pairs.add_to_constant(1.0, square))


def sigmoid(x: Pair) -> Pair:
    """1 / (1 + e^(-x)), from e^(-|x|) so that both tails are exact."""
    e = scaled_exp(pairs.negate(pairs.magnitude(x)))
    return pairs.divide(pairs.select(x[0] < 0.0, e, (1.0, 0.0)), pairs.add_to_constant(1.0, e))
