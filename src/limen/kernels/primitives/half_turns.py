"""x / pi modulo 2, exactly enough for every float64: the argument reduction of sine and cosine.

With x = M 2^E, M an integer of 53 bits, x / pi = M (2^E / pi), and an even integer may be taken off
the second factor. What is left of it, in four float64, is tabulated for every exponent E, so the
reduction is the same few operations for every x. (Payne and Hanek, "Radian reduction for
trigonometric functions", 1983, in the arithmetic of error-free transformations.)
"""

from __future__ import annotations

from functools import cache
from math import ldexp, nan

from limen.kernels.primitives.exact import two_product, two_sum
from limen.kernels.primitives.lanes import Real, Table, absolute, fma, rint, select

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
_LARGEST_EXPONENT = 1023
_BIAS = 1023
#: 1.5 2^52: in its sum with a small integer, the integer is in the low bits.
_ROUNDER = 6755399441055744.0
_SIGN_AND_SIGNIFICAND = 0x800FFFFFFFFFFFFF
_INTEGER_EXPONENT = (_BIAS + 52) << 52


@cache
def _table() -> Table:
    """Rows (2^(E - 52) / pi) mod 2, in [-1, 1), for rising E; zeros before, NaN (infinity) after."""
    exponents = range(_SMALLEST_EXPONENT, _LARGEST_EXPONENT + 1)
    rows = (_parts_of_row(exponent - 52) for exponent in exponents)
    return Table("one_over_pi", ((0.0,) * 4, *rows, (nan,) * 4))


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
    smallest = ldexp(1.0, _SMALLEST_EXPONENT)
    bits = select(absolute(x) < smallest, smallest / 2, x).bits()
    significand = ((bits & _SIGN_AND_SIGNIFICAND) | _INTEGER_EXPONENT).as_real()
    return significand, _table().look_up(((bits >> 52) & 0x7FF) - (_BIAS + _SMALLEST_EXPONENT - 1))


def half_turns(x: Real, phase: float) -> tuple[Real, Real, Real]:
    """n, f_high and f_low with x / pi + phase = n + f_high + f_low modulo 2, |f_high| <= 1/2.

    The error of f is below 2^-105, and below 2^-105 |x| where the phase is 0 and |x| < 1.
    """
    significand, (first, second, third, _) = _operands(x)
    high, error = two_product(significand, first)
    middle, middle_error = two_product(significand, second)
    tail = fma(significand, third, middle_error)
    high = high - 2.0 * rint(high * 0.5)
    if phase:
        high, lost = two_sum(phase, high)
        error, lost = two_sum(error, lost)
        tail = tail + lost
    high, low = two_sum(high, error)
    high, rest = two_sum(high, middle)
    low, carry = two_sum(low, rest)
    n = rint(high)
    high, low = two_sum(high - n, low)
    return n, high, low + (carry + tail)


def negate_where_odd(value: Real, n: Real) -> Real:
    """(-1)^n value for a small integer n: its lowest bit becomes the sign."""
    return (((n + _ROUNDER).bits() << 63) ^ value.bits()).as_real()
