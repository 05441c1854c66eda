"""Double-double arithmetic inside the extended primitives: pairs of moderate size.

A pair (high, low) is the unevaluated sum of two float64, |low| no more than a rounding of high.
Nothing here minds infinities or the sign of zero; the operations that kernels call do, and are in
`extended_arithmetic`. Relative errors are a few times 2^-104 of the largest operand.
Source: Joldes, Muller and Popescu, "Tight and rigorous error bounds for basic building blocks of
double-word arithmetic" (2017), their fast variants.
"""

from __future__ import annotations

from limen.kernels.primitives import lanes
from limen.kernels.primitives.exact import quick_two_sum, remainder, two_product, two_sum
from limen.kernels.primitives.lanes import Real, Truth, fma

Pair = tuple[Real, Real]
#: A pair whose parts may be constants.
AnyPair = tuple[Real | float, Real | float]

_SIGN = 1 << 63


def negate(a: Pair) -> Pair:
    """-a."""
    return -a[0], -a[1]


def magnitude(a: Pair) -> Pair:
    """|a|."""
    return with_sign(a, a[0])


def with_sign(a: Pair, sign: Real) -> Pair:
    """a, negated where `sign` is negative."""
    flip = sign.bits() & _SIGN
    return (a[0].bits() ^ flip).as_real(), (a[1].bits() ^ flip).as_real()


def select(condition: Truth, chosen: AnyPair, otherwise: AnyPair) -> Pair:
    """`chosen` where the condition holds, else `otherwise`."""
    high = lanes.select(condition, chosen[0], otherwise[0])
    return high, lanes.select(condition, chosen[1], otherwise[1])


def scale(a: Pair, factor: Real | float) -> Pair:
    """a times a power of two."""
    return a[0] * factor, a[1] * factor


def add(a: Pair, b: Pair) -> Pair:
    """a + b."""
    total, error = two_sum(a[0], b[0])
    return quick_two_sum(total, error + (a[1] + b[1]))


def add_smaller(a: Pair, b: Pair) -> Pair:
    """a + b where |a| >= |b| or a is 0."""
    total, error = quick_two_sum(a[0], b[0])
    return quick_two_sum(total, error + (a[1] + b[1]))


def add_constant(constant: float, a: Pair) -> Pair:
    """constant + a."""
    total, error = two_sum(constant, a[0])
    return quick_two_sum(total, error + a[1])


def add_to_constant(constant: Real | float, a: Pair) -> Pair:
    """constant + a where |constant| >= |a|."""
    total, error = quick_two_sum(constant, a[0])
    return quick_two_sum(total, error + a[1])


def multiply(a: Pair, b: Pair) -> Pair:
    """a b."""
    product, error = two_product(a[0], b[0])
    return quick_two_sum(product, fma(a[0], b[1], fma(a[1], b[0], error)))


def square(a: Pair) -> Pair:
    """a^2."""
    product, error = two_product(a[0], a[0])
    return quick_two_sum(product, fma(a[0] + a[0], a[1], error))


def divide(a: Pair, b: Pair) -> Pair:
    """a / b by one division, for b between 2^-1000 and 2^1000."""
    inverse = 1.0 / b[0]
    quotient = a[0] * inverse
    rest = fma(-quotient, b[1], remainder(a[0], quotient, b[0]) + a[1])
    return quick_two_sum(quotient, rest * inverse)


def reciprocal(a: Pair) -> Pair:
    """1 / a, for a between 2^-1000 and 2^1000."""
    inverse = 1.0 / a[0]
    rest = fma(-inverse, a[1], remainder(a[0].lift(1.0), inverse, a[0]))
    return quick_two_sum(inverse, rest * inverse)
