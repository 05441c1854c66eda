"""Error-free transformations: a rounded result together with its rounding error.

Sources: Dekker, "A floating-point technique for extending the available precision" (1971);
Knuth, "The Art of Computer Programming", volume 2, section 4.2.2;
Ogita, Rump and Oishi, "Accurate sum and dot product" (2005).
"""

from __future__ import annotations

from limen.kernels.primitives import lanes
from limen.kernels.primitives.lanes import Real, fma

#: Sign, exponent and the 25 upper stored bits of a significand; and half of the last of them.
_UPPER_BITS, _HALF_OF_LOWER = 0xFFFFFFFFF8000000, 0x4000000


def quick_two_sum(a: Real | float, b: Real) -> tuple[Real, Real]:
    """a + b and its rounding error, where |a| >= |b| or a is 0."""
    total = a + b
    return total, b - (total - a)


def two_sum(a: Real | float, b: Real) -> tuple[Real, Real]:
    """a + b and its rounding error."""
    total = a + b
    b_part = total - a
    return total, (a - (total - b_part)) + (b - b_part)


def two_product(a: Real, b: Real | float) -> tuple[Real, Real]:
    """a b and its rounding error."""
    product = a * b
    if lanes.HAS_FMA:
        return product, fma(a, b, -product)
    return product, _dekker_error(a, a.lift(b), product)


def _dekker_error(a: Real, b: Real, product: Real) -> Real:
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _split(a: Real) -> tuple[Real, Real]:
    """a rounded to 26 bits, and the rest: 26 bits too, with their sign.

    Only a number beside the largest overflows here; in Veltkamp's way all from 2^996 on do.
    """
    high = ((a.bits() + _HALF_OF_LOWER) & _UPPER_BITS).as_real()
    return high, a - high


def remainder(a: Real, quotient: Real, b: Real) -> Real:
    """a - quotient b, exact where `quotient` is a / b but for a few roundings."""
    if lanes.HAS_FMA:
        return fma(-quotient, b, a)
    product, error = two_product(quotient, b)
    return (a - product) - error
