"""Series in one variable and the arithmetic of them. What they are for is said in `series`.

Source: Knuth, The Art of Computer Programming, volume 2, section 4.7, for the recurrences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from limen.formula.analysis import digits

__all__ = [
    "ARITHMETIC",
    "ZERO",
    "NoSeriesError",
    "Series",
    "constant_series",
    "minus",
    "over",
    "padded",
    "plus",
    "raised",
    "scaled",
    "stripped",
    "times",
]


class NoSeriesError(Exception):
    """The formula is no power series there."""


@dataclass(frozen=True, slots=True)
class Series:
    """t**start * (terms[0] + terms[1] t + ...), as far as the terms are known.

    The first term is not 0. Without terms it is something of the order of t**start, or `ZERO`.
    """

    start: int
    terms: tuple[Any, ...]

    @property
    def end(self) -> int:
        """The first power that is not known."""
        return self.start + len(self.terms)

    @property
    def is_zero(self) -> bool:
        """Whether it is 0 for certain."""
        return self.start >= _NEVER

    @property
    def sign(self) -> int:
        """The sign beside the point."""
        if self.is_zero:
            return 0
        if not self.terms:
            raise NoSeriesError
        return 1 if self.terms[0] > 0 else -1

    def term(self, power: int) -> Any:
        """The coefficient of t**power, below the end."""
        return self.terms[power - self.start] if power >= self.start else digits.number(0)

    def dense(self) -> list[Any]:
        """The coefficients from t**0 on, of a series without a pole."""
        if self.start < 0 or (self.end < 1):
            raise NoSeriesError
        return [] if self.is_zero else [digits.number(0)] * self.start + list(self.terms)


_NEVER = 1 << 30
ZERO = Series(_NEVER, ())


def padded(terms: Sequence[Any], length: int, start: int) -> Series:
    """The series of these terms, followed by zeros."""
    return Series(start, (*terms, *[digits.number(0)] * (length - len(terms))))


def constant_series(value: Any, length: int) -> Series:
    """A number as a series."""
    if not digits.context().isfinite(value):
        raise NoSeriesError
    return padded([value], length, 0) if value else ZERO


def stripped(start: int, terms: Sequence[Any]) -> Series:
    """Without the zeros that it begins with."""
    first = next((place for place, term in enumerate(terms) if term), len(terms))
    return Series(start + first, tuple(terms[first:]))


def plus(a: Series, b: Series) -> Series:
    """a + b."""
    if a.is_zero or b.is_zero:
        return b if a.is_zero else a
    end = min(a.end, b.end)
    start = min(a.start, b.start, end)
    return stripped(start, [digits.cancelling_sum(a.term(k), b.term(k)) for k in range(start, end)])


def scaled(a: Series, factor: Any) -> Series:
    """a times a number."""
    return Series(a.start, tuple(factor * c for c in a.terms))


def minus(a: Series, b: Series) -> Series:
    """a - b."""
    return plus(a, scaled(b, -1))


def times(a: Series, b: Series) -> Series:
    """a b."""
    if a.is_zero or b.is_zero:
        return ZERO
    return Series(a.start + b.start, tuple(_product(a.terms, b.terms)))


def _product(a: Sequence[Any], b: Sequence[Any]) -> list[Any]:
    mp = digits.context()
    length = min(len(a), len(b))
    return [mp.fdot(a[: k + 1], b[k::-1]) for k in range(length)]


def over(a: Series, b: Series) -> Series:
    """a / b."""
    return times(a, raised(b, -1))


def raised(a: Series, exponent: Any) -> Series:
    """a**exponent: (1 + w)**p by the recurrence k y_k = sum of (p j - (k - j)) w_j y_(k-j)."""
    power = a.start * exponent
    if a.is_zero and exponent > 0:
        return a
    if not a.terms:
        raise NoSeriesError
    if power != int(power) or (a.sign < 0 and exponent != int(exponent)):
        raise NoSeriesError
    lead = a.terms[0]
    w = [c / lead for c in a.terms]
    y = [digits.number(1)]
    for k in range(1, len(w)):
        total = sum((exponent * j - (k - j)) * w[j] * y[k - j] for j in range(1, k + 1) if w[j])
        y.append(total / k)
    size = abs(lead) ** exponent
    if a.sign < 0 and int(exponent) % 2:
        size = -size
    return Series(int(power), tuple(size * c for c in y))


def _power(a: Series, b: Series) -> Series:
    exponent = b.term(0)
    if exponent == 0:
        return constant_series(digits.number(1), max(len(a.terms), 1))
    return raised(a, int(exponent) if exponent == int(exponent) else exponent)


def _size(a: Series) -> Series:
    return scaled(a, -1) if a.sign < 0 else a


def _lesser(a: Series, b: Series) -> Series:
    return b if minus(b, a).sign < 0 else a


def _greater(a: Series, b: Series) -> Series:
    return b if minus(a, b).sign < 0 else a


ARITHMETIC: dict[str, Callable[..., Series]] = {
    "add": plus,
    "multiply": times,
    "divide": over,
    "power": _power,
    "where": lambda condition, yes, no: yes if condition else no,
    "minimum": _lesser,
    "maximum": _greater,
    "clip": lambda a, low, high: _lesser(_greater(a, low), high),
    "abs": _size,
    "sign": lambda a: constant_series(digits.number(a.sign), len(a.terms)),
    "sqrt": lambda a: raised(a, digits.number(Fraction(1, 2))),
}
