"""The quick way in: one native call checks plain arrays and runs the kernel on them.

For a small array, Python's own steps (asking for a shape, a dtype, a flag) take several times as
long as the arithmetic. Here they are a few native instructions behind a builtin function of
CPython, reading NumPy's array structure in place. They take nothing but the plainest case and
refuse the rest, which then goes the long way (`cpu.py`): the same kernels and the same bits.

The structure (`PyArrayObject_fields` in numpy/ndarraytypes.h) and the calling convention
(METH_FASTCALL) are binary interfaces that every compiled extension relies on; the structure is
checked against real arrays before anyone relies on it here.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Protocol

import numpy as np
from llvmlite import ir

from limen.kernels import hands
from limen.kernels.machine import Assembler, Word, assembled, python_function
from limen.kernels.sweep import (
    COPIED,
    DIRECT,
    INPUTS,
    JOINED,
    LIMIT,
    OUTPUTS,
    SCRATCH,
    SIZES,
    WOKEN,
    sweep_address,
)

__all__ = ["HELD", "addressed_call", "quick_call"]

HELD = 1 << 10
"""So many elements are computed without giving up the GIL, which would take about as long."""

# Words of a Python object, and of NumPy's array after it; two of its fields are half a word long.
_TYPE, _DATA, _SHAPE, _DTYPE = 1, 2, 4, 7
_HALF_AXES, _HALF_FLAGS = 6, 16
_CONTIGUOUS, _ALIGNED, _WRITEABLE = 0x1, 0x100, 0x400
_PLAIN = _CONTIGUOUS | _ALIGNED

# Words of a table of routes: a scratch, the number of rows, and for each row a dtype and the record
# of its kernel. Where there is but one route: a scratch and the record.
_SCRATCH, _ROWS, _FIRST_ROW = range(3)
_RECORD = 1
_MOST_ARRAYS = 8

_METH_FASTCALL = 0x80
_TRUE, _NONE = id(True), id(None)

_scratch = np.empty(SCRATCH, np.uint8)  # used with the GIL held, so by one call at a time


class HasRecord(Protocol):
    """What can be run by its record (see `sweep.py`), which lives as long as it does."""

    record: int


class _Routes(np.ndarray[Any, Any]):
    """A table of routes that keeps alive what it leads to."""

    kept: tuple[HasRecord, ...]


def quick_call(kernels: Iterable[tuple[np.dtype[Any], HasRecord]]) -> Callable[..., Any] | None:
    """A function of arrays, the outputs last, that returns True when the kernel has run on them.

    It returns None, with nothing written, unless all arrays have one shape, one of these dtypes,
    and lie in memory as one row; are not too many (a kernel is timed first, and very large arrays
    have ways of their own); and no output overlaps another array (but an output may be an input).

    Args:
        kernels: the dtypes, each with what computes it.

    Returns:
        The function; None where this way is not open (other Pythons, other layouts).
    """
    if not _is_open():
        return None
    pairs = tuple(kernels)
    rows = [word for dtype, launcher in pairs for word in (id(dtype), launcher.record)]
    words = [_scratch.ctypes.data, len(pairs), *rows]
    routes = np.array(words, np.int64).view(_Routes)
    routes.kept = tuple(launcher for _, launcher in pairs)
    definition = ctypes.addressof(_definition("quick", _quick))
    function: Callable[..., Any] = _new_builtin()(definition, routes, None)
    return function


def addressed_call(launcher: HasRecord) -> Callable[..., Any] | None:
    """A function of the addresses of arrays, the outputs last, their elements, and of threads.

    For arrays of others, who know that each lies in memory as one row, of the right format, and
    that no output overlaps another array; and how many threads may share the work. It returns True
    when the kernel has run on them; None, with nothing written, for more elements than the quick
    way takes.

    Args:
        launcher: what computes it.

    Returns:
        The function; None where this way is not open.
    """
    if not _is_open():
        return None
    words = np.array([_scratch.ctypes.data, launcher.record], np.int64).view(_Routes)
    words.kept = (launcher,)
    definition = ctypes.addressof(_definition("addressed", _addressed))
    function: Callable[..., Any] = _new_builtin()(definition, words, None)
    return function


@cache
def _new_builtin() -> Callable[..., Any]:
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    return new


class _MethodDefinition(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


@cache
def _definition(name: str, write: Callable[..., None]) -> _MethodDefinition:
    return _MethodDefinition(name.encode(), assembled(name, 3, write), _METH_FASTCALL, None)


# --- Whether arrays are laid out as we think -------------------------------------------------


@cache
def _is_open() -> bool:
    has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    if sys.implementation.name != "cpython" or not has_gil or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    grid = np.ones((2, 3, 4), np.float32)
    frozen = np.ones(5)
    frozen.flags.writeable = False
    arrays: list[Any] = [grid, grid[1:, ::2], grid.T, frozen, np.ones((), np.int8)]
    return all(map(_is_as_expected, arrays))


def _is_as_expected(array: Any) -> bool:
    words = (ctypes.c_int64 * 9).from_address(id(array))
    halves = (ctypes.c_int32 * 18).from_address(id(array))
    header = (words[_TYPE], words[_DATA], words[_DTYPE], halves[_HALF_AXES], halves[_HALF_FLAGS])
    meant = (id(type(array)), array.ctypes.data, id(array.dtype), array.ndim, array.flags.num)
    if header != meant:
        return False
    shape = (ctypes.c_int64 * array.ndim).from_address(words[_SHAPE]) if array.ndim else ()
    return bool(array.shape == tuple(shape))


# --- The native function ---------------------------------------------------------------------


def _quick(code: Assembler, self: Word, objects: Word, count: Word) -> None:
    builder = code.builder
    table, require = code.table(_MOST_ARRAYS), _requiring(code)
    zero, routes = code.word(0), code.load(self, _DATA)
    require(builder.and_(count > 1, count < _MOST_ARRAYS + 1))
    out = code.load(objects, count - 1)
    require(code.load(out, _TYPE).equals(id(np.ndarray)))
    record = _record(code, routes, code.load(out, _DTYPE))
    require(record.differs(0))
    inputs = code.load(record, INPUTS)
    require((inputs + code.load(record, OUTPUTS)).equals(count))
    with code.loop(zero, count) as k:
        array = code.load(objects, k)
        require(code.load(array, _TYPE).equals(id(np.ndarray)))
        flags = code.load_half(array, _HALF_FLAGS)
        require((flags & _PLAIN).equals(_PLAIN))
        require(builder.or_(k < inputs, (flags & _WRITEABLE).differs(0)))
        require(code.load(array, _DTYPE).equals(code.load(out, _DTYPE)))
        require(code.load_half(array, _HALF_AXES).equals(code.load_half(out, _HALF_AXES)))
        with code.loop(zero, code.load_half(out, _HALF_AXES)) as axis:
            length = code.load(code.load(out, _SHAPE), axis)
            require(code.load(code.load(array, _SHAPE), axis).equals(length))
        code.store(table, k, code.load(array, _DATA))
    size = _size(code, out)
    require(size < code.load(record, LIMIT) + 1)
    helpers = _helpers(code, record, size, require)
    how = code.variable(DIRECT)
    extent = size * code.load(record, SIZES)
    with code.loop(inputs, count) as k, code.loop(zero, k) as j:
        distance = (code.load(table, j) - code.load(table, k)).size()
        is_same = builder.and_(distance.equals(0), j < inputs)
        require(builder.or_(is_same, distance > extent - 1))
        with code.when(builder.and_(is_same, extent.differs(0))):
            code.store(how, 0, code.word(COPIED))
    _run(code, record, table, code.load(routes, _SCRATCH), code.load(how), size, helpers)
    _return(code, _TRUE)


def _addressed(code: Assembler, self: Word, objects: Word, count: Word) -> None:
    table, require = code.table(_MOST_ARRAYS), _requiring(code)
    routes = code.load(self, _DATA)
    record = code.load(routes, _RECORD)
    inputs = code.load(record, INPUTS)
    require((inputs + code.load(record, OUTPUTS) + 2).equals(count))
    size, most = (_number(code, code.load(objects, count - k)) for k in (2, 1))
    require(size < code.load(record, LIMIT) + 1)
    helpers = _helpers(code, record, size, require, most - 1)
    with code.loop(code.word(0), count - 2) as k:
        code.store(table, k, _number(code, code.load(objects, k)))
    _run(code, record, table, code.load(routes, _SCRATCH), code.word(DIRECT), size, helpers)
    _return(code, _TRUE)


def _number(code: Assembler, object_: Word) -> Word:
    return code.call(python_function("PyLong_AsSize_t"), [object_])


def _requiring(code: Assembler) -> Callable[[ir.Value], None]:
    """A function that goes on where a condition holds: elsewhere this way is not open."""
    builder = code.builder
    refusal = builder.append_basic_block("refuse")
    with builder.goto_block(refusal):
        _return(code, _NONE)

    def require(condition: ir.Value) -> None:
        following = builder.append_basic_block()
        builder.cbranch(condition, following, refusal)
        builder.position_at_end(following)

    return require


def _return(code: Assembler, singleton: int) -> None:
    code.call(python_function("Py_IncRef"), [code.word(singleton)])
    code.give(singleton)


def _record(code: Assembler, routes: Word, dtype: Word) -> Word:
    found = code.variable(0)
    with code.loop(code.word(0), code.load(routes, _ROWS)) as row:
        is_it = code.load(routes, row * 2 + _FIRST_ROW).equals(dtype)
        with code.when(is_it):
            code.store(found, 0, code.load(routes, row * 2 + (_FIRST_ROW + 1)))
    return code.load(found)


def _size(code: Assembler, array: Word) -> Word:
    size = code.variable(1)
    with code.loop(code.word(0), code.load_half(array, _HALF_AXES)) as axis:
        code.store(size, 0, code.load(size) * code.load(code.load(array, _SHAPE), axis))
    return code.load(size)


def _helpers(
    code: Assembler,
    record: Word,
    size: Word,
    require: Callable[[ir.Value], None],
    most: Word | None = None,
) -> Word:
    """How many hands may help. Python starts them, and reads how many there may be."""
    found = code.variable(0)
    is_worth_it = size > code.load(record, JOINED) - 1
    if most is not None:
        is_worth_it = code.builder.and_(is_worth_it, most > 0)
    with code.when(is_worth_it):
        require(hands.is_as_said(code))
        wanted = hands.allowed(code) if most is None else hands.allowed(code).least(most)
        with code.when(size > code.load(record, WOKEN) - 1):
            require(hands.are_there(code, wanted))
        code.store(found, 0, wanted)
    return code.load(found)


def _run(
    code: Assembler, record: Word, table: Word, scratch: Word, how: Word, size: Word, helpers: Word
) -> None:
    """The kernel over all elements: without the GIL, and with a scratch of its own, if many."""
    zero = code.word(0)
    with code.either(size > HELD) as (free, held):
        with free:
            state = code.call(python_function("PyEval_SaveThread"), [])
            own = code.call(python_function("PyMem_RawMalloc"), [code.word(SCRATCH)])
            code.call(hands.share_address(), [record, table, own, how, zero, size, helpers])
            code.call(python_function("PyMem_RawFree"), [own])
            code.call(python_function("PyEval_RestoreThread"), [state])
        with held:
            code.call(sweep_address(), [record, table, scratch, how, zero, zero, size])
