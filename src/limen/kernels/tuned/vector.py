"""Sixteen float32 at once: the vectors in which the tuned kernels are written.

As in `primitives.lanes`, an operator does not compute: it appends one LLVM instruction to the
kernel that is being compiled, and nothing carries a fast-math flag. Here the instructions are
those of a whole register of AVX-512, because LLVM would not find the permutations by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from llvmlite import ir
from numba.core import cgutils

__all__ = [
    "FLOAT", "FLOATS", "LANES", "MASK", "NUMBERS", "WORD", "Vector", "call", "everywhere", "fma",
    "fma_down", "segments_of",
]  # fmt: skip

LANES = 16
FLOAT = ir.FloatType()
WORD = ir.IntType(32)
FLOATS = ir.VectorType(FLOAT, LANES)
WORDS = ir.VectorType(WORD, LANES)
BYTES = ir.VectorType(ir.IntType(8), 4 * LANES)
MASK = ir.VectorType(ir.IntType(1), LANES)
NUMBERS = ir.Constant(WORDS, list(range(LANES)))  # of the lanes

_SIGN = 1 << 31
_DOWNWARDS = 0x01 | 0x08  # an instruction's own rounding, and no exceptions
_CURRENT = 0x04  # the rounding that is set
# Everything but positive and negative normal numbers: bits of the instruction VFPCLASSPS.
_NOT_NORMAL = 0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x20 | 0x80


def call(
    builder: ir.IRBuilder, name: str, result: ir.Type, arguments: Sequence[ir.Value]
) -> ir.Value:
    """A call of an LLVM intrinsic."""
    kind = ir.FunctionType(result, [a.type for a in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
    return builder.call(function, arguments)


def everywhere(builder: ir.IRBuilder, word: ir.Value) -> ir.Value:
    """Sixteen copies of a 32-bit word."""
    nothing = ir.Constant(WORDS, ir.Undefined)
    first = builder.insert_element(nothing, word, ir.Constant(WORD, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(WORDS, [0] * LANES))


class Vector:
    """Sixteen float32. Arithmetic with Python floats is allowed; they become constants."""

    __slots__ = ("builder", "ir")

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder = builder
        self.ir = value

    def lift(self, other: Vector | float) -> Vector:
        """The constant `other` in each lane."""
        if isinstance(other, Vector):
            return other
        return self.constant([other] * LANES)

    def constant(self, numbers: Sequence[float]) -> Vector:
        """A constant of the kernel that this vector belongs to."""
        singles = [float(np.float32(number)) for number in numbers]
        return Vector(self.builder, ir.Constant(FLOATS, singles))

    def __add__(self, other: Vector | float) -> Vector:
        return Vector(self.builder, self.builder.fadd(self.ir, self.lift(other).ir))

    def __sub__(self, other: Vector | float) -> Vector:
        return Vector(self.builder, self.builder.fsub(self.ir, self.lift(other).ir))

    def __mul__(self, other: Vector | float) -> Vector:
        return Vector(self.builder, self.builder.fmul(self.ir, self.lift(other).ir))

    def __neg__(self) -> Vector:
        return Vector(self.builder, self.builder.fneg(self.ir))

    def absolute(self) -> Vector:
        """|x|."""
        return Vector(self.builder, call(self.builder, "llvm.fabs.v16f32", FLOATS, [self.ir]))

    def flipped_by(self, sign: Vector) -> Vector:
        """This vector, negated where `sign` is negative."""
        b = self.builder
        mask = ir.Constant(WORDS, [_SIGN] * LANES)
        flip = b.and_(b.bitcast(sign.ir, WORDS), mask)
        return Vector(b, b.bitcast(b.xor(b.bitcast(self.ir, WORDS), flip), FLOATS))

    def at_least(self, bound: float) -> Vector:
        """The larger of x and a constant; NaN stays NaN."""
        is_below = self.builder.fcmp_ordered("<", self.ir, self.lift(bound).ir)
        return self.lift(bound).where(is_below, self)

    def at_most(self, bound: float) -> Vector:
        """The smaller of x and a constant; NaN stays NaN."""
        is_above = self.builder.fcmp_ordered(">", self.ir, self.lift(bound).ir)
        return self.lift(bound).where(is_above, self)

    def where(self, condition: ir.Value, otherwise: Vector) -> Vector:
        """This vector where the condition holds, else the other."""
        return Vector(self.builder, self.builder.select(condition, self.ir, otherwise.ir))

    def exceeds(self, other: Vector | float) -> ir.Value:
        """Whether x is larger; false for NaN."""
        return self.builder.fcmp_ordered(">", self.ir, self.lift(other).ir)

    def equals(self, other: Vector | float) -> ir.Value:
        """Whether the numbers are the same; false for NaN."""
        return self.builder.fcmp_ordered("==", self.ir, self.lift(other).ir)

    def is_not_normal(self) -> ir.Value:
        """Whether a number is NaN, infinite, subnormal or 0."""
        name = "llvm.x86.avx512.fpclass.ps.512"
        return call(self.builder, name, MASK, [self.ir, ir.Constant(WORD, _NOT_NORMAL)])

    def scaled_by(self, power: Vector) -> Vector:
        """x 2^power, the power rounded down; infinite, subnormal or 0 where that is."""
        all_lanes, rounding = ir.Constant(ir.IntType(LANES), -1), ir.Constant(WORD, _CURRENT)
        arguments = [self.ir, power.ir, self.ir, all_lanes, rounding]
        name = "llvm.x86.avx512.mask.scalef.ps.512"
        return Vector(self.builder, call(self.builder, name, FLOATS, arguments))

    def chosen(self, row: Sequence[float]) -> Vector:
        """The number of a row of 32 for each lane, of which this vector is `segments_of`."""
        low, high = self.constant(row[:LANES]), self.constant(row[LANES:])
        name = "llvm.x86.avx512.vpermi2var.ps.512"
        index = self.builder.bitcast(self.ir, WORDS)
        return Vector(self.builder, call(self.builder, name, FLOATS, [low.ir, index, high.ir]))


def fma(a: Vector, b: Vector | float, c: Vector | float) -> Vector:
    """a b + c, rounded once."""
    parts = [a.ir, a.lift(b).ir, a.lift(c).ir]
    return Vector(a.builder, call(a.builder, "llvm.fma.v16f32", FLOATS, parts))


def fma_down(a: Vector, b: Vector | float, c: Vector | float) -> Vector:
    """a b + c, rounded once, towards minus infinity."""
    parts = [a.ir, a.lift(b).ir, a.lift(c).ir, ir.Constant(WORD, _DOWNWARDS)]
    return Vector(a.builder, call(a.builder, "llvm.x86.avx512.vfmadd.ps.512", FLOATS, parts))


def segments_of(place: Vector, cells: Sequence[int]) -> Vector:
    """The segment of each lane's cell, in the low bits of the lane.

    The cell is in the low bits of `place`, a float32 that was rounded by adding `ROUNDER`. Bytes
    are permuted, and those above the lowest hold rubbish that nobody looks at.
    """
    b = place.builder
    index = b.bitcast(place.ir, BYTES)
    tables = [
        ir.Constant(BYTES, [int(c) for c in cells[start : start + 64]])
        for start in range(0, len(cells), 64)
    ]
    if len(tables) == 1:
        found = call(b, "llvm.x86.avx512.permvar.qi.512", BYTES, [tables[0], index])
    else:
        name = "llvm.x86.avx512.vpermi2var.qi.512"
        found = call(b, name, BYTES, [tables[0], index, tables[1]])
    return Vector(b, b.bitcast(found, FLOATS))
