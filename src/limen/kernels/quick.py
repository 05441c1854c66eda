"""The quick way in: one native call checks plain arrays and runs the kernel on them.

It is a builtin function (`builtin.py`) that takes nothing but the plainest case; the rest goes the
long way (`cpu.py`): the same kernels and the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
from llvmlite import ir

from limen.kernels import hands
from limen.kernels.builtin import (
    ALIGNED,
    CONTIGUOUS,
    DATA,
    DTYPE,
    HALF_AXES,
    HALF_FLAGS,
    SHAPE,
    WRITEABLE,
    builtin,
    is_open,
    require_array,
    requiring,
    succeed,
)
from limen.kernels.machine import Assembler, Word, python_function
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
from limen.kernels.team import PARALLEL, Team, share_in_team

__all__ = ["HELD", "addressed_call", "quick_call"]

HELD = 1 << 10
"""So many elements are computed without giving up the GIL, which would take about as long."""

_PLAIN = CONTIGUOUS | ALIGNED

# Words of a table of routes: a scratch, the number of rows, and for each row a dtype and the record
# of its kernel. Where there is but one route: a scratch, the record, and a team.
_SCRATCH, _ROWS, _FIRST_ROW = range(3)
_RECORD, _TEAM = 1, 2
_MOST_ARRAYS = 8

_scratch = np.empty(SCRATCH, np.uint8)  # used with the GIL held, so by one call at a time


class HasRecord(Protocol):
    """What can be run by its record (see `sweep.py`), which lives as long as it does."""

    record: int


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
    if not is_open():
        return None
    pairs = tuple(kernels)
    rows = [word for dtype, launcher in pairs for word in (id(dtype), launcher.record)]
    return builtin(_quick, [_scratch.ctypes.data, len(pairs), *rows], pairs)


def addressed_call(launcher: HasRecord, team: Team) -> Callable[..., Any] | None:
    """A function of the addresses of arrays, the outputs last, their elements, and of threads.

    For arrays of others, who know that each lies in memory as one row, of the right format, and
    that no output overlaps another array; and how many threads may share the work. It returns True
    when the kernel has run on them; None, with nothing written, for more elements than the quick
    way takes.

    Args:
        launcher: what computes it.
        team: whose threads share it; hands do where there are none.

    Returns:
        The function; None where this way is not open.
    """
    if not is_open():
        return None
    words = [_scratch.ctypes.data, launcher.record, team.address]
    return builtin(_addressed, words, (launcher, team))


# --- The native function ---------------------------------------------------------------------


def _quick(code: Assembler, self: Word, objects: Word, count: Word) -> None:
    builder = code.builder
    table, require = code.table(_MOST_ARRAYS), requiring(code)
    zero, routes = code.word(0), code.load(self, DATA)
    require(builder.and_(count > 1, count < _MOST_ARRAYS + 1))
    out = code.load(objects, count - 1)
    require_array(code, require, out)
    record = _record(code, routes, code.load(out, DTYPE))
    require(record.differs(0))
    inputs = code.load(record, INPUTS)
    require((inputs + code.load(record, OUTPUTS)).equals(count))
    with code.loop(zero, count) as k:
        array = code.load(objects, k)
        require_array(code, require, array)
        flags = code.load_half(array, HALF_FLAGS)
        require((flags & _PLAIN).equals(_PLAIN))
        require(builder.or_(k < inputs, (flags & WRITEABLE).differs(0)))
        require(code.load(array, DTYPE).equals(code.load(out, DTYPE)))
        require(code.load_half(array, HALF_AXES).equals(code.load_half(out, HALF_AXES)))
        with code.loop(zero, code.load_half(out, HALF_AXES)) as axis:
            length = code.load(code.load(out, SHAPE), axis)
            require(code.load(code.load(array, SHAPE), axis).equals(length))
        code.store(table, k, code.load(array, DATA))
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
    succeed(code)


def _addressed(code: Assembler, self: Word, objects: Word, count: Word) -> None:
    table, require = code.table(_MOST_ARRAYS), requiring(code)
    routes = code.load(self, DATA)
    record = code.load(routes, _RECORD)
    inputs = code.load(record, INPUTS)
    require((inputs + code.load(record, OUTPUTS) + 2).equals(count))
    size, most = (_number(code, code.load(objects, count - k)) for k in (2, 1))
    require(size < code.load(record, LIMIT) + 1)
    team = code.load(routes, _TEAM)
    helpers = _helpers(code, record, size, require, most - 1, team)
    with code.loop(code.word(0), count - 2) as k:
        code.store(table, k, _number(code, code.load(objects, k)))
    _run(code, record, table, code.load(routes, _SCRATCH), code.word(DIRECT), size, helpers, team)
    succeed(code)


def _number(code: Assembler, object_: Word) -> Word:
    return code.call(python_function("PyLong_AsSize_t"), [object_])


def _record(code: Assembler, routes: Word, dtype: Word) -> Word:
    found = code.variable(0)
    with code.loop(code.word(0), code.load(routes, _ROWS)) as row:
        is_it = code.load(routes, row * 2 + _FIRST_ROW).equals(dtype)
        with code.when(is_it):
            code.store(found, 0, code.load(routes, row * 2 + (_FIRST_ROW + 1)))
    return code.load(found)


def _size(code: Assembler, array: Word) -> Word:
    size = code.variable(1)
    with code.loop(code.word(0), code.load_half(array, HALF_AXES)) as axis:
        code.store(size, 0, code.load(size) * code.load(code.load(array, SHAPE), axis))
    return code.load(size)


def _helpers(
    code: Assembler,
    record: Word,
    size: Word,
    require: Callable[[ir.Value], None],
    most: Word | None = None,
    team: Word | None = None,
) -> Word:
    """How many threads may help. Python starts hands, and reads how many there may be.

    A team's may all be asleep: it helps where that pays too.
    """
    builder, found = code.builder, code.variable(0)
    is_worth_it = size > code.load(record, JOINED) - 1
    if most is not None:
        is_worth_it = builder.and_(is_worth_it, most > 0)
    with code.when(is_worth_it):
        require(hands.is_as_said(code))
        wanted = hands.allowed(code) if most is None else hands.allowed(code).least(most)
        has_team = _has_threads(code, team)
        is_long = size > code.load(record, WOKEN) - 1
        with code.when(builder.and_(is_long, builder.not_(has_team))):
            require(hands.are_there(code, wanted))
        with code.when(builder.or_(is_long, builder.not_(has_team))):
            code.store(found, 0, wanted)
    return code.load(found)


def _has_threads(code: Assembler, team: Word | None) -> ir.Value:
    """Whether there is a team; after a fork there is none."""
    if team is None:
        return ir.Constant(ir.IntType(1), 0)
    return code.load(team, PARALLEL).differs(0)


def _run(
    code: Assembler,
    record: Word,
    table: Word,
    scratch: Word,
    how: Word,
    size: Word,
    helpers: Word,
    team: Word | None = None,
) -> None:
    """The kernel over all elements: without the GIL, and with a scratch of its own, if many."""
    zero = code.word(0)
    with code.either(size > HELD) as (free, held):
        with free:
            state = code.call(python_function("PyEval_SaveThread"), [])
            in_team = code.builder.and_(_has_threads(code, team), helpers > 0)
            with code.either(in_team) as (by_team, by_hands):
                with by_team:
                    share_in_team(code, team or zero, record, table, how, size, helpers)
                with by_hands:
                    own = code.call(python_function("PyMem_RawMalloc"), [code.word(SCRATCH)])
                    code.call(hands.share_address(), [record, table, own, how, zero, size, helpers])
                    code.call(python_function("PyMem_RawFree"), [own])
            code.call(python_function("PyEval_RestoreThread"), [state])
        with held:
            code.call(sweep_address(), [record, table, scratch, how, zero, zero, size])
