"""Tells LLVM to compute several vectors of elements at once in a kernel's loop.

A kernel is a long chain of instructions of which each waits for the one before. A CPU looks ahead
far enough to work on a few elements of short chains only; with the instructions of four vectors
side by side it always has something to do. LLVM would do so by itself for short loops alone. It
takes registers: where there are not 32 for vectors, LLVM is left to its own judgement.
"""

from __future__ import annotations

import platform
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

__all__ = ["Interleaved"]

_COUNT = 4


def _has_many_registers() -> bool:
    if platform.machine().lower() in ("arm64", "aarch64"):
        return True
    return bool(llvmlite.binding.get_host_cpu_features().get("avx512f", False))


class _MarkedLoops(Lower):
    """Numba's own lowering, which then marks the jumps back to the head of a loop."""

    def lower_normal_function(self, fndesc: Any) -> None:
        super().lower_normal_function(fndesc)  # type: ignore[no-untyped-call]
        if _has_many_registers():
            seen: set[ir.Block] = set()
            for block in self.function.blocks:
                seen.add(block)
                jump = block.terminator
                if isinstance(jump, ir.Branch) and jump.operands[0] in seen:
                    jump.set_metadata("llvm.loop", _hint(self.module))


def _hint(module: ir.Module) -> ir.MDValue:
    """A loop's metadata: its first operand is itself, as LLVM's manual asks."""
    count = ir.Constant(ir.IntType(32), _COUNT)
    hint = module.add_metadata(["llvm.loop.interleave.count", count])
    loop = module.add_metadata([hint])
    loop.operands = (loop, hint)
    return loop


@register_pass(mutates_CFG=True, analysis_only=False)  # type: ignore[no-untyped-call]
class _Lowering(NativeLowering):
    _name = "limen_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        return _MarkedLoops


class Interleaved(CompilerBase):
    """The way from a kernel's Python source to machine code: Numba's, with marked loops."""

    def define_pipelines(self) -> list[Any]:
        """Numba's passes, one of them ours."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)  # type: ignore[no-untyped-call]
        passes.passes = [
            (_Lowering, text) if step is NativeLowering else (step, text)
            for step, text in passes.passes
        ]
        passes.finalize()
        return [passes]
