"""The formulas of the tuned tier: what a table makes of sixteen numbers."""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from limen.kernels.tuned.outcome import ROOM, Outcome
from limen.kernels.tuned.table import ROUNDER, Root, Table
from limen.kernels.tuned.vector import Vector, fma, fma_down, segments_of

__all__ = ["flow", "flows", "product", "value"]

_TINY = 2.0**-40  # below, what the square of a number lacks may be lost to underflow


@dataclass(frozen=True, slots=True)
class _Sum:
    """c0 + v + rest, v being the polynomial without c0, and the rest what rounding took of it."""

    c0: Vector
    c1: Vector
    t: Vector
    v: Vector
    rest: Vector | None


def _sum(x: Vector, table: Table) -> _Sum:
    s = _polynomial(x, table)
    return s if table.root is None else _beside_root(x, table.root, s)


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


def _beside_root(x: Vector, root: Root, other: _Sum) -> _Sum:
    """The sum with what serves beside a multiple root in its place."""
    size = x.absolute()
    square = size * size
    lacks = fma(size, size, -square)
    a0, *higher = root.coefficients
    g = x.lift(higher[-1])
    for coefficient in (*higher[-2::-1], root.rest):
        g = fma(square, g, coefficient)
    power = square
    if root.order == 3:
        power = square * size
        lacks = fma(lacks, size, fma(square, size, -power))
    high = power * a0
    low = fma(lacks, a0, fma(power, g, fma(power, a0, -high)))
    is_near = x.builder.and_(x.lift(root.reach).exceeds(size), size.exceeds(_TINY))
    rest = None if other.rest is None else x.lift(0.0).where(is_near, other.rest)
    return _Sum(high.where(is_near, other.c0), other.c1, other.t, low.where(is_near, other.v), rest)


def _cell(y: Vector, table: Table) -> Vector:
    """The integer nearest scale * y + first, in the low bits."""
    if table.first == int(table.first):
        return fma(y, table.scale, ROUNDER + table.first)
    # Half a cell more, rounded down: where 0 is an edge, it belongs to the right.
    return fma_down(y, table.scale, ROUNDER + table.first + 0.5)


def value(x: Vector, table: Table) -> tuple[Outcome, ...]:
    """The function's value."""
    s = _sum(x, table)
    # Of a flow it is the very number that a factor of 1 gives.
    result = s.c0 + (s.v + s.rest if table.is_flow and s.rest else s.v)
    if table.parity == "odd":
        result = result.flipped_by(x)
    b = x.builder
    is_zero, at_zero = _zero(x, s, table)
    mended = result if table.is_folded else at_zero.where(is_zero, result)
    has_small_terms = table.rests is not None or table.root is not None
    is_odd = (result * ROOM if has_small_terms else result).is_not_normal()
    return (Outcome(result, is_odd, mended, b.and_(is_odd, b.not_(is_zero))),)


def _zero(x: Vector, s: _Sum, table: Table) -> tuple[ir.Value, Vector]:
    """Whether x is a root at 0, and the function there: 0 with its sign."""
    is_zero = x.builder.and_(x.equals(0.0), s.c0.equals(0.0))
    if table.is_folded:
        return is_zero, s.c0 + s.v
    # -0 + 0 has lost the sign that -0 * c1 keeps.
    return is_zero, x.lift(0.0) if table.is_zero_unsigned else s.t * s.c1


def flow(grad_output: Vector, x: Vector, table: Table) -> tuple[Outcome, ...]:
    """grad_output times the function, which is a derivative."""
    s = _sum(x, table)
    grad = _turned(grad_output, x, table)
    result = _times(grad, s)
    b = x.builder
    slope = s.c0 + s.v
    is_blocked = _is_blocked(slope, s)
    is_flat = b.and_(grad.equals(0.0), b.not_(slope.is_not_normal()))
    mended = grad.lift(0.0).where(is_blocked, (grad * slope).where(is_flat, result))
    is_odd = (result * ROOM).is_not_normal()
    is_left = b.and_(is_odd, b.not_(b.or_(is_blocked, is_flat)))
    return (Outcome(result, is_odd, mended, is_left),)


def product(gate: Vector, value: Vector, table: Table) -> tuple[Outcome, ...]:
    """The function of the gate times the value: as a flow, but that 0 is a number like others."""
    s = _sum(gate, table)
    factor = _turned(value, gate, table)
    result = _times(factor, s)
    b = gate.builder
    is_zero, at_zero = _zero(gate, s, table)
    height = s.c0 + s.v
    is_flat = b.and_(factor.equals(0.0), b.not_(height.is_not_normal()))
    mended = (factor * at_zero).where(is_zero, (factor * height).where(is_flat, result))
    is_odd = (result * ROOM).is_not_normal()
    is_left = b.and_(is_odd, b.not_(b.or_(is_zero, is_flat)))
    return (Outcome(result, is_odd, mended, is_left),)


def flows(
    grad_output: Vector, gate: Vector, value: Vector, slope: Table, table: Table
) -> tuple[Outcome, ...]:
    """grad_output times the slopes of f(gate) * value: by the gate, and by the value.

    The table of f' is `slope`, that of f is `table`.
    """
    return _flow_to_gate(grad_output, gate, value, slope), *flow(grad_output, gate, table)


def _flow_to_gate(grad_output: Vector, gate: Vector, value: Vector, table: Table) -> Outcome:
    s = _sum(gate, table)
    grad = _turned(grad_output, gate, table)
    factor = grad * value
    result = _times(factor, s, fma(grad, value, -factor))
    b = gate.builder
    slope = s.c0 + s.v
    # 0 times what is infinite is NaN, and no 0.
    is_blocked = b.or_(value.equals(0.0), _is_blocked(slope, s))
    is_blocked = b.and_(is_blocked, (value * slope).equals(0.0))
    is_flat = b.and_(grad.equals(0.0), factor.equals(0.0))
    is_flat = b.and_(is_flat, b.not_(slope.is_not_normal()))
    mended = grad.lift(0.0).where(is_blocked, (factor * slope).where(is_flat, result))
    # Of a small factor, what it lacks may be lost to underflow.
    is_odd = b.or_((result * ROOM).is_not_normal(), (factor * ROOM).is_not_normal())
    return Outcome(result, is_odd, mended, b.and_(is_odd, b.not_(b.or_(is_blocked, is_flat))))


def _is_blocked(slope: Vector, s: _Sum) -> ir.Value:
    """Whether a slope is 0, and not only next to nothing: at a root, or on a flat piece."""
    b = slope.builder
    return b.and_(slope.equals(0.0), b.or_(s.t.equals(0.0), s.c1.equals(0.0)))


def _turned(factor: Vector, x: Vector, table: Table) -> Vector:
    """A factor of the polynomial of |x|, which gives an odd function's sign to it."""
    return factor.flipped_by(x) if table.parity == "odd" else factor


def _times(factor: Vector, s: _Sum, lacking: Vector | None = None) -> Vector:
    """(factor + lacking) times the sum, all small terms first."""
    small = None if lacking is None else lacking * (s.c0 + s.v)
    if s.rest is not None:
        small = factor * s.rest if small is None else fma(factor, s.rest, small)
    rest = factor * s.v if small is None else fma(factor, s.v, small)
    return fma(factor, s.c0, rest)
