"""The native loop that takes a kernel over an array, tile by tile where that pays.

It speaks in addresses. A kernel's record is a table of words: how to call it, its numbers, up to
how many elements the quick way may take it, from how many on others may join and sleepers are
woken, how many arrays it reads and writes, and the bytes of an element of each. The scratch belongs
to one thread: a table of addresses, then parts of one tile each.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

from llvmlite import ir

from limen.kernels.machine import WORD, Assembler, Word, assembled

__all__ = ["COPIED", "DIRECT", "STREAMED", "TILE", "native_sweep", "sweep_address"]

# A record's words.
ENTRY, KERNEL, NUMBERS, LIMIT, JOINED, WOKEN, INPUTS, OUTPUTS, SIZES = range(9)

# How results reach the output: written there by the kernel; computed in a tile beside it and
# copied, because the output is an input too; or computed beside it and stored past the cache.
DIRECT, COPIED, STREAMED = range(3)

TILE = 1 << 10
"""Elements of a tile. Its 64 lines of float32 fit a store buffer, so that storing one tile goes on
while the next is computed: at 2^12 elements silu took 2.1 ns for each, at 2^10 it takes 1.2."""

TABLE = 8 * 8  # bytes of a table of addresses: a gated backward pass has five
PART = 8 * TILE  # bytes
TERMS = TABLE + 2 * PART  # where in the scratch the terms of a sum go
SCRATCH = TERMS + PART

# What is summed on the way: the number of sums, the number of tiles, the address of one float64 for
# each sum and tile, and the record of the kernel of each sum's terms.
SUMS, TILES, PARTIALS, FIRST = range(4)

_LINE = 64  # bytes of a cache line; a store past the cache should fill one
_VECTOR = ir.VectorType(WORD, _LINE // 8)
_NUMBER = ir.DoubleType()
_WIDTH = 8  # numbers added at once

Sweep = Callable[[int, int, int, int, int, int, int], None]


@cache
def sweep_address() -> int:
    """The address of `sweep(record, arrays, scratch, how, sums, start, stop)`.

    It runs the kernel over the elements from `start` to `stop` of the arrays whose addresses are in
    the table `arrays`, inputs first. `how` is `DIRECT`, `COPIED` or `STREAMED`; `sums` says what to
    sum on the way, or is 0 (then `start` may be anything, else it is a whole number of tiles).
    """
    return assembled("sweep", 7, _sweep)


@cache
def native_sweep() -> Sweep:
    """The same, to call from Python; it releases the GIL."""
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 7)(sweep_address())


def _sweep(
    code: Assembler,
    record: Word,
    arrays: Word,
    scratch: Word,
    how: Word,
    sums: Word,
    start: Word,
    stop: Word,
) -> None:
    builder = code.builder
    is_whole = builder.and_(how.equals(DIRECT), sums.equals(0))
    step = Word(builder, builder.select(is_whole, (stop - start).ir, WORD(TILE)))
    zero, inputs, outputs = code.word(0), code.load(record, INPUTS), code.load(record, OUTPUTS)
    shift = _shift(code, record, arrays, how, sums, start)
    with code.loop(start - shift, stop, step) as tile:
        at = tile.greatest(start)
        count = (tile + step).least(stop) - at
        with code.loop(zero, inputs + outputs) as k:
            code.store(scratch, k, code.load(arrays, k) + at * code.load(record, k + SIZES))
        with code.when(sums.differs(0)):
            _sum_tile(code, sums, scratch, inputs, at // TILE, count)
        with code.when(how.differs(DIRECT)), code.loop(zero, outputs) as k:
            code.store(scratch, inputs + k, scratch + TABLE + k * PART)
        _run(code, record, scratch, count)
        with code.when(how.differs(DIRECT)), code.loop(inputs, inputs + outputs) as k:
            size = code.load(record, k + SIZES)
            target = code.load(arrays, k) + at * size
            _move(code, target, code.load(scratch, k), count * size, how.equals(STREAMED))
    with code.when(how.equals(STREAMED)):
        builder.fence("seq_cst")  # such stores are not ordered by a lock alone
    code.give(0)


def _shift(code: Assembler, record: Word, arrays: Word, how: Word, sums: Word, start: Word) -> Word:
    """How far the first tile is cut short, so that all others begin with a line of the output.

    A line that two tiles share would be read from memory, which stores past the cache avoid.
    """
    builder = code.builder
    inputs = code.load(record, INPUTS)
    size = code.load(record, inputs + SIZES)
    over = ((code.load(arrays, inputs) + start * size) & (_LINE - 1)) // size
    is_shifted = builder.and_(how.equals(STREAMED), sums.equals(0))
    return Word(builder, builder.select(is_shifted, over.ir, WORD(0)))


def _run(code: Assembler, record: Word, table: Word, count: Word) -> None:
    kernel, numbers = code.load(record, KERNEL), code.load(record, NUMBERS)
    code.call(code.load(record, ENTRY), [kernel, table, numbers, count])


def _sum_tile(
    code: Assembler, sums: Word, table: Word, inputs: Word, tile: Word, count: Word
) -> None:
    """One tile's terms, added up pairwise: the second half to the first, and so on."""
    terms = table + TERMS
    kept = code.load(table, inputs)
    code.store(table, inputs, terms)
    with code.loop(code.word(0), code.load(sums, SUMS)) as k:
        _run(code, code.load(sums, k + FIRST), table, count)
        with code.loop(count, code.word(TILE)) as i:
            code.store(terms, i, code.word(0))
        half = TILE // 2
        while half:
            _add(code, terms, terms + 8 * half, half)
            half //= 2
        partials = code.load(sums, PARTIALS)
        code.store(partials, k * code.load(sums, TILES) + tile, code.load(terms))
    code.store(table, inputs, kept)


def _add(code: Assembler, target: Word, other: Word, count: int) -> None:
    width = min(count, _WIDTH)
    kind = ir.VectorType(_NUMBER, width)
    with code.loop(code.word(0), code.word(count // width)) as i:
        place = code.place(target, kind, i)
        first, second = (code.builder.load(p, align=8) for p in (place, code.place(other, kind, i)))
        code.builder.store(code.builder.fadd(first, second), place, align=8)


def _move(code: Assembler, target: Word, source: Word, size: Word, is_streamed: ir.Value) -> None:
    """Copies bytes; if asked to, whole cache lines of the target past the cache."""
    builder = code.builder
    head = Word(builder, builder.select(is_streamed, (-target & (_LINE - 1)).ir, size.ir))
    head = head.least(size)
    code.copy(target, source, head)
    lines = (size - head) // _LINE
    mark = builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)])
    with code.loop(code.word(0), lines) as i:
        line = builder.load(code.place(source + head, _VECTOR, i), align=1)
        place = code.place(target + head, _VECTOR, i)
        builder.store(line, place, align=_LINE).set_metadata("nontemporal", mark)
    done = head + lines * _LINE
    code.copy(target + done, source + done, size - done)
