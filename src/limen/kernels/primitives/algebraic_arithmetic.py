"""Arithmetic of the algebraic primitives: pairs that are exact where the result has few digits.

The parts of a low part are each rounded. Where they cancel, what is left is rounding alone, and 0
in truth: 33 times a pair for 31/33 is 31. And a low part may be far below the last place of the
high one: of x - 1/2 for x = 2^105, it is -1/2.

Where a high part is infinite, the low one may be NaN, and counts as 0.
"""

from __future__ import annotations

import math

from limen.kernels.primitives import lanes, pairs
from limen.kernels.primitives.exact import quick_two_sum, remainder, two_product, two_sum
from limen.kernels.primitives.lanes import Real, Truth, fma
from limen.kernels.primitives.pairs import Pair

#: What cancels to less of its terms than this has no bit that is known.
_NOISE = 2.0**-48


def _pair(high: Real, low: Real, *terms: Real) -> Pair:
    """high + low, where `low` is a sum of `terms` and one more: -0 where it is noise, or NaN."""
    noise = sum((lanes.absolute(term) for term in terms[1:]), lanes.absolute(terms[0])) * _NOISE
    return quick_two_sum(high, lanes.select(lanes.absolute(low) > noise, low, -0.0))


# --- Of float64, which the result may not fit ----------------------------------------------


def total(a: Real, b: Real) -> Pair:
    """a + b."""
    return two_sum(a, b)


def product(a: Real, b: Real) -> Pair:
    """a b."""
    return two_product(a, b)


def choose(condition: Truth, a: Real, b: Real) -> Real:
    """a where the condition holds, else b."""
    return lanes.select(condition, a, b)


def size(a: Real) -> Real:
    """|a|."""
    return lanes.absolute(a)


# --- Of pairs ------------------------------------------------------------------------------


def scaled(a: Pair, factor: Real) -> Pair:
    """a times a power of two."""
    return pairs.scale(a, factor)


def times(a: Pair, b: Real) -> Pair:
    """a b, of a pair and a float64."""
    high, error = two_product(a[0], b)
    return _pair(high, fma(a[1], b, error), error)


def add(a: Pair, b: Pair) -> Pair:
    """a + b."""
    high, error = two_sum(a[0], b[0])
    return _pair(high, error + (a[1] + b[1]), error, a[1])


def mul(a: Pair, b: Pair) -> Pair:
    """a b."""
    high, error = two_product(a[0], b[0])
    crossed = a[1] * b[0]
    return _pair(high, fma(a[0], b[1], crossed + error), error, crossed)


def div(a: Pair, b: Pair) -> Pair:
    """a / b."""
    quotient = a[0] / b[0]
    left = remainder(a[0], quotient, b[0])
    inverse = 1.0 / b[0]
    rest = fma(-quotient, b[1], left + a[1])
    return _pair(quotient, rest * inverse, left * inverse, a[1] * inverse)


def sqrt(a: Pair) -> Pair:
    """The square root of a; NaN below 0."""
    # Moved away from both ends of the range, where the remainder would lose digits.
    large = a[0] > 1.0
    high, low = pairs.scale(a, lanes.select(large, 2.0**-200, 2.0**200))
    root = lanes.sqrt(high)
    half = 0.5 / root
    left = remainder(high, root, root)
    found = _pair(root, (left + low) * half, left * half)
    return pairs.scale(found, lanes.select(large, 2.0**100, 2.0**-100))


def narrow_to_odd(x: Pair) -> Real:
    """One of the two float64 about x, the odd one unless x is a float64 itself.

    An odd last place says that there is more: rounded once again, to half as many bits or fewer,
    the result is x rounded once. Source: Boldo and Melquiond, "Emulation of FMA and correctly
    rounded sums: proved algorithms using rounding to odd" (2008).
    """
    high, low = x
    nearest, error = quick_two_sum(high, lanes.select(low.differs(0.0), low, -0.0))
    is_inexact = error.differs(0.0) & (lanes.absolute(nearest) < math.inf)
    is_even = 1 - (nearest.bits() & 1)
    points_to_0 = (error.bits() ^ nearest.bits()) >> 63
    odd = nearest.bits() + is_even * (1 - (points_to_0 << 1))
    return lanes.select(is_inexact, odd.as_real(), nearest)
