"""The formulas of the tuned tier: what a table makes of sixteen numbers."""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from limen.kernels.tuned.table import ROUNDER, Table
from limen.kernels.tuned.vector import Vector, fma, fma_down, segments_of

__all__ = ["Outcome", "flow", "value"]


# A product with this is subnormal where a number is below 2^-102: then terms of it that count, 24
# and more bits below, may have been lost to underflow.
_ROOM = 2.0**-24


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of sixteen numbers.

    Attributes:
        result: right in every lane that is not odd.
        is_odd: the lanes whose result is NaN, infinite, 0 or next to nothing.
        mended: right as well in odd lanes whose result is 0 and shall be.
        is_left: the odd lanes that are left to the general tier.
    """

    result: Vector
    is_odd: ir.Value
    mended: Vector
    is_left: ir.Value


@dataclass(frozen=True, slots=True)
class _Sum:
    """c0 + v + rest, v being the polynomial without c0, and the rest what rounding took of it."""

    c0: Vector
    c1: Vector
    t: Vector
    v: Vector
    rest: Vector | None


def _polynomial(x: Vector, table: Table) -> _Sum:
    y = x.absolute() if table.is_folded else x.at_least(table.lowest)
    place = _cell(y.at_most(table.highest), table)
    segments = segments_of(place, table.cells)
    rows = [segments.chosen(row) for row in table.coefficients]
    c0, c1, *higher = rows
    # Beyond the clamped ends the polynomial still sees x itself: tails may be straight lines.
    t = (x.absolute() if table.is_folded else x) - segments.chosen(table.centres)
    q = higher[-1]
    for coefficient in higher[-2::-1]:
        q = fma(q, t, coefficient)
    if not table.is_compensated:
        return _Sum(c0, c1, t, t * fma(t, q, c1), None)
    q = fma(q, t, segments.chosen(table.rests)) if table.rests else q * t
    second = fma(q, t, segments.chosen(table.offsets)) if table.offsets else q * t
    v = fma(t, c1, second)
    return _Sum(c0, c1, t, v, fma(t, c1, -v) + second)


def _cell(y: Vector, table: Table) -> Vector:
    """The integer nearest scale * y + first, in the low bits."""
    if table.first == int(table.first):
        return fma(y, table.scale, ROUNDER + table.first)
    # Half a cell more, rounded down: where 0 is an edge, it belongs to the right.
    return fma_down(y, table.scale, ROUNDER + table.first + 0.5)


def value(x: Vector, table: Table) -> Outcome:
    """The function's value."""
    s = _polynomial(x, table)
    # A derivative is the very number that `flow` multiplies a gradient of 1 with.
    result = s.c0 + (s.v + s.rest if table.is_flow and s.rest else s.v)
    if table.parity == "odd":
        result = result.flipped_by(x)
    b = x.builder
    is_zero = b.and_(x.equals(0.0), s.c0.equals(0.0))
    # At a root at 0, -0 + 0 has lost the sign that -0 * c1 keeps.
    at_zero = x.lift(0.0) if table.is_zero_unsigned else s.t * s.c1
    mended = result if table.is_folded else at_zero.where(is_zero, result)
    is_odd = (result if table.rests is None else result * _ROOM).is_not_normal()
    return Outcome(result, is_odd, mended, b.and_(is_odd, b.not_(is_zero)))


def flow(grad_output: Vector, x: Vector, table: Table) -> Outcome:
    """grad_output times the function, which is a derivative."""
    s = _polynomial(x, table)
    grad = grad_output.flipped_by(x) if table.parity == "odd" else grad_output
    product = grad * s.v if s.rest is None else fma(grad, s.v, grad * s.rest)
    result = fma(grad, s.c0, product)
    b = x.builder
    slope = s.c0 + s.v
    is_blocked = slope.equals(0.0)
    is_flat = b.and_(grad.equals(0.0), b.not_(slope.is_not_normal()))
    mended = grad.lift(0.0).where(is_blocked, (grad * slope).where(is_flat, result))
    is_settled = b.or_(is_blocked, is_flat)
    is_odd = (result * _ROOM).is_not_normal()
    return Outcome(result, is_odd, mended, b.and_(is_odd, b.not_(is_settled)))
