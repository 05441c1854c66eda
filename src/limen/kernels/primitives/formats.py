"""The 16-bit formats: float16 and bfloat16 as bits, widened to float64 and rounded back once.

Numba computes with neither, and a detour through float32 would round twice.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from limen.kernels.primitives.lanes import Real, Word, absolute, select

__all__ = ["load_bfloat16", "load_float16", "store_bfloat16", "store_float16"]

_DOUBLE_BIAS = 1023
_DOUBLE_FRACTION = 52
_BITS_64 = ir.IntType(64)
_BITS_16 = ir.IntType(16)


class _Format(NamedTuple):
    fraction: int  # bits of the fraction
    bias: int  # of the exponent

    @property
    def shift(self) -> int:
        return _DOUBLE_FRACTION - self.fraction

    @property
    def infinity(self) -> int:
        return ((1 << (15 - self.fraction)) - 1) << self.fraction

    @property
    def smallest_normal(self) -> float:
        return 2.0 ** (1 - self.bias)


_FLOAT16 = _Format(fraction=10, bias=15)
_BFLOAT16 = _Format(fraction=7, bias=127)


def _widen(bits: Word, form: _Format) -> Real:
    """The fraction and exponent moved to float64's places, then the bias by a power of two."""
    magnitude = bits & 0x7FFF
    sign = (bits & 0x8000) << 48
    scaled = (magnitude << form.shift).as_real() * 2.0 ** (_DOUBLE_BIAS - form.bias)
    special = ((magnitude << form.shift) | 0x7FF0000000000000).as_real()
    finite_below = _Format(form.fraction, form.bias)
    largest = (2.0 - 2.0**-finite_below.fraction) * 2.0**form.bias
    value = select(scaled <= largest, scaled, special)
    return (value.bits() | sign).as_real()


def _round(value: Real, form: _Format) -> Word:
    """To nearest, ties to even, in one step. Infinity above the largest finite number."""
    size = absolute(value)
    bits = size.bits()
    sign = (value.bits() >> 48) & 0x8000
    odd = (bits >> form.shift) & 1
    rebias = (_DOUBLE_BIAS - form.bias) << form.fraction
    normal = ((bits + (odd + ((1 << (form.shift - 1)) - 1))) >> form.shift) - rebias
    # Adding this number rounds a subnormal at the format's last place.
    magic = 2.0 ** (1 - form.bias - form.fraction + _DOUBLE_FRACTION)
    subnormal = (size + magic).bits() - size.lift(magic).bits()
    overflow = (2.0 - 2.0 ** -(form.fraction + 1)) * 2.0**form.bias
    is_small = size < form.smallest_normal
    result = _choose(is_small, subnormal, normal)
    result = _choose(size < overflow, result, _word(size, form.infinity))
    quiet = _word(size, form.infinity | 1 << (form.fraction - 1))
    return _choose(size.equals(size), result, quiet) | sign


def _word(anchor: Real, value: int) -> Word:
    return Word(anchor.builder, ir.Constant(_BITS_64, value))


def _choose(condition: Any, yes: Word, no: Word) -> Word:
    return Word(yes.builder, yes.builder.select(condition.ir, yes.ir, no.ir))


def _load(name: str, form: _Format) -> Any:
    def load(typing_context: Any, bits: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            return _widen(Word(builder, builder.zext(values[0], _BITS_64)), form).ir

        return types.float64(types.uint16), generate

    load.__name__ = load.__qualname__ = name
    return intrinsic(load)


def _store(name: str, form: _Format) -> Any:
    def store(typing_context: Any, value: Any) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            return builder.trunc(_round(Real(builder, values[0]), form).ir, _BITS_16)

        return types.uint16(types.float64), generate

    store.__name__ = store.__qualname__ = name
    return intrinsic(store)


load_float16 = _load("load_float16", _FLOAT16)
load_bfloat16 = _load("load_bfloat16", _BFLOAT16)
store_float16 = _store("store_float16", _FLOAT16)
store_bfloat16 = _store("store_bfloat16", _BFLOAT16)
