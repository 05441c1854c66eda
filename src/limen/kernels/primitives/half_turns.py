"""x / pi modulo 2, exactly enough for every float64: the argument reduction of sine and cosine.

With x = M 2^E, M an integer of 53 bits, x / pi = M (2^E / pi), and an even integer may be taken off
the second factor. What is left of it, in four float64, is tabulated for every exponent E, so the
reduction is the same few operations for every x. (Payne and Hanek, "Radian reduction for
trigonometric functions", 1983, in the arithmetic of error-free transformations.)
"""

from __future__ import annotations

from functools import cache
from math import ldexp, nan

from limen.kernels.primitives import pairs
from limen.kernels.primitives.exact import quick_two_sum, two_product, two_sum
from limen.kernels.primitives.lanes import ROUNDER, Real, fma, rint
from limen.kernels.primitives.pairs import Pair
from limen.kernels.primitives.tables import Table

#: The first 1280 binary digits of 1/pi, after the point.
_ONE_OVER_PI = int(
    "517cc1b727220a94fe13abe8fa9a6ee06db14acc9e21c820ff28b1d5ef5de2b0db92371d2126e970"
    "0324977504e8c90e7f0ef58e5894d39f74411afa975da24274ce38135a2fbf209cc8eb1cc1a99cfa"
    "4e422fc5defc941d8ffc4bffef02cc07f79788c5ad05368fb69b3f6793e584dba7a31fb34f2ff516"
    "ba93dd63f5f2f8bd9e839cfbc529497535fdafd88fc6ae842b0198237e3db5d5f867de104d7a1b0e",
    16,
)
_DIGITS = 1280
_ROW_DIGITS = 260

#: A number below 2^_SMALLEST_EXPONENT is a negligible part of a turn and counts as 0.
_SMALLEST_EXPONENT = -130
_BIAS, _EXPONENTS = 1023, 0x7FF
_SIGN_AND_SIGNIFICAND = 0x800FFFFFFFFFFFFF
_INTEGER_EXPONENT = (_BIAS + 52) << 52


@cache
def _table() -> Table:
    """Rows (2^(E - 52) / pi) mod 2, in [-1, 1), for every E + bias there is; NaN for the last."""
    rows = (_row(biased - _BIAS) for biased in range(_EXPONENTS))
    return Table("one_over_pi", (*rows, (nan,) * 4))


def _row(exponent: int) -> tuple[float, ...]:
    return (0.0,) * 4 if exponent < _SMALLEST_EXPONENT else _parts_of_row(exponent - 52)


def _parts_of_row(exponent: int) -> tuple[float, ...]:
    """2^exponent / pi modulo 2 as an unevaluated sum of four float64."""
    scale = _ROW_DIGITS + max(0, -exponent)  # binary digits kept after the point
    fixed = (_ONE_OVER_PI >> (_DIGITS - exponent - scale)) & ((2 << scale) - 1)
    if fixed >> scale:
        fixed -= 2 << scale
    parts = []
    for _ in range(4):
        excess = max(fixed.bit_length() - 53, 0)
        rounded = (fixed + (1 << excess >> 1)) >> excess
        parts.append(ldexp(rounded, excess - scale))
        fixed -= rounded << excess
    return tuple(parts)


def _operands(x: Real) -> tuple[Real, list[Real]]:
    """M, with the sign of x, and the row of the table for x's exponent."""
    bits = x.bits()
    significand = ((bits & _SIGN_AND_SIGNIFICAND) | _INTEGER_EXPONENT).as_real()
    return significand, _table().look_up((bits >> 52) & _EXPONENTS)


def half_turns(x: Real, phase: float) -> tuple[Real, Real, Real]:
    """n, f and f_low with x / pi + phase = n + f + f_low modulo 2, |f| <= 1/2.

    The error is below 2^-105, and below 2^-105 |x| where the phase is 0 and |x| < 1.
    """
    significand, (first, second, third, _) = _operands(x)
    middle, middle_low = two_product(significand, second)
    n, f, rest = _take_integer(*two_product(significand, first), middle, phase)
    f, f_low = two_sum(f, rest[0])
    return n, f, f_low + (rest[1] + fma(significand, third, middle_low))


def half_turns_of_pair(x: Pair, phase: float) -> tuple[Real, Pair]:
    """n and f with x / pi + phase = n + f modulo 2, |f| <= 1/2.

    The error is below 2^-155 and a relative 2^-104 of f where the second part of x is 0. Elsewhere
    it is a relative 2^-104 of what either part of x contributes modulo 2.
    """
    n, f = _half_turns_to_the_last(x[0], phase)
    m, g = _half_turns_to_the_last(x[1], 0.0)
    high, low = pairs.add(f, g)
    carry = rint(high)
    return n + m + carry, quick_two_sum(high - carry, low)


def _half_turns_to_the_last(x: Real, phase: float) -> tuple[Real, Pair]:
    significand, (first, second, third, fourth) = _operands(x)
    middle, middle_low = two_product(significand, second)
    fine, fine_low = two_product(significand, third)
    n, f, rest = _take_integer(*two_product(significand, first), middle, phase)
    small, lost = two_sum(middle_low, fine)
    small, more_lost = two_sum(small, rest[0])
    f, f_low = two_sum(f, small)
    tail = (rest[1] + fma(significand, fourth, fine_low)) + (lost + more_lost)
    return n, quick_two_sum(f, f_low + tail)


def _take_integer(
    coarse: Real, coarse_low: Real, middle: Real, phase: float
) -> tuple[Real, Real, Pair]:
    """n, f and a small rest with coarse + coarse_low + middle + phase = n + f + rest modulo 2."""
    coarse = coarse - 2.0 * rint(coarse * 0.5)
    if phase:
        coarse, lost = two_sum(phase, coarse)
        coarse_low, tail = two_sum(coarse_low, lost)
    coarse, low = two_sum(coarse, coarse_low)
    coarse, lost = two_sum(coarse, middle)
    n = rint(coarse)
    low, lost = two_sum(low, lost)
    return n, coarse - n, (low, lost + tail if phase else lost)


def negate_where_odd(value: Real, n: Real) -> Real:
    """(-1)^n value for a small integer n: its lowest bit becomes the sign."""
    return (((n + ROUNDER).bits() << 63) ^ value.bits()).as_real()
