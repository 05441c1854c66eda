"""A tuned table of powers: an exponential b e^(a x), which may rest at a constant on one side.

With x = k ln(2)/(32 a) + t it is a power of 2, times one of 32 heights b 2^(j/32), of which j is k
modulo 32, times e^(a t). Nothing is fitted: numbers that follow from a and b are kept in one or two
float32.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from limen.kernels.tuned.table import SEGMENTS, Table

__all__ = ["Powers", "Tuned", "table_from_data"]

# A first part with so few bits that its product with a k is exact.
_SHORT = 12
# The logarithms to base 2 of the smallest and largest results that are served, with some room, and
# of what rounds to 0.
_SMALLEST, _LARGEST, _NOTHING = -125.9, 127.9, -151.0


@dataclass(frozen=True, slots=True)
class Powers:
    """An exponential.

    Attributes:
        rate: a.
        start: b.
        rest: the function for a x > 0, which is not 0; None where that is the exponential too.
    """

    rate: float
    start: float
    rest: float | None = None

    def __post_init__(self) -> None:
        numbers = [number for number in asdict(self).values() if number is not None]
        if not all(number and math.isfinite(number) for number in numbers):
            raise ValueError(f"no exponential: {self!r}")

    @property
    def per_unit(self) -> float:
        """How many k there are to a unit of |x|."""
        return abs(self.rate) * SEGMENTS / math.log(2)

    @property
    def step(self) -> tuple[float, float]:
        """How far |x| goes from one k to the next, in two float32."""
        step = 1 / self.per_unit
        unit = math.ldexp(1.0, math.frexp(step)[1] - _SHORT)
        high = round(step / unit) * unit
        return high, float(np.float32(step - high))

    @property
    def heights(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """b 2^(j/32) in two float32: the row of the first, and that of the second."""
        pairs = [_halves(self.start * 2 ** (j / SEGMENTS)) for j in range(SEGMENTS)]
        high, low = zip(*pairs, strict=True)
        return high, low

    @property
    def rests(self) -> tuple[float, float]:
        """The rest in two float32."""
        return _halves(self.rest or 0.0)

    @property
    def lowest(self) -> float:
        """The x, turned to where the exponential grows, from which on it is served."""
        return self._reaches(_SMALLEST)

    @property
    def highest(self) -> float:
        """The x, turned so, up to which it is served, or from which on it rests."""
        return self._reaches(_LARGEST) if self.rest is None else 0.0

    @property
    def vanishes(self) -> float:
        """The x, turned so, below which the function rounds to 0."""
        return self._reaches(_NOTHING)

    def _reaches(self, logarithm: float) -> float:
        return (logarithm - math.log2(abs(self.start))) * SEGMENTS / self.per_unit

    @property
    def digest(self) -> str:
        """A name made of everything in the table."""
        return hashlib.blake2b(repr(self).encode(), digest_size=12).hexdigest()

    def to_data(self) -> dict[str, Any]:
        """The table as JSON can hold it; numbers in hexadecimal."""
        return {
            name: None if number is None else number.hex() for name, number in asdict(self).items()
        }

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Powers:
        """The table that `to_data` wrote.

        Raises:
            ValueError, KeyError, TypeError: for anything else.
        """
        rate, start = (float.fromhex(data[name]) for name in ("rate", "start"))
        rest = data["rest"]
        return cls(rate, start, None if rest is None else float.fromhex(rest))


Tuned = Table | Powers
"""Any table of the tuned tier."""


def table_from_data(data: dict[str, Any]) -> Tuned:
    """The table of either kind that `to_data` wrote.

    Raises:
        ValueError, KeyError, TypeError: for anything else.
    """
    return Powers.from_data(data) if "rate" in data else Table.from_data(data)


def _halves(number: float) -> tuple[float, float]:
    """A number in two float32."""
    high = float(np.float32(number))
    return high, float(np.float32(number - high))
