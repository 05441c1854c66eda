"""A tuned table: a function of one float32 as polynomials on up to 32 segments.

The line of numbers is cut into 64 or 128 equal cells, the outer two of which reach to infinity.
Each cell names one of 32 segments, and a segment holds a centre and a polynomial in t, the distance
to the centre:

    c0 + offset + c1 t + rest t + c2 t**2 + ... + cn t**n

A cell may be left to the general tier: its segment's constant term is NaN, which is seen in the
result. That is how a table says where it does not serve, and the only way.

A segment around a root of the function has its centre at the float32 nearest the root, c0 = 0, and
the offset is what little the function is there: relative to its value it is then as exact as
elsewhere. The offset of other segments is what c0 lacks as a float32; 0 where that does not matter.

Beside a double or triple root at 0 no such segment is exact. There an even or odd function is

    |x|**n (a0 + rest + a1 x**2 + a2 x**4 + ...)

with |x|**n and a0 in two float32 each.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["ROUNDER", "SEGMENTS", "Root", "Table"]

SEGMENTS = 32
"""As many as two vector registers hold of one coefficient."""

ROUNDER = 12582912.0
"""1.5 2^23: a float32 added to it is rounded to an integer, found in the low bits of the sum."""

_PARITIES = ("none", "even", "odd")


@dataclass(frozen=True, slots=True)
class Root:
    """How an even or odd function goes to 0 at 0.

    Attributes:
        order: n, 2 or 3.
        reach: the |x| below which this serves, in the place of segments.
        rest: what a0 lacks as a float32.
        coefficients: a0, a1, a2, ...
    """

    order: int
    reach: float
    rest: float
    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.order not in (2, 3) or not self.reach > 0 or len(self.coefficients) < 3:
            raise ValueError(f"no multiple root: {self!r}")

    def to_data(self) -> dict[str, Any]:
        """The root as JSON can hold it."""
        numbers = _hexadecimal((self.reach, self.rest, *self.coefficients))
        return {"order": self.order, "numbers": numbers}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Root:
        """The root that `to_data` wrote."""
        reach, rest, *coefficients = _numbers(data["numbers"])
        return cls(int(data["order"]), reach, rest, tuple(coefficients))


@dataclass(frozen=True, slots=True)
class Table:
    """The fitted form of one function.

    Attributes:
        parity: "even" or "odd" where only |x| is looked at, else "none".
        scale: the cell of y is the integer nearest scale * y + first.
        first: the cell of 0; half a cell more where 0 shall be an edge, for a kink there.
        cells: the segment of each cell.
        centres: the centre of each segment.
        coefficients: c0, c1, c2, ... of each segment, one row for each power.
        rests: what c1 lacks as a float32; None where that does not matter.
        offsets: the offset of each segment; None where all are 0.
        is_compensated: whether the first-order term is added without an error of its own: needed
            where the function has roots inside, and c0 is 0.
        is_flow: whether the function is a factor: a derivative, which gradients are multiplied
            with, or what a gate lets through, which its value is.
        is_zero_unsigned: whether the function is 0 at -0, as at 0, and not -0.
        root: the double or triple root at 0; None where there is none, or segments serve it.
    """

    parity: str
    scale: float
    first: float
    cells: tuple[int, ...]
    centres: tuple[float, ...]
    coefficients: tuple[tuple[float, ...], ...]
    rests: tuple[float, ...] | None
    offsets: tuple[float, ...] | None
    is_compensated: bool
    is_flow: bool
    is_zero_unsigned: bool = field(default=False, repr=False)
    root: Root | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        extra = [row for row in (self.rests, self.offsets) if row is not None]
        rows = [self.centres, *self.coefficients, *extra]
        if self.parity not in _PARITIES or len(self.cells) not in (64, 128):
            raise ValueError(f"no table: parity {self.parity!r}, {len(self.cells)} cells")
        if any(len(row) != SEGMENTS for row in rows) or len(self.coefficients) < 3:
            raise ValueError(f"a table has {SEGMENTS} segments and at least three coefficients")
        if not all(0 <= segment < SEGMENTS for segment in self.cells):
            raise ValueError(f"a table's cells name segments from 0 to {SEGMENTS - 1}")
        if not (0 <= self.first < len(self.cells) and 0 < self.scale < math.inf):
            raise ValueError("a table's cells do not lie on the line of numbers")
        if self.root and not self.is_folded:
            raise ValueError("only tables of even and odd functions have a multiple root")

    @property
    def degree(self) -> int:
        """The degree of the polynomials."""
        return len(self.coefficients) - 1

    @property
    def is_folded(self) -> bool:
        """Whether only |x| is looked at."""
        return self.parity != "none"

    @property
    def lowest(self) -> float:
        """A number in the first cell; what lies below is in it too."""
        return -self.first / self.scale

    @property
    def highest(self) -> float:
        """A number in the last cell; what lies above is in it too."""
        return (len(self.cells) - 1 - self.first) / self.scale

    @property
    def digest(self) -> str:
        """A name made of everything in the table."""
        everything = (
            repr(self) + "+0" * self.is_zero_unsigned + (repr(self.root) if self.root else "")
        )
        return hashlib.blake2b(everything.encode(), digest_size=12).hexdigest()

    def to_data(self) -> dict[str, Any]:
        """The table as JSON can hold it; numbers in hexadecimal, exact and short."""
        data = asdict(self)
        data["scale"] = self.scale.hex()
        data["centres"] = _hexadecimal(self.centres)
        data["coefficients"] = [_hexadecimal(row) for row in self.coefficients]
        for name in ("rests", "offsets"):
            data[name] = None if data[name] is None else _hexadecimal(data[name])
        data["root"] = None if self.root is None else self.root.to_data()
        return data

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Table:
        """The table that `to_data` wrote.

        Raises:
            ValueError, KeyError, TypeError: for anything else.
        """
        return cls(
            parity=str(data["parity"]),
            scale=float.fromhex(data["scale"]),
            first=_whole_or_half(data["first"]),
            cells=tuple(map(int, data["cells"])),
            centres=_numbers(data["centres"]),
            coefficients=tuple(map(_numbers, data["coefficients"])),
            rests=None if data["rests"] is None else _numbers(data["rests"]),
            offsets=None if data["offsets"] is None else _numbers(data["offsets"]),
            is_compensated=bool(data["is_compensated"]),
            is_flow=bool(data["is_flow"]),
            is_zero_unsigned=bool(data.get("is_zero_unsigned", False)),
            root=Root.from_data(data["root"]) if data.get("root") else None,
        )


def _whole_or_half(number: float) -> float:
    if 2 * number != int(2 * number):
        raise ValueError(f"no cell of a table: {number}")
    return int(number) if number == int(number) else float(number)


def _hexadecimal(row: tuple[float, ...]) -> str:
    return " ".join("0" if number == 0 else number.hex() for number in row)


def _numbers(text: str) -> tuple[float, ...]:
    # One NaN for all, so that equal tables compare equal.
    return tuple(math.nan if word == "nan" else float.fromhex(word) for word in text.split())
