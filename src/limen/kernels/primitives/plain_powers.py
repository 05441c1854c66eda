"""e^x in two parts: x = k ln(2)/n + r, with which e^x = p + p m for p = 2^(k/n) and m = e^r - 1.

Where the CPU looks up tables in registers, n is 16 and r so small that a short polynomial serves;
elsewhere n is 1. Tang, Table-driven implementation of the exponential function in IEEE
floating-point arithmetic (1989).
"""

from __future__ import annotations

from typing import NamedTuple

from limen.kernels.primitives import fitted_plain as fitted
from limen.kernels.primitives.lanes import ROUNDER, Real, Word, fma, two_horners
from limen.kernels.primitives.registers import HAS_PERMUTATION, Sixteen

__all__ = ["split", "split_precisely"]

_ONE_BITS = 1023 << 52


class _Steps(NamedTuple):
    """How x is split.

    Attributes:
        each: n, the steps from one power of 2 to the next.
        per_unit: n / ln(2).
        size: ln(2) / n in two parts.
        expm1: the coefficients of (e^r - 1 - r) / r^2.
    """

    each: int
    per_unit: float
    size: tuple[float, float]
    expm1: tuple[float, ...]


_STEPS = (
    _Steps(16, fitted.SIXTEENTHS, fitted.LN2_16, fitted.EXP_OF_SIXTEENTH)
    if HAS_PERMUTATION
    else _Steps(1, fitted.LOG2_E, fitted.LN2, fitted.EXP)
)
_POWERS = Sixteen("powers_of_two", fitted.POWERS)
_LACKS = Sixteen("lacks_of_powers", fitted.LACKS)


def split(x: Real, exponent: int, correction: Real | None = None) -> tuple[Real, Real]:
    """2^exponent p and m; 0 for a power 2^-1023."""
    shifted = _counted(x, exponent)
    k = shifted - (ROUNDER + _STEPS.each * exponent)
    r = fma(k, -_STEPS.size[1], fma(k, -_STEPS.size[0], x))
    r = r if correction is None else r + correction
    return _power(shifted.bits()), fma(two_horners(r, _STEPS.expm1), r * r, r)


def split_precisely(x: Real, exponent: int) -> tuple[Real, Real]:
    """The same with what rounding has taken off p as part of m, which counts beside 1."""
    power, m = split(x, exponent)
    if _STEPS.each == 1:
        return power, m
    return power, m + _LACKS.look_up(_counted(x, exponent).bits())


def _counted(x: Real, exponent: int) -> Real:
    """A sum in whose low bits is k + n exponent."""
    return fma(x, _STEPS.per_unit, ROUNDER + _STEPS.each * exponent)


def _power(steps: Word) -> Real:
    """2^(steps/n), of a word's low bits."""
    if _STEPS.each == 1:
        return ((steps << 52) + _ONE_BITS).as_real()
    # The table's bits are less by what the last four bits of the steps add to them.
    return (_POWERS.look_up(steps).bits() + (steps << 48)).as_real()
