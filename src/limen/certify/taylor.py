"""The Taylor series of a formula on a stretch of numbers, with a proven bound of its remainder."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from limen.certify.balls import arb, working
from limen.certify.reference import Reference
from limen.certify.wide import Scaled, least_size

__all__ = [
    "NEXT_TO_NOTHING",
    "Taylor",
    "about",
    "ball_between",
    "half_width",
    "over",
    "overflow_sign",
    "remainder",
    "size_of",
    "value_size",
]

NEXT_TO_NOTHING = math.ldexp(1.0, -1000)
"""Added to bounds for what underflows in float64: nothing, beside any spacing."""

_BITS = 64  # for bounds over a whole stretch
_MORE_BITS = 320  # to tell x + 2 < 2 for the smallest x
_SLACK = 1.0001


@dataclass(frozen=True, slots=True)
class Taylor:
    """sum(coefficients[k] * z**k) with z = (x - centre) * 2**-exponent, |z| <= 1.

    Attributes:
        centre: a float64 in the middle of the stretch.
        exponent: of the power of two that is just larger than half the stretch.
        coefficients: balls that hold the exact ones.
        remainder: a bound of what the series leaves out; 0 if it is the formula itself.
        span: holds every z of the stretch.
        precision: of the coefficients, in bits.
    """

    centre: float
    exponent: int
    coefficients: tuple[arb, ...]
    remainder: float
    span: arb
    precision: int

    @property
    def blur(self) -> float:
        """A bound of what the radii of the coefficients add up to."""
        return sum(size_of(c.rad()) for c in self.coefficients) * _SLACK

    @property
    def least(self) -> float:
        """A lower bound of the formula's size on the stretch; 0 if there may be a root."""
        first, *others = self.coefficients
        lowest = float(abs(first).lower()) - (sum(map(size_of, others)) + self.remainder) * _SLACK
        return max(lowest, 0.0)

    def less_line(self, slope: float, start: float) -> tuple[arb, ...]:
        """The coefficients of the formula less `slope * x + start`."""
        with working(self.precision, 1):
            first, second, *others = self.coefficients
            line = arb(slope) * arb(self.centre) + arb(start)
            return (first - line, second - arb(slope) * arb((1, self.exponent)), *others)

    def sign(self, coefficients: tuple[arb, ...]) -> int | None:
        """The sign that a series of these coefficients has on the whole stretch, if it has one."""
        if not self.remainder and all(c.is_zero() for c in coefficients):
            return 0
        with working(self.precision, 1):
            found = arb(0, self.remainder)
            for c in reversed(coefficients):
                found = c + found * self.span
        return 1 if found > 0 else -1 if found < 0 else None


def size_of(ball: arb) -> float:
    """An upper bound of the absolute value, up to rounding; infinite for NaN."""
    if ball.is_zero():
        return 0.0
    size = float(abs(ball).upper())
    return math.inf if math.isnan(size) else max(size, NEXT_TO_NOTHING)


def over(reference: Reference, low: float, high: float, length: int) -> Any:
    """The series that holds the one about every number of a stretch, as far as derivatives go."""
    stretch = ball_between(low, high)
    for bits in (_BITS, _MORE_BITS):
        series = reference.series(stretch, bits, length + reference.order)
        with working(bits, length + reference.order):
            if not series[0].is_nan():
                break
    return series


def overflow_sign(series: Any, reference: Reference, exponent: int) -> int:
    """The sign of all values, if they are certainly larger than 2**exponent in size; else 0."""
    with working(_BITS, reference.order + 1):
        if isinstance(series, Scaled):
            least, sign = least_size(series, reference.order)
        else:
            value = series[reference.order]
            least, sign = abs(value).lower(), 1 if value > 0 else -1
        is_larger = least * math.factorial(reference.order) > arb((1, exponent))
    return sign if is_larger else 0


def value_size(series: Any, reference: Reference) -> float:
    """An upper bound of the size of all values."""
    with working(_BITS, reference.order + 1):
        return size_of(_coefficient(series, 0, reference.order))


def remainder(series: Any, reference: Reference, length: int, exponent: int) -> float:
    """A bound of the remainder after `length` terms: the next one, over the stretch (Lagrange)."""
    with working(_BITS, length + reference.order + 1):
        last = _coefficient(series, length, reference.order)
        return size_of(last * arb((1, length * exponent))) if last.is_finite() else math.inf


def half_width(low: float, high: float) -> tuple[float, int]:
    """The centre of a stretch, and the exponent of a power of two of at least half its width."""
    centre = low / 2 + high / 2
    width = max(high - centre, centre - low) * _SLACK
    return centre, math.frexp(width)[1] if width else -1000


def about(
    reference: Reference, low: float, high: float, length: int, precision: int, remainder: float
) -> Taylor:
    """The series about the centre of a stretch.

    Args:
        reference: the formula; its order says which derivative is meant.
        low: the lower end of the stretch.
        high: the upper end.
        length: how many coefficients.
        precision: in bits.
        remainder: the bound of what that leaves out.
    """
    centre, exponent = half_width(low, high)
    series = reference.series(arb(centre), precision, length + reference.order)
    with working(precision, length + reference.order):
        coefficients = tuple(
            _coefficient(series, k, reference.order) * arb((1, k * exponent)) for k in range(length)
        )
    with working(precision, 1):
        span = ball_between(low, high)
        span = (span - centre) * arb((1, -exponent))
    return Taylor(centre, exponent, coefficients, remainder, span, precision)


def _coefficient(series: Any, k: int, order: int) -> arb:
    """The k-th coefficient of the derivative of this order of a series."""
    found: arb = series[k + order] * math.perm(k + order, order)
    return found


def ball_between(low: float, high: float) -> arb:
    """A ball whose ends are two numbers, exactly."""
    with working(2200, 1):  # exact for any two floats
        a, b = arb(low), arb(high)
        return arb((a + b) / 2, (b - a) / 2)
