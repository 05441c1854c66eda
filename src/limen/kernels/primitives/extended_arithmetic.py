"""Arithmetic of the extended primitives: pairs (high, low), about 2^-100 relative.

Where high is infinite, low means nothing (it may be NaN) and never spoils high; and a result whose
high is 0 has the sign that float64 arithmetic would give it.
"""

from __future__ import annotations

from limen.kernels.primitives import lanes, pairs
from limen.kernels.primitives.exact import quick_two_sum, remainder, two_product, two_sum
from limen.kernels.primitives.lanes import Real, Truth, fma
from limen.kernels.primitives.pairs import Pair


def widen(x: Real) -> Pair:
    """The number a kernel computes with, from a float64."""
    return x, x.lift(-0.0)


def narrow(x: Pair) -> Real:
    """The float64 nearest to x; a saturated x is infinite."""
    high, low = x
    return lanes.select(low.differs(0.0), high + low, high)


def _settle_sum(total: Real, error: Real) -> Pair:
    """The pair total + error, where an overflow leaves NaN in `error`. -0 + (-0) stays -0."""
    return quick_two_sum(total, lanes.select(error.differs(0.0), error, -0.0))


def _settle_product(product: Real, error: Real) -> Pair:
    """The pair product + error, where an overflow leaves anything in `error`."""
    sound = lanes.absolute(error) < lanes.absolute(product)
    return quick_two_sum(product, lanes.select(sound, error, -0.0))


def add(a: Pair, b: Pair) -> Pair:
    """a + b."""
    total, error = two_sum(a[0], b[0])
    return _settle_sum(total, error + (a[1] + b[1]))


def sub(a: Pair, b: Pair) -> Pair:
    """a - b."""
    return add(a, neg(b))


def mul(a: Pair, b: Pair) -> Pair:
    """a b."""
    product, error = two_product(a[0], b[0])
    return _settle_product(product, fma(a[0], b[1], fma(a[1], b[0], error)))


def square(a: Pair) -> Pair:
    """a^2."""
    product, error = two_product(a[0], a[0])
    return _settle_product(product, fma(a[0] + a[0], a[1], error))


def div(a: Pair, b: Pair) -> Pair:
    """a / b."""
    quotient = a[0] / b[0]
    rest = fma(-quotient, b[1], remainder(a[0], quotient, b[0]) + a[1])
    return _settle_product(quotient, rest / b[0])


def reciprocal(a: Pair) -> Pair:
    """1 / a."""
    return div(widen(a[0].lift(1.0)), a)


def sqrt(a: Pair) -> Pair:
    """The square root of a; NaN below 0."""
    # Moved away from both ends of the range, where the remainder would lose digits.
    large = a[0] > 1.0
    high, low = pairs.scale(a, lanes.select(large, 2.0**-200, 2.0**200))
    root = lanes.sqrt(high)
    low = (remainder(high, root, root) + low) / (root + root)
    return pairs.scale(_settle_product(root, low), lanes.select(large, 2.0**100, 2.0**-100))


def neg(a: Pair) -> Pair:
    """-a."""
    return pairs.negate(a)


def absolute(a: Pair) -> Pair:
    """|a|."""
    return pairs.magnitude(a)


def less(a: Pair, b: Pair) -> Truth:
    """a < b; false for NaN."""
    return (a[0] < b[0]) | (a[0].equals(b[0]) & (a[1] < b[1]))


def less_equal(a: Pair, b: Pair) -> Truth:
    """a <= b; false for NaN."""
    return (a[0] < b[0]) | (a[0].equals(b[0]) & a[1].less_or_unordered(b[1]))


def equal(a: Pair, b: Pair) -> Truth:
    """a = b; false for NaN."""
    return a[0].equals(b[0]) & a[1].equals_or_unordered(b[1])


def select(condition: Truth, a: Pair, b: Pair) -> Pair:
    """a where the condition holds, else b; the one not taken has no effect."""
    return pairs.select(condition, a, b)
