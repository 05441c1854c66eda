"""Expansions at infinity with rigorous remainders.

An `Expansion` describes a function of t for all t >= start:

    f(t) = c_1 S_1(t) + ... + c_n S_n(t) + S_r(t) rho(t),    low <= rho(t) <= high,

where each S is a scale t**a (log t)**l exp(p_1 t**q_1 + p_2 t**q_2 + ...), S_1 outgrows S_2, and
so on, and S_r is outgrown by all of them. The leading term gives the limit; the bounds on the rest
say from where on nothing but the leading term decides the sign, so that a search for zeros can
stop there. Source: Gruntz, On computing limits in a symbolic manipulation system (1996), for the
scales; the bounds are ordinary interval arithmetic.

Coefficients have 60 digits; two that agree to 40 are taken for equal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cmp_to_key
from typing import Any, NamedTuple

from limen.formula.analysis import digits, interval

__all__ = ["UNIT", "Expansion", "Scale", "TooNearError", "UnsupportedError"]

# More terms than any activation function needs; what is dropped goes into the rest.
_MOST_TERMS = 5
# The bounds of the rest are computed in floats and moved outward by this, relatively.
_PAD = 1e-12


class TooNearError(Exception):
    """The start is too near for the expansion to hold: try a later one."""


class UnsupportedError(Exception):
    """The function is not of this kind, wherever it starts."""


Rational = int | Fraction


def plain(number: Rational) -> Rational:
    """An int where it is one: much faster than a `Fraction`, and equal to it."""
    return int(number) if number.denominator == 1 else number


class Scale(NamedTuple):
    """t**power * (log t)**logs * exp(sum of p * t**q), with the q falling and positive."""

    power: Rational
    logs: Rational
    exponent: tuple[tuple[Rational, Any], ...]

    def times(self, other: Scale) -> Scale:
        """The product of two scales."""
        total = dict(self.exponent)
        for q, p in other.exponent:
            total[q] = digits.cancelling_sum(total.get(q, 0), p)
        exponent = tuple(sorted(((q, p) for q, p in total.items() if p), reverse=True))
        return Scale(plain(self.power + other.power), plain(self.logs + other.logs), exponent)

    def to(self, n: Rational) -> Scale:
        """The scale raised to a rational power."""
        exponent = tuple((q, p * digits.number(n)) for q, p in self.exponent) if n else ()
        return Scale(plain(self.power * n), plain(self.logs * n), exponent)

    def over(self, other: Scale) -> Scale:
        """The quotient of two scales."""
        return self.times(other.to(-1))

    @property
    def growth(self) -> int:
        """1 when it grows without bound, -1 when it vanishes, 0 when it is 1."""
        leading = self.exponent[0][1] if self.exponent else self.power or self.logs
        return (leading > 0) - (leading < 0)

    def bound(self, start: float) -> float:
        """The largest value on t >= start, for a scale that does not grow.

        Raises:
            TooNearError: when it is not falling from `start` on.
        """
        if self.growth == 0:
            return 1.0
        if self.growth > 0 or not self._falls_from(start):
            raise TooNearError
        log = math.log(start)
        size = float(self.power) * log + float(self.logs) * math.log(log)
        size += sum(float(p) * start ** float(q) for q, p in self.exponent)
        return math.exp(min(size + abs(size) * _PAD, 700.0)) * (1 + _PAD) + 1e-320

    def _falls_from(self, start: float) -> bool:
        """Whether t d/dt log S = power + logs / log t + sum of p q t**q is negative from `start`.

        Divided by the part that grows most, every other part shrinks in size as t grows: it is
        enough to look at `start`, and only at what is positive.
        """
        parts = [(float(q), float(p) * float(q)) for q, p in self.exponent]
        parts.append((0.0, float(self.power)))
        parts.append((0.0, float(self.logs) / math.log(start)))
        (top, leading), *others = [part for part in parts if part[1]]
        against = sum(c * start ** (q - top) for q, c in others if c > 0)
        return leading < 0 and against * (1 + _PAD) <= -leading


UNIT = Scale(0, 0, ())
"""The scale of constants."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What the terms leave: `scale` times a number in [low, high].

    Attributes:
        oscillates: whether both ends are approached again and again for ever.
        nonzero: whether 0 is no value, though it may be an end.
    """

    scale: Scale
    low: float
    high: float
    oscillates: bool = False
    nonzero: bool = False


class Expansion:
    """The terms and the rest of a function, for all t >= start. See the module."""

    __slots__ = ("rest", "start", "terms")

    def __init__(self, start: float, terms: dict[Scale, Any], rests: Iterable[Rest] = ()) -> None:
        self.start = start
        merged = _merged(terms)
        kept = dict(merged[:_MOST_TERMS])
        rests = [*rests, *(_exact(s, c) for s, c in merged[_MOST_TERMS:])]
        self.rest: Rest | None = None
        if rests:
            top = min((r.scale for r in rests), key=_BY_GROWTH)
            below = [s for s in kept if _compare(s, top) > 0]
            rests += [_exact(s, kept.pop(s)) for s in below]
            self.rest = _together(rests, top, start)
        self.terms: dict[Scale, Any] = kept

    @classmethod
    def constant(cls, value: Any, start: float) -> Expansion:
        """A number."""
        return cls(start, {UNIT: value})

    def plus(self, other: Expansion) -> Expansion:
        """The sum."""
        terms = dict(self.terms)
        for scale, c in other.terms.items():
            terms[scale] = digits.cancelling_sum(terms.get(scale, 0), c)
        return Expansion(self.start, terms, [r for r in (self.rest, other.rest) if r])

    def times(self, other: Expansion) -> Expansion:
        """The product."""
        terms: dict[Scale, Any] = {}
        for a, c in self.terms.items():
            for b, d in other.terms.items():
                scale = a.times(b)
                terms[scale] = digits.cancelling_sum(terms.get(scale, 0), c * d)
        rests = [_scaled(other.rest, a, c) for a, c in self.terms.items() if other.rest]
        rests += [_scaled(self.rest, b, d) for b, d in other.terms.items() if self.rest]
        if self.rest and other.rest:
            bounds = interval.FUNCTIONS["multiply"](
                (self.rest.low, self.rest.high), (other.rest.low, other.rest.high)
            )
            rests.append(Rest(self.rest.scale.times(other.rest.scale), *bounds))
        return Expansion(self.start, terms, rests)

    def scaled(self, c: Any, scale: Scale = UNIT) -> Expansion:
        """The product with c times a scale."""
        return self.times(Expansion(self.start, {scale: c}))

    @property
    def is_zero(self) -> bool:
        """Whether it is 0 for all t."""
        return not self.terms and self.rest is None

    @property
    def leading(self) -> tuple[Scale, Any]:
        """The leading term.

        Raises:
            UnsupportedError: when there is only a rest, or the rest is as large.
        """
        if not self.terms:
            raise UnsupportedError
        scale = next(iter(self.terms))
        if self.rest and _compare(self.rest.scale, scale) == 0:
            raise UnsupportedError
        return scale, self.terms[scale]

    def sign(self) -> int:
        """The sign that it has for all t >= start; 0 where it is zero everywhere.

        Raises:
            TooNearError: when the sign may change after the start.
        """
        if self.is_zero:
            return 0
        low, high = self.relative(*self.largest())
        if self.rest and self.rest.nonzero and not self.terms:
            low, high = self.rest.low, self.rest.high
            if low == 0 or high == 0:
                return 1 if low == 0 else -1
        if low > 0 or high < 0:
            return 1 if low > 0 else -1
        raise TooNearError

    def largest(self) -> tuple[Scale, Any]:
        """The largest scale, and the size of its coefficient (1 where there is only a rest)."""
        if self.terms:
            scale = next(iter(self.terms))
            return scale, abs(self.terms[scale])
        assert self.rest is not None
        return self.rest.scale, digits.number(1)

    def relative(self, scale: Scale, c: Any) -> interval.Interval:
        """Bounds of the whole, divided by c > 0 times a scale that nothing here outgrows.

        Raises:
            UnsupportedError: when c is beyond the range of floats.
        """
        if not 0.0 < float(c) < math.inf:
            raise UnsupportedError
        low = high = 0.0
        for s, d in self.terms.items():
            size = s.over(scale).bound(self.start) * float(d / c)
            exact = _compare(s, scale) == 0
            low += size if exact or size < 0 else 0.0
            high += size if exact or size > 0 else 0.0
        if self.rest:
            size = self.rest.scale.over(scale).bound(self.start) / float(c)
            exact = _compare(self.rest.scale, scale) == 0
            low += self.rest.low * size if exact or self.rest.low < 0 else 0.0
            high += self.rest.high * size if exact or self.rest.high > 0 else 0.0
        return (low - abs(low) * _PAD - 1e-320, high + abs(high) * _PAD + 1e-320)


def _compare(a: Scale, b: Scale) -> int:
    """-1 when `a` outgrows `b`, 1 when `b` outgrows `a`, 0 when they are the same scale."""
    if a.exponent != b.exponent:
        above, below = dict(a.exponent), dict(b.exponent)
        for q in sorted({*above, *below}, reverse=True):
            p = digits.cancelling_sum(above.get(q, 0), -below.get(q, 0))
            if p:
                return -1 if p > 0 else 1
    difference = a.power - b.power or a.logs - b.logs
    return (difference < 0) - (difference > 0)


def _merged(terms: dict[Scale, Any]) -> list[tuple[Scale, Any]]:
    """The terms by falling growth, equal scales together, without those that cancel."""
    merged: list[tuple[Scale, Any]] = []
    for scale in sorted(terms, key=_BY_GROWTH):
        if merged and _compare(merged[-1][0], scale) == 0:
            merged[-1] = (scale, digits.cancelling_sum(merged[-1][1], terms[scale]))
        else:
            merged.append((scale, terms[scale]))
    return [(scale, c) for scale, c in merged if c]


_BY_GROWTH = cmp_to_key(_compare)


def _exact(scale: Scale, c: Any) -> Rest:
    size = float(c)
    return Rest(scale, size - abs(size) * _PAD, size + abs(size) * _PAD)


def _scaled(rest: Rest | None, scale: Scale, c: Any) -> Rest:
    assert rest is not None
    low, high = sorted((rest.low * float(c), rest.high * float(c)))
    low, high = low - abs(low) * _PAD, high + abs(high) * _PAD
    return Rest(rest.scale.times(scale), low, high, rest.oscillates, rest.nonzero)


def _together(rests: list[Rest], top: Scale, start: float) -> Rest:
    """One rest that holds them all, on the scale of the largest."""
    if len(rests) == 1:
        return rests[0]
    low = high = 0.0
    waves = 0
    for rest in rests:
        factor = rest.scale.over(top)
        if factor.growth == 0:
            low, high = low + rest.low, high + rest.high
            waves += 1 if rest.oscillates else 2 if rest.low != rest.high else 0
            continue
        size = factor.bound(start)
        low, high = low + min(0.0, rest.low * size), high + max(0.0, rest.high * size)
    return Rest(top, low, high, oscillates=waves == 1)
