"""Cuts the line of inputs into pieces on which a polynomial is proven to be the formula.

On a piece, the Taylor polynomial about its centre has coefficients from ball arithmetic, and a
remainder bounded by the next coefficient over the whole piece (Lagrange's form): a ball that holds
all of the piece goes through the original formula as a power series. Whatever cannot be shown,
because the formula branches within the piece, or has a root or a pole there, or curves too much, is
cut in two. What is left in the end is a handful of inputs beside roots and kinks.

A piece's polynomial is evaluated in float64, and its margin bounds everything that lies between
that and the exact value: the remainder, the rounding of coefficients, and of every step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limen.certify import taylor
from limen.certify.balls import arb, working
from limen.certify.line import Line
from limen.certify.measure import Format
from limen.certify.reference import Reference
from limen.certify.taylor import NEXT_TO_NOTHING, Taylor, size_of
from limen.certify.wide import NOTHING

__all__ = ["DEGREE", "NO_TIES", "Nowhere", "Open", "Overflow", "Piece", "Stretch", "cut"]

DEGREE = 12
"""The degree of every piece's polynomial: so many steps cost little beside a kernel."""

NO_TIES = 2
"""The side of a piece that is not an exact line: the distance to a tie decides, or nothing."""

_MARGIN = math.ldexp(1.0, -22)  # of a spacing: how well a piece must know the exact value
_LINE_MARGIN = math.ldexp(1.0, -20)  # within which of a line a piece is that line
_FEW = 8  # inputs that are not worth another cut
_LENGTHS = (16, 48)  # of the series; the longer for formulas that cancel far out
_NARROW = 1.2  # a ratio of ends: the longer series pays, and no cut will tell a line's side
_FEWEST_BITS, _MOST_BITS = 128, 2048
_UNIT = math.ldexp(1.0, -53)
_SLACK = 1.0001  # covers the rounding of the bounds themselves, and products of small errors
_SHORT = 8  # bits of a line's slope: its product with an input is exact in float64


@dataclass(frozen=True, slots=True)
class Stretch:
    """Inputs on one side of 0, by the patterns of their magnitudes."""

    negative: bool
    first: int
    stop: int

    @property
    def size(self) -> int:
        """How many inputs."""
        return self.stop - self.first


@dataclass(frozen=True, slots=True)
class Piece(Stretch):
    """Inputs on which the formula is `polynomial((x - centre) * scale)`, within a margin.

    Attributes:
        centre, scale: bring the inputs to at most 1 in size.
        coefficients: of the polynomial, the constant first; `DEGREE + 1` of them.
        margin: how far the exact value may be from the polynomial as float64 evaluates it.
        side: where the polynomial is an exact line, so that ties are to be expected: the sign of
            the exact value less the line. Elsewhere `NO_TIES`.
    """

    centre: float
    scale: float
    coefficients: npt.NDArray[np.float64]
    margin: float
    side: int


@dataclass(frozen=True, slots=True)
class Overflow(Stretch):
    """Inputs whose exact value rounds to the infinity of this sign."""

    sign: int


@dataclass(frozen=True, slots=True)
class Nowhere(Stretch):
    """Inputs off the formula's domain: their value is NaN; of derivatives nothing is promised."""

    order: int


@dataclass(frozen=True, slots=True)
class Open(Stretch):
    """Inputs that no piece covers."""


def cut(
    reference: Reference, line: Line, stretch: Stretch, most: int = 100_000
) -> Iterator[Stretch]:
    """Cuts a stretch of inputs into pieces, in order.

    Args:
        reference: the formula, of one input; its order says which derivative is meant.
        line: the numbers of the format.
        stretch: which inputs.
        most: how many pieces to try; what is left then stays open.

    Yields:
        Stretches that follow each other: `Piece`, `Overflow`, `Nowhere`, or `Open`.
    """
    stack = [(stretch, _FEWEST_BITS)]
    while stack:
        at, precision = stack.pop()
        found = None
        if most > 0:
            found, precision = _attempt(reference, line, at, precision)
            most -= 1
        if found is not None:
            yield found
        elif at.size <= _FEW or most <= 0:
            yield Open(at.negative, at.first, at.stop)
        else:
            middle = (at.first + at.stop) // 2
            stack.append((Stretch(at.negative, middle, at.stop), precision))
            stack.append((Stretch(at.negative, at.first, middle), precision))


def _attempt(
    reference: Reference, line: Line, at: Stretch, precision: int
) -> tuple[Stretch | None, int]:
    """A piece of the whole stretch, or None; and the precision that did, or would not do."""
    ends = line.number(at.first), line.number(at.stop - 1)
    low, high = (-ends[1], -ends[0]) if at.negative else ends
    is_narrow = ends[1] <= _NARROW * ends[0]
    for length in _LENGTHS[: 1 + is_narrow]:
        over = taylor.over(reference, low, high, length + 1)
        if over is NOTHING:
            return Nowhere(at.negative, at.first, at.stop, reference.order), precision
        sign = taylor.overflow_sign(over, reference, line.format.largest_exponent + 1)
        if sign:
            return Overflow(at.negative, at.first, at.stop, sign), precision
        remainder = taylor.remainder(over, reference, length, taylor.half_width(low, high)[1])
        if remainder > _MARGIN * _spacing(taylor.value_size(over, reference), line.format):
            continue
        while True:
            series = taylor.about(reference, low, high, length, precision, remainder)
            found, is_settled = _piece(at, series, line, is_narrow)
            if is_settled or precision >= _MOST_BITS:
                break
            precision *= 2
        if found is not None:
            return found, precision
    return None, precision


