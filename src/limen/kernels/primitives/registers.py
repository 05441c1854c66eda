"""Tables of sixteen constants that lanes look up in vector registers.

AVX-512 has an instruction that looks up eight lanes in two registers at once, several times faster
than the gather of an array's entries. LLVM makes vectors of a loop by itself, and none of its
operations on one lane becomes that instruction: so the lookup is a function of one lane, which
names the instruction as its vector variant ("vector-function-abi-variant" in LLVM's manual). What
is left of the calls is inlined when the loop has become one over vectors (`kernels/pipeline.py`).
"""

from __future__ import annotations

from typing import NamedTuple

from llvmlite import ir
from numba.core import cgutils

from limen.kernels.primitives.lanes import FLOAT, WORD, Real, Word, target_has
from limen.kernels.primitives.tables import Table

_LANES = 8
#: How long the vectors may be that LLVM makes of a loop.
_WIDTHS = (2, 4, 8)
_FLOATS, _WORDS = ir.VectorType(FLOAT, _LANES), ir.VectorType(WORD, _LANES)
_PERMUTE = "llvm.x86.avx512.vpermi2var.pd.512"
_PERMUTATION = ir.FunctionType(_FLOATS, [_FLOATS, _WORDS, _FLOATS])
#: Where it is false, a lookup is a gather, or a load where LLVM makes no vectors.
HAS_PERMUTATION = target_has("avx512f")


class Sixteen(NamedTuple):
    """Sixteen constants, numbered by the low four bits of a word."""

    name: str
    entries: tuple[float, ...]

    def look_up(self, word: Word) -> Real:
        """The entry of each lane's number."""
        if not HAS_PERMUTATION:
            return self._load(word)
        builder = word.builder
        return Real(builder, builder.call(self._function(builder.module), [word.ir]))

    def _load(self, word: Word) -> Real:
        rows = Table(self.name, tuple((entry,) for entry in self.entries))
        return rows.look_up(word & 15)[0]

    def _function(self, module: ir.Module) -> ir.Function:
        """The lookup for one lane, which names the one for a vector."""
        symbol = f"limen.pick.{self.name}"
        if symbol in module.globals:
            return module.globals[symbol]
        function = ir.Function(module, ir.FunctionType(FLOAT, [WORD]), symbol)
        variants = ",".join(self._variant(module, symbol, width) for width in _WIDTHS)
        _describe(function, "noinline", f'"vector-function-abi-variant"="{variants}"')
        builder = ir.IRBuilder(function.append_basic_block())
        builder.ret(self._load(Word(builder, function.args[0])).ir)
        return function

    def _variant(self, module: ir.Module, symbol: str, width: int) -> str:
        """What LLVM is told of the lookup for a vector of words, which is written here."""
        name = f"{symbol}.{width}"
        kind = ir.FunctionType(ir.VectorType(FLOAT, width), [ir.VectorType(WORD, width)])
        variant = ir.Function(module, kind, name)
        _describe(variant, "alwaysinline")
        variant.linkage = (
            "weak_odr"  # stays while nothing calls it, which an internal one would not
        )
        builder = ir.IRBuilder(variant.append_basic_block())
        halves = self.entries[:_LANES], self.entries[_LANES:]
        low, high = (ir.Constant(_FLOATS, list(half)) for half in halves)
        permute = cgutils.get_or_insert_function(module, _PERMUTATION, _PERMUTE)  # type: ignore[no-untyped-call]
        found = builder.call(permute, [low, _stretched(builder, variant.args[0], _LANES), high])
        builder.ret(_stretched(builder, found, width))
        return f"_ZGV_LLVM_N{width}v_{symbol}({name})"


def _stretched(builder: ir.IRBuilder, vector: ir.Value, width: int) -> ir.Value:
    """The vector cut to a width, or repeated up to it."""
    mask = [lane % vector.type.count for lane in range(width)]
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), width), mask)
    return builder.shuffle_vector(vector, vector, lanes)


def _describe(function: ir.Function, *attributes: str) -> None:
    """Gives a function attributes, of which llvmlite's own check knows a few only."""
    function.linkage = "internal"
    for attribute in ("nounwind", "willreturn", "memory(none)", *attributes):
        set.add(function.attributes, attribute)
