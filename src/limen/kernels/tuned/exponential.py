"""The formulas of exponentials: what a table of powers makes of sixteen numbers.

The heights are kept in two float32 and everything else is small beside them, so that results are
rounded once: 0.54 ULP.

Tang, Table-driven implementation of the exponential function in IEEE floating-point arithmetic
(1989).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from llvmlite import ir

from limen.kernels.tuned.outcome import ROOM, Outcome
from limen.kernels.tuned.powers import Powers
from limen.kernels.tuned.table import ROUNDER, SEGMENTS
from limen.kernels.tuned.vector import Vector, fma

__all__ = ["flow", "value"]


class _Sum(NamedTuple):
    """(height + small) 2^power, the power to be rounded down, and the lanes where it is right."""

    height: Vector
    small: Vector
    power: Vector
    is_served: ir.Value


def _exponential(x: Vector, table: Powers) -> _Sum:
    """The exponential, normal in every lane; of an x turned to where it grows."""
    far_enough = x.at_least(table.lowest)
    y = far_enough.at_most(table.highest)
    shifted = fma(y, table.per_unit, ROUNDER)
    k = shifted - ROUNDER
    high, low = table.step
    t = fma(k, -low, fma(k, -high, y))
    height, lack = map(shifted.chosen, table.heights)
    small = fma(height, _growth(t, abs(table.rate)), lack)
    power = k * (1 / SEGMENTS)
    if table.rest is None:
        return _Sum(height, small, power, y.equals(x))
    is_at_rest = x.exceeds(0.0)
    rest, lack = map(x.lift, table.rests)
    height, small = rest.where(is_at_rest, height), lack.where(is_at_rest, small)
    return _Sum(height, small, power, far_enough.equals(x))


def _growth(t: Vector, a: float) -> Vector:
    """e^(a t) - 1; the next term is below 2^-30."""
    return fma(fma(t, a**3 / 6, a**2 / 2), t * t, t if a == 1 else t * a)


def _turned(x: Vector, table: Powers) -> Vector:
    return x if table.rate > 0 else -x


def value(x: Vector, table: Powers) -> tuple[Outcome, ...]:
    """The exponential."""
    x = _turned(x, table)
    s = _exponential(x, table)
    # The instruction that scales is slow where its result is subnormal, or vanishes.
    is_gone = x.lift(table.vanishes).exceeds(x)
    nothing = x.lift(math.copysign(0.0, table.start))
    result = nothing.where(is_gone, s.height + s.small).scaled_by(s.power)
    b = x.builder
    is_odd = b.not_(b.or_(s.is_served, is_gone))
    return (Outcome(result, is_odd, result, is_odd),)


def flow(grad_output: Vector, x: Vector, table: Powers) -> tuple[Outcome, ...]:
    """grad_output times the exponential, which is a derivative."""
    s = _exponential(_turned(x, table), table)
    product = fma(grad_output, s.height, grad_output * s.small)
    result = product.scaled_by(s.power)
    b = x.builder
    is_small = b.or_((product * ROOM).is_not_normal(), result.is_not_normal())
    is_odd = b.or_(is_small, b.not_(s.is_served))
    is_flat = b.and_(grad_output.equals(0.0), s.is_served)
    # Of two zeros the sum may have lost the sign.
    mended = (grad_output * s.height).where(is_flat, result)
    return (Outcome(result, is_odd, mended, b.and_(is_odd, b.not_(is_flat))),)
