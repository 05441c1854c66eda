"""Matrix products with a row added to each of the result's, by one call of BLAS.

BLAS adds a product to what is there (its beta is 1). So the row is laid down first, in the place of
the zeros that BLAS would begin with, and costs nothing: by itself it would take another way through
memory, a tenth of the product's time. And for small matrices, NumPy's own steps around BLAS take
as long as the arithmetic; here they are a few native instructions (`builtin.py`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir

from limen.kernels.builtin import (
    ALIGNED,
    CONTIGUOUS,
    DATA,
    DTYPE,
    HALF_AXES,
    HALF_FLAGS,
    NONE,
    SHAPE,
    STRIDES,
    WRITEABLE,
    builtin,
    is_open,
    require_array,
    requiring,
    succeed,
)
from limen.kernels.machine import WORD, Assembler, Word, assembled, python_function

__all__ = ["LONGEST", "lay_address", "product_call"]

# So many multiplications are done without giving up the GIL, which would take about as long.
_HELD = 1 << 16
LONGEST = (1 << 31) - 1
"""What the integers of any BLAS hold."""


# Words of the table: how many dtypes there are; and for each the dtype, BLAS's product for it, the
# bytes of an element, and the addresses of a 0 and of a 1.
_DTYPES, _FIRST = range(2)
_DTYPE, _PRODUCT, _BYTES, _ZERO, _ONE = range(5)
_ENTRY = 5

_LETTERS = ctypes.create_string_buffer(b"NT")  # how BLAS is told of a matrix, and of a transpose

Require = Callable[[ir.Value], None]


def product_call(gemm: Mapping[np.dtype[Any], int]) -> Callable[..., Any] | None:
    """A function `(a, b, out, row)` that puts `a @ b + row` into `out`; None for no row.

    It returns True when that is done; None, with nothing written, unless all are of one of these
    dtypes, `a`, `b` and `out` have at least two rows and columns (NumPy has ways of its own
    for vectors) and lie in memory row by row (`a` and `b` column by column, if you like), and `out`
    overlaps no other.

    Args:
        gemm: for each dtype, the address of BLAS's product, in the interface of Fortran.

    Returns:
        The function; None where this way is not open.
    """
    if not is_open() or not gemm:
        return None
    numbers = [np.array([0, 1], dtype) for dtype in gemm]
    words = [len(gemm)]
    for (dtype, address), pair in zip(gemm.items(), numbers, strict=True):
        zero = pair.ctypes.data
        words += [id(dtype), address, dtype.itemsize, zero, zero + dtype.itemsize]
    return builtin(_product, words, (*gemm, *numbers))


class _Matrix:
    """What the native function finds out about an array with two axes.

    Attributes:
        is_in_rows: whether it lies in memory row by row; else it does column by column.
        lead: elements from one row, or column, to the next.
        end: the address behind its last element.
    """

    def __init__(self, code: Assembler, require: Require, array: Word, entry: Word) -> None:
        builder = code.builder
        _require_plain(code, require, array, entry, axes=2)
        self.data, size = code.load(array, DATA), code.load(entry, _BYTES)
        (self.rows, self.columns), (down, along) = (
            [code.load(code.load(array, field), axis) for axis in range(2)]
            for field in (SHAPE, STRIDES)
        )
        for length in (self.rows, self.columns):
            require(builder.and_(length > 1, length < LONGEST))
        self.is_in_rows = along.equals(size)
        step, lead, length = (
            Word(builder, builder.select(self.is_in_rows, in_rows.ir, in_columns.ir))
            for in_rows, in_columns in ((along, down), (down, along), (self.columns, self.rows))
        )
        require(builder.and_(step.equals(size), lead > length * size - 1))
        self.lead = lead // size
        require((self.lead * size).equals(lead))
        self.end = self.data + (self.rows - 1) * down + (self.columns - 1) * along + size

    def letter(self, code: Assembler) -> Word:
        """The address of how BLAS is told: to it, what lies row by row is as it is."""
        is_other = Word(code.builder, code.builder.zext(code.builder.not_(self.is_in_rows), WORD))
        return code.word(ctypes.addressof(_LETTERS)) + is_other


def _product(code: Assembler, self: Word, objects: Word, count: Word) -> None:
    require = requiring(code)
    require(count.equals(4))
    *matrices, row = (code.load(objects, k) for k in range(4))
    require_array(code, require, matrices[-1])
    entry = _entry(code, code.load(self, DATA), code.load(matrices[-1], DTYPE))
    require(entry.differs(0))
    a, b, out = (_Matrix(code, require, matrix, entry) for matrix in matrices)
    for length, other in ((a.rows, out.rows), (b.columns, out.columns), (a.columns, b.rows)):
        require(length.equals(other))
    require(out.is_in_rows)
    require((code.load_half(matrices[-1], HALF_FLAGS) & WRITEABLE).differs(0))
    for matrix in (a, b):
        require(code.builder.or_(matrix.end < out.data + 1, out.end < matrix.data + 1))
    begin = code.variable(0)
    with code.when(row.differs(NONE)):
        _require_plain(code, require, row, entry, axes=1)
        require((code.load_half(row, HALF_FLAGS) & CONTIGUOUS).differs(0))
        require(code.load(code.load(row, SHAPE)).equals(out.columns))
        start = code.load(row, DATA)
        end = start + out.columns * code.load(entry, _BYTES)
        require(code.builder.or_(end < out.data + 1, out.end < start + 1))
        code.store(begin, 0, start)
    with code.either(a.rows * a.columns * b.columns > _HELD) as (free, held):
        with free:
            state = code.call(python_function("PyEval_SaveThread"), [])
            _multiply(code, entry, (a, b, out), code.load(begin))
            code.call(python_function("PyEval_RestoreThread"), [state])
        with held:
            _multiply(code, entry, (a, b, out), code.load(begin))
    succeed(code)


def _entry(code: Assembler, table: Word, dtype: Word) -> Word:
    """The address of what the table says of a dtype; 0 where it says nothing."""
    found = code.variable(0)
    with code.loop(code.word(0), code.load(table, _DTYPES)) as k:
        entry = table + (k * _ENTRY + _FIRST) * 8
        with code.when(code.load(entry, _DTYPE).equals(dtype)):
            code.store(found, 0, entry)
    return code.load(found)


def _require_plain(
    code: Assembler, require: Require, array: Word, entry: Word, *, axes: int
) -> None:
    require_array(code, require, array)
    require(code.load(array, DTYPE).equals(code.load(entry, _DTYPE)))
    require(code.load_half(array, HALF_AXES).equals(axes))
    require((code.load_half(array, HALF_FLAGS) & ALIGNED).differs(0))


def _multiply(
    code: Assembler, entry: Word, matrices: tuple[_Matrix, _Matrix, _Matrix], row: Word
) -> None:
    """Lays the row down, if there is one, and adds the product to it.

    BLAS thinks in columns: it is asked for the transpose of the result, `b.T @ a.T`.
    """
    a, b, out = matrices
    beta = code.variable(0)
    code.store(beta, 0, code.load(entry, _ZERO))
    with code.when(row.differs(0)):
        size = code.load(entry, _BYTES)
        _lay(code, out.data, row, out.rows, out.columns * size, out.lead * size)
        code.store(beta, 0, code.load(entry, _ONE))
    numbers = code.table(6)
    sizes = (out.columns, out.rows, a.columns)
    for index, number in enumerate((*sizes, b.lead, a.lead, out.lead)):
        code.store(numbers, index, number)
    columns, rows, inner, b_lead, a_lead, out_lead = (numbers + 8 * k for k in range(6))
    letters = b.letter(code), a.letter(code)
    one, begin = code.load(entry, _ONE), code.load(beta)
    arguments = [*letters, columns, rows, inner, one, b.data, b_lead, a.data, a_lead]
    code.call(code.load(entry, _PRODUCT), [*arguments, begin, out.data, out_lead])


def _lay(code: Assembler, target: Word, row: Word, rows: Word, size: Word, step: Word) -> None:
    """Copies a row of so many bytes to the target, and again a step further, so many times."""
    with code.loop(code.word(0), rows) as k:
        code.copy(target + k * step, row, size)


@cache
def lay_address() -> int:
    """The address of `lay(target, row, rows, size, step)`: a row of `size` bytes, `rows` times."""

    def lay(code: Assembler, *words: Word) -> None:
        _lay(code, *words)
        code.give(0)

    return assembled("lay", 5, lay)
