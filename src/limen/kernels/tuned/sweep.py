"""Runs a table's formula over a stretch of arrays, and notes what is left to the general tier.

The lanes are independent: what is stored for an element depends on nothing but the element. The
last, incomplete vector is computed by the same instructions, under a mask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from limen.kernels.tuned import fitted
from limen.kernels.tuned.fitted import Outcome
from limen.kernels.tuned.table import Table
from limen.kernels.tuned.vector import (
    FLOAT,
    FLOATS,
    LANES,
    NUMBERS,
    WORD,
    Vector,
    call,
    everywhere,
)

__all__ = ["GROUP", "TILE", "flow_sweep", "on_stack", "value_sweep"]

TILE = 2048
"""Elements of a stretch: all of them may be left over, and room for that is on the stack."""

GROUP = 32
"""What is left over is filled up to a multiple of this, which LLVM's vector loops like best."""

_INDEX = ir.IntType(64)


def value_sweep(table: Table) -> Any:
    """The intrinsic `sweep(x, out, start, stop, left_x, left_at)` for the function's value.

    It returns how many elements are left to the general tier. Their inputs are in `left_x`, their
    distances from `start` in `left_at`.
    """

    @intrinsic
    def sweep(
        typing_context: Any, x: Any, out: Any, start: Any, stop: Any, left_x: Any, left_at: Any
    ) -> Any:
        return _emission(
            lambda inputs: fitted.value(inputs[0], table),
            types.int64(x, out, start, stop, left_x, left_at),
        )

    return sweep


def flow_sweep(table: Table) -> Any:
    """The intrinsic `sweep(grad_output, x, out, start, stop, left_grad, left_x, left_at)`."""

    @intrinsic
    def sweep(
        typing_context: Any,
        grad_output: Any,
        x: Any,
        out: Any,
        start: Any,
        stop: Any,
        left_grad: Any,
        left_x: Any,
        left_at: Any,
    ) -> Any:
        return _emission(
            lambda inputs: fitted.flow(inputs[0], inputs[1], table),
            types.int64(grad_output, x, out, start, stop, left_grad, left_x, left_at),
        )

    return sweep


@intrinsic
def on_stack(typing_context: Any, like: Any) -> Any:
    """A pointer to room for a tile on the kernel's stack, of elements like the argument."""
    kind = WORD if like == types.int32 else FLOAT

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        size = ir.Constant(WORD, TILE)
        return cgutils.alloca_once(builder, kind, size=size)  # type: ignore[no-untyped-call]

    return types.CPointer(like)(like), generate  # type: ignore[no-untyped-call]


def _emission(formula: Callable[[list[Vector]], Outcome], signature: Any) -> tuple[Any, Any]:
    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        count = (len(values) - 4) // 2  # of inputs; each has an array and a place for left-overs
        arrays = [
            context.make_array(kind)(context, builder, value).data
            for kind, value in zip(signature.args, values, strict=True)
            if isinstance(kind, types.Array)
        ]
        stretch = _Stretch(formula, builder, arrays[:count], arrays[count], arrays[count + 1 :])
        start, stop = values[count + 1], values[count + 2]
        return stretch.emit(start, stop)

    return signature, generate


class _Stretch:
    """Emits the loop over one stretch."""

    def __init__(
        self,
        formula: Callable[[list[Vector]], Outcome],
        builder: ir.IRBuilder,
        inputs: list[ir.Value],
        output: ir.Value,
        left: list[ir.Value],
    ) -> None:
        self.formula = formula
        self.builder = builder
        self.inputs = inputs
        self.output = output
        self.left = left

    def emit(self, start: ir.Value, stop: ir.Value) -> ir.Value:
        b = self.builder
        self.start = start
        none = ir.Constant(_INDEX, 0)
        self.count = cgutils.alloca_once_value(b, none)  # type: ignore[no-untyped-call]
        step = ir.Constant(_INDEX, LANES)
        whole = b.sub(stop, b.urem(b.sub(stop, start), step))
        with cgutils.for_range_slice(b, start, whole, step, _INDEX) as (at, _):
            self._vector(at, None)
        with b.if_then(b.icmp_signed("<", whole, stop)):
            self._vector(whole, self._below(b.sub(stop, whole)))
        return b.load(self.count)

    def _below(self, count: ir.Value) -> ir.Value:
        """The mask of the first lanes."""
        b = self.builder
        return b.icmp_unsigned("<", NUMBERS, everywhere(b, b.trunc(count, WORD)))

    def _vector(self, at: ir.Value, mask: ir.Value | None) -> None:
        b = self.builder
        inputs = [Vector(b, self._load(array, at, mask)) for array in self.inputs]
        outcome = self.formula(inputs)
        self._store(outcome.result, at, mask)
        is_odd = outcome.is_odd if mask is None else b.and_(outcome.is_odd, mask)
        with b.if_then(self._any(is_odd), likely=False):
            self._store(outcome.mended, at, is_odd)
            self._leave(inputs, at, b.and_(is_odd, outcome.is_left))

    def _leave(self, inputs: list[Vector], at: ir.Value, mask: ir.Value) -> None:
        """Appends the lanes of a mask to what is left over."""
        b = self.builder
        count = b.load(self.count)
        for vector, left in zip(inputs, self.left, strict=False):
            self._append(vector.ir, left, count, mask)
        first = everywhere(b, b.trunc(b.sub(at, self.start), WORD))
        self._append(b.add(first, NUMBERS), self.left[-1], count, mask)
        bits = b.zext(b.bitcast(mask, ir.IntType(LANES)), _INDEX)
        b.store(b.add(count, b.ctpop(bits)), self.count)

    def _append(self, vector: ir.Value, left: ir.Value, count: ir.Value, mask: ir.Value) -> None:
        suffix = "v16f32" if vector.type == FLOATS else "v16i32"
        place = self.builder.gep(left, [count])
        name = f"llvm.masked.compressstore.{suffix}"
        call(self.builder, name, ir.VoidType(), [vector, place, mask])

    def _any(self, mask: ir.Value) -> ir.Value:
        bits = self.builder.bitcast(mask, ir.IntType(LANES))
        return self.builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(LANES), 0))

    def _place(self, array: ir.Value, at: ir.Value) -> ir.Value:
        return self.builder.bitcast(self.builder.gep(array, [at]), FLOATS.as_pointer())

    def _load(self, array: ir.Value, at: ir.Value, mask: ir.Value | None) -> ir.Value:
        b, place = self.builder, self._place(array, at)
        if mask is None:
            return b.load(place, align=4)
        nothing = ir.Constant(FLOATS, [0.0] * LANES)
        align = ir.Constant(WORD, 4)
        return call(b, "llvm.masked.load.v16f32.p0", FLOATS, [place, align, mask, nothing])

    def _store(self, vector: Vector, at: ir.Value, mask: ir.Value | None) -> None:
        b, place = self.builder, self._place(self.output, at)
        if mask is None:
            b.store(vector.ir, place, align=4)
            return
        align = ir.Constant(WORD, 4)
        call(b, "llvm.masked.store.v16f32.p0", ir.VoidType(), [vector.ir, place, align, mask])
