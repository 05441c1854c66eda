"""Arithmetic of the plain primitives: one float64, one rounding each."""

from __future__ import annotations

from limen.kernels.primitives import lanes
from limen.kernels.primitives.lanes import Real, Truth


def widen(x: Real) -> Real:
    """The number a kernel computes with, from a float64."""
    return x


def narrow(x: Real) -> Real:
    """The float64 that a kernel's result rounds to."""
    return x


def add(a: Real, b: Real) -> Real:
    """a + b."""
    return a + b


def sub(a: Real, b: Real) -> Real:
    """a - b."""
    return a - b


def mul(a: Real, b: Real) -> Real:
    """a b."""
    return a * b


def div(a: Real, b: Real) -> Real:
    """a / b."""
    return a / b


def fma(a: Real, b: Real, c: Real) -> Real:
    """a b + c, rounded once where the CPU can."""
    return lanes.fma(a, b, c)


def neg(a: Real) -> Real:
    """-a."""
    return -a


def absolute(a: Real) -> Real:
    """|a|."""
    return lanes.absolute(a)


def square(a: Real) -> Real:
    """a^2."""
    return a * a


def reciprocal(a: Real) -> Real:
    """1 / a."""
    return 1.0 / a


def sqrt(a: Real) -> Real:
    """The square root of a; NaN below 0."""
    return lanes.sqrt(a)


def less(a: Real, b: Real) -> Truth:
    """a < b; false for NaN."""
    return a < b


def less_equal(a: Real, b: Real) -> Truth:
    """a <= b; false for NaN."""
    return a <= b


def equal(a: Real, b: Real) -> Truth:
    """a = b; false for NaN."""
    return a.equals(b)


def select(condition: Truth, a: Real, b: Real) -> Real:
    """a where the condition holds, else b; the one not taken has no effect."""
    return lanes.select(condition, a, b)