def _spacing(size: float, format_: Format) -> float:
    """The spacing of the format's numbers at one of this size."""
    if size == math.inf:
        return _spacing(format_.largest, format_)
    binade = math.frexp(size)[1] - 1 if size else format_.smallest_exponent
    return math.ldexp(1.0, format_.spacing_exponent(min(binade, format_.largest_exponent)))


def _piece(at: Stretch, series: Taylor, line: Line, is_narrow: bool) -> tuple[Piece | None, bool]:
    """The piece that a series makes, if it does; and whether more precision would change that."""
    spacing = _spacing(series.least, line.format)
    if series.blur > _MARGIN / 8 * spacing:
        return None, False
    found, is_settled = _straight(at, series, line, spacing)
    if found is not None:
        return (found, is_settled) if is_settled or is_narrow else (None, True)
    sizes = [size_of(c) for c in series.coefficients]
    rounding = _rounding(sizes[: DEGREE + 1])
    margin = (series.remainder + sum(sizes[DEGREE + 1 :]) + series.blur + rounding) * _SLACK
    if not margin <= _MARGIN * spacing:
        return None, True
    coefficients = np.zeros(DEGREE + 1)
    kept = [float(c.mid()) for c in series.coefficients[: DEGREE + 1]]
    coefficients[: len(kept)] = kept
    scale = math.ldexp(1.0, -series.exponent)
    margin += NEXT_TO_NOTHING
    return _made(at, series.centre, scale, coefficients, margin, NO_TIES), True


def _made(
    at: Stretch,
    centre: float,
    scale: float,
    coefficients: npt.NDArray[np.float64],
    margin: float,
    side: int,
) -> Piece:
    return Piece(at.negative, at.first, at.stop, centre, scale, coefficients, margin, side)


def _rounding(sizes: Sequence[float]) -> float:
    """A bound of the rounding errors of Horner's rule for |z| <= 1, with or without FMA.

    Each coefficient is off by its rounding (two units, to be generous), each step by that of its
    product, of its sum, and of z = (x - centre) * scale, whose subtraction may round.
    Higham 2002, Accuracy and Stability of Numerical Algorithms, section 5.1.
    """
    error, beyond = 0.0, 0.0
    for size in reversed(sizes):
        error += _UNIT * (2 * size + 2 * beyond + (size + beyond))
        beyond += size
    return error


# --- Straight lines, on which ties are to be expected -------------------------------------------


def _straight(at: Stretch, series: Taylor, line: Line, spacing: float) -> tuple[Piece | None, bool]:
    """The piece as an exact line, if it is one but for next to nothing; and whether that is all."""
    slope = _short(series.coefficients[1] * arb((1, -series.exponent)))
    with working(series.precision, 1):
        start = _short(series.coefficients[0] - arb(slope) * arb(series.centre))
    ends = line.number(at.first), line.number(at.stop - 1)
    for offset in dict.fromkeys((0.0, start)):
        beside = series.less_line(slope, offset)
        margin = (sum(map(size_of, beside)) + series.remainder) * _SLACK
        if not margin <= _LINE_MARGIN * spacing or not _is_exact(slope, offset, ends, line.format):
            continue
        coefficients = np.zeros(DEGREE + 1)
        coefficients[:2] = offset, slope
        margin += NEXT_TO_NOTHING if margin else 0.0
        if _is_representable(slope, offset, series.least, line.format):
            return _made(at, 0.0, 1.0, coefficients, margin, NO_TIES), True
        side = series.sign(beside)
        found = _made(at, 0.0, 1.0, coefficients, margin, NO_TIES if side is None else side)
        return found, side is not None
    return None, True


def _short(number: arb) -> float:
    """The number, rounded to a few bits."""
    value = float(number.mid())
    if not math.isfinite(value):
        return 0.0
    mantissa, exponent = math.frexp(value)
    return math.ldexp(round(math.ldexp(mantissa, _SHORT)), exponent - _SHORT)


def _is_exact(slope: float, start: float, ends: tuple[float, float], format_: Format) -> bool:
    """Whether slope * x + start is exact in float64 for every x of the format between the ends."""
    low, high = ends
    last = min(
        _last_bit(slope) + math.frexp(_spacing(low, format_))[1] - 1 if slope else math.inf,
        _last_bit(start) if start else math.inf,
    )
    largest = abs(slope) * high + abs(start)
    return largest == 0 or (last > -1000 and math.frexp(largest)[1] - last <= 53)


def _last_bit(number: float) -> int:
    """The exponent of the last bit that is set."""
    numerator, denominator = number.as_integer_ratio()
    return (numerator & -numerator).bit_length() - denominator.bit_length()


def _is_representable(slope: float, start: float, least: float, format_: Format) -> bool:
    """Whether every point of the line is a number of the format: then it is never a tie."""
    if slope == 0:
        return start == 0 or _last_bit(start) >= math.frexp(_spacing(abs(start), format_))[1] - 1
    is_shift = start == 0 and math.frexp(abs(slope))[0] == 0.5
    return is_shift and (abs(slope) >= 1 or least >= format_.smallest_normal)
