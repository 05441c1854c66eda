"""What a formula of the tuned tier made of sixteen numbers, and of which it made nothing."""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from limen.kernels.tuned.vector import Vector

__all__ = ["ROOM", "Outcome"]

ROOM = 2.0**-24
"""A product with this is subnormal where a number is below 2^-102: then terms of it that count, 24
and more bits below, may have been lost to underflow."""


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
