"""The way from a kernel's Python source to machine code: Numba's, with two steps of our own.

`Inlined` puts the vector instructions of `primitives/registers.py` in the place of their calls,
once LLVM has made loops over vectors. `Interleaved` also tells LLVM to compute several vectors of
elements at once: a kernel is a long chain of instructions of which each waits for the one before. A
CPU looks ahead far enough to work on a few elements of short chains only; with the instructions of
four vectors side by side it always has something to do. LLVM would do so by itself for short loops
alone. With AVX2's 16 registers the gain is as large as with 32: a fifth to a third.
"""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

from limen.kernels.primitives.lanes import target_has

__all__ = ["Inlined", "Interleaved"]

_COUNT = 4


class _Inlining(Lower):
    """Numba's own lowering, after which a library inlines once more than usual."""

    def lower_normal_function(self, fndesc: Any) -> None:
        super().lower_normal_function(fndesc)  # type: ignore[no-untyped-call]
        _inline_at_last(self.library)


class _Marking(_Inlining):
    """The same, which then marks the jumps back to the head of a loop."""

    def lower_normal_function(self, fndesc: Any) -> None:
        super().lower_normal_function(fndesc)
        if _pays():
            seen: set[ir.Block] = set()
            for block in self.function.blocks:
                seen.add(block)
                jump = block.terminator
                if isinstance(jump, ir.Branch) and jump.operands[0] in seen:
                    jump.set_metadata("llvm.loop", _hint(self.module))


def _inline_at_last(library: Any) -> None:
    """Has a library inline what LLVM calls in loops that it has made vectors of.

    LLVM makes vectors after it has inlined, and Numba optimizes a library but once.
    """
    optimize = library._optimize_final_module

    def optimize_and_inline() -> None:
        optimize()
        builder = library.codegen._pass_builder(loop_vectorize=False, slp_vectorize=False)
        builder.getModulePassManager().run(library._final_module, builder)

    library._optimize_final_module = optimize_and_inline


def _pays() -> bool:
    return platform.machine().lower() in ("arm64", "aarch64") or target_has("avx2")


def _hint(module: ir.Module) -> ir.MDValue:
    """A loop's metadata: its first operand is itself, as LLVM's manual asks."""
    count = ir.Constant(ir.IntType(32), _COUNT)
    hint = module.add_metadata(["llvm.loop.interleave.count", count])
    loop = module.add_metadata([hint])
    loop.operands = (loop, hint)
    return loop


@register_pass(mutates_CFG=True, analysis_only=False)  # type: ignore[no-untyped-call]
class _InliningPass(NativeLowering):
    _name = "limen_inlining"
    lowering_class = _Inlining


@register_pass(mutates_CFG=True, analysis_only=False)  # type: ignore[no-untyped-call]
class _MarkingPass(NativeLowering):
    _name = "limen_marking"
    lowering_class = _Marking


class Inlined(CompilerBase):
    """Numba's passes, with the lowering of one of our own."""

    lowering: type[NativeLowering] = _InliningPass

    def define_pipelines(self) -> list[Any]:
        """Numba's passes, one of them ours."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)  # type: ignore[no-untyped-call]
        passes.passes = [
            (self.lowering, text) if step is NativeLowering else (step, text)
            for step, text in passes.passes
        ]
        passes.finalize()
        return [passes]


class Interleaved(Inlined):
    """The same, with loops that compute several vectors at once."""

    lowering = _MarkingPass
