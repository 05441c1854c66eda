"""Threads of another library that share a call: those of OpenMP, on which PyTorch's kernels run.

They look for work for a while after each of PyTorch's operations, as hands (`hands.py`) do after
each of limen's. On the same cores the two are in each other's way (tanh and its backward pass on
2^22 numbers, between PyTorch's own: 4.6 milliseconds with hands, 2.7 so); so a call from PyTorch
takes the threads that its neighbours take. Each has one part of the array, as in OpenMP's loops.

The interface is the one that compilers call (libgomp's; other runtimes have it too). After a fork
OpenMP has no threads, and no way to know: in a child these calls have hands.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from functools import cache

from limen.kernels.board import BOARD
from limen.kernels.machine import Assembler, Word, assembled
from limen.kernels.sweep import SCRATCH, TILE, sweep_address

__all__ = ["Team", "share_in_team"]

_INT = (1 << 32) - 1  # the bits of a C int

# What the threads read: the addresses of OpenMP's three functions, and the work.
PARALLEL, NUMBER, COUNT = range(3)
_NUMBER, _COUNT, _RECORD, _ARRAYS, _HOW, _SIZE = range(6)


class Team:
    """The OpenMP that a library is linked with, as native code reads it.

    Args:
        library: the path of the library; empty for none.

    Attributes:
        address: that of a table of words, the first of which is 0 where there is no team.
    """

    def __init__(self, library: str) -> None:
        self._words = (ctypes.c_int64 * 3)()
        names = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")
        with suppress(OSError, AttributeError):
            loaded = ctypes.CDLL(
                library or os.devnull
            )  # what it is linked with is looked through as well
            found = [ctypes.cast(loaded[name], ctypes.c_void_p).value or 0 for name in names]
            BOARD.allow()
            if all(found):
                self._words = (ctypes.c_int64 * 3)(*found)
        self.address = ctypes.addressof(self._words)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.disband)

    def disband(self) -> None:
        """From now on there is no team."""
        self._words[PARALLEL] = 0


def share_in_team(
    code: Assembler, team: Word, record: Word, arrays: Word, how: Word, size: Word, helpers: Word
) -> None:
    """Writes the call of a kernel on all elements, by a team with so many helpers."""
    work = code.table(6)
    number, count = code.load(team, NUMBER), code.load(team, COUNT)
    for index, word in enumerate((number, count, record, arrays, how, size)):
        code.store(work, index, word)
    arguments = [code.word(_part_address()), work, helpers + 1, code.word(0)]
    code.call(code.load(team, PARALLEL), arguments)


@cache
def _part_address() -> int:
    return assembled("part", 1, _part)


def _part(code: Assembler, work: Word) -> None:
    """What each thread of a team does."""
    own, count = (code.call(code.load(work, k), []) & _INT for k in (_NUMBER, _COUNT))
    record, arrays, how, size = (code.load(work, k) for k in (_RECORD, _ARRAYS, _HOW, _SIZE))
    part = ((size + count * TILE - 1) // (count * TILE)) * TILE
    start = part * own
    stop = (start + part).least(size)
    scratch, zero = code.table(SCRATCH // 8), code.word(0)
    with code.when(start < stop):
        code.call(sweep_address(), [record, arrays, scratch, how, zero, start, stop])
    code.give(0)
