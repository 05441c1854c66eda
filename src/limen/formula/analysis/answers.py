"""What the analysis of a formula answers with, where a plain number is not enough."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, final

__all__ = ["ENDLESS", "UNKNOWN", "Endless", "Extremum", "Range", "Stretch", "Unknown"]


@final
class Unknown:
    """The answer of an analysis that could not decide.

    There is one such object, `UNKNOWN`: ask with `is`. It is false, so that `if f.is_monotonic:`
    goes on only where the property is known to hold; `not f.is_monotonic` is therefore no proof
    that it fails, `f.is_monotonic is False` is.
    """

    def __repr__(self) -> str:
        return "unknown"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:
        return "UNKNOWN"


@final
class Endless:
    """The answer where there are infinitely many points; one object, `ENDLESS`; ask with `is`."""

    def __repr__(self) -> str:
        return "infinitely many"

    def __reduce__(self) -> str:
        return "ENDLESS"


UNKNOWN: Final = Unknown()
"""Not decided within a bounded amount of work."""

ENDLESS: Final = Endless()
"""Infinitely many, as the roots of sine are."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """All points between two ends, where a function is constant: (-inf, 0] for ReLU."""

    low: float
    high: float
    low_included: bool = True
    high_included: bool = True

    def __repr__(self) -> str:
        left = "[" if self.low_included and math.isfinite(self.low) else "("
        right = "]" if self.high_included and math.isfinite(self.high) else ")"
        return f"{left}{self.low!r}, {self.high!r}{right}"

    def __contains__(self, x: float) -> bool:
        if x == self.low or x == self.high:
            return self.low_included if x == self.low else self.high_included
        return self.low < x < self.high


@dataclass(frozen=True, slots=True)
class Extremum:
    """A local minimum or maximum.

    Attributes:
        kind: "minimum" or "maximum".
        x: where it lies; a `Stretch` where the function is constant, as ReLU is left of 0.
        value: the value there.
    """

    kind: Literal["minimum", "maximum"]
    x: float | Stretch
    value: float

    def __repr__(self) -> str:
        where = f"on {self.x!r}" if isinstance(self.x, Stretch) else f"at {self.x!r}"
        return f"{self.kind} {self.value!r} {where}"


@dataclass(frozen=True, slots=True)
class Range:
    """The smallest interval that holds every value, and whether its ends are values.

    A function that jumps need not take every value between: the range of Heaviside is [0, 1].
    """

    low: float
    high: float
    low_attained: bool
    high_attained: bool

    def __repr__(self) -> str:
        left = "[" if self.low_attained else "("
        right = "]" if self.high_attained else ")"
        return f"{left}{self.low!r}, {self.high!r}{right}"

    def __contains__(self, y: float) -> bool:
        if y == self.low or y == self.high:
            return self.low_attained if y == self.low else self.high_attained
        return self.low < y < self.high
