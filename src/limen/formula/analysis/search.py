"""What a search for zeros is about: places on the line, derivatives, bounds, and an end to it."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from limen.errors import FormulaError
from limen.formula.analysis import digits
from limen.formula.analysis.enclosure import Enclosure
from limen.formula.derive import derivative
from limen.formula.expression import Expression, input_
from limen.formula.stabilize import canonical

__all__ = [
    "AT_MINUS_INFINITY",
    "AT_PLUS_INFINITY",
    "Budget",
    "EndlessError",
    "Point",
    "UndecidedError",
    "enclosure",
    "slope",
]

X = input_("x")

# Operations on intervals that one property may take: well below a second.
_BUDGET = 300_000


class UndecidedError(Exception):
    """The question was not decided within the budget, or by these methods."""


class EndlessError(Exception):
    """There are infinitely many zeros."""


class Budget:
    """How much work is left."""

    def __init__(self, operations: int = _BUDGET) -> None:
        self.left = operations

    def spend(self, operations: int) -> None:
        """Takes some of it.

        Raises:
            UndecidedError: when nothing is left.
        """
        self.left -= operations
        if self.left < 0:
            raise UndecidedError


class Point(NamedTuple):
    """A place on the line: its nearest double, and itself, exactly or to 60 digits."""

    x: float
    place: Any

    @property
    def is_exact(self) -> bool:
        """Whether the place is an exact fraction."""
        return isinstance(self.place, Fraction)

    @property
    def fraction(self) -> Fraction | float:
        """The place as a fraction, of 60 digits where it is irrational; a float at infinity."""
        if self.is_exact or math.isinf(self.x):
            return self.place  # type: ignore[no-any-return]
        return digits.fraction(self.place)

    @classmethod
    def at(cls, place: Any) -> Point:
        """The point at a fraction, or at an `mpf`, which may turn out to be a simple fraction."""
        if not isinstance(place, Fraction):
            simple = Fraction(*float(place).as_integer_ratio()).limit_denominator(10**6)
            if abs(digits.number(simple) - place) <= digits.SAME * max(1, abs(place)):
                place = simple
        try:
            return cls(float(place), place)
        except OverflowError:
            raise FormulaError(
                "a root, a kink or an extremum of this formula lies where binary64 has no numbers, "
                f"at about {digits.context().nstr(digits.number(place), 6)}"
            ) from None


AT_MINUS_INFINITY = Point(-math.inf, -math.inf)
AT_PLUS_INFINITY = Point(math.inf, math.inf)


@lru_cache(maxsize=512)
def slope(expression: Expression) -> Expression:
    """The derivative by x, in canonical form."""
    return canonical(derivative(canonical(expression), X))


@lru_cache(maxsize=512)
def enclosure(expression: Expression) -> Enclosure:
    """The interval extension."""
    return Enclosure(expression)
