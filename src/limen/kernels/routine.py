"""Native calls one after the other, by one call from Python and without the GIL.

A training step calls the same functions on the same arrays again and again. From Python each such
call costs a microsecond or two and, on several threads, the wait for a GIL that another thread
holds. What is called is known from the first step on: here it is written down once, as words, and
done as a whole; and several such wholes side by side, by hands (`hands.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen import memory
from limen.kernels import hands
from limen.kernels.machine import Assembler, Word, assembled
from limen.kernels.sweep import DIRECT, TABLE, TILE

__all__ = ["Call", "Routine", "Routines"]

Array = NDArray[Any]
Argument = int | Array | tuple[Array, ...]

_MOST_ARGUMENTS = 13
"""As many as a matrix product has. A function that takes fewer does not see the others: by the
calling conventions of all 64-bit systems, the caller clears them away."""

_STEP = 1 + _MOST_ARGUMENTS  # words: the function, and its arguments
_NEVER = 1 << 62  # as many elements as no array has


class Call(NamedTuple):
    """A call of a native function of words.

    Attributes:
        function: its address.
        arguments: words; an array stands for its address, and several for that of a table of
            theirs.
        owner: what has to live as long as the function may be called.
    """

    function: int
    arguments: tuple[Argument, ...]
    owner: object = None


class Routine:
    """Calls to be done in order.

    Args:
        calls: what they are; their arrays stay as they lie.
        moving: those of their arrays (the very objects) that may be others each time.

    Attributes:
        address: that of its words.
    """

    def __init__(self, calls: Sequence[Call], moving: Sequence[Array]) -> None:
        self._calls = calls  # which keep alive what the words lead to
        self._words = np.zeros(1 + _STEP * len(calls), np.int64)
        self._words[0] = len(calls)
        self.address = memory.address(self._words)
        self._tables: list[Array] = []
        # Where the addresses of the moving arrays are written.
        self._places: list[list[tuple[Array, int]]] = [[] for _ in moving]
        for step, call in enumerate(calls):
            at = 1 + step * _STEP
            self._words[at] = call.function
            for place, argument in enumerate(call.arguments, at + 1):
                if isinstance(argument, tuple):
                    table = np.zeros(len(argument), np.int64)
                    for row, array in enumerate(argument):
                        self._write(table, row, array, moving)
                    self._tables.append(table)
                    self._words[place] = memory.address(table)
                elif isinstance(argument, int):
                    self._words[place] = argument
                else:
                    self._write(self._words, place, argument, moving)

    def _write(self, words: Array, at: int, array: Array, moving: Sequence[Array]) -> None:
        words[at] = memory.address(array)
        for places, other in zip(self._places, moving, strict=True):
            if array is other:
                places.append((words, at))

    def move(self, *arrays: Array) -> None:
        """Take other arrays, laid out alike, in the places of those that move."""
        for places, array in zip(self._places, arrays, strict=True):
            address = memory.address(array)
            for words, at in places:
                words[at] = address


class Routines:
    """Routines that know nothing of each other: done one by one, or side by side.

    Args:
        routines: what they are.
        wakes: whether they last long enough to wake hands that sleep; those that are awake help
            in any case.
    """

    def __init__(self, routines: Sequence[Routine], *, wakes: bool = True) -> None:
        # To hands this is a kernel like any other, over an array of single bytes: they share it
        # out tile by tile. So each routine has a tile, which begins with its address.
        self._tiles = np.zeros((len(routines), TILE // 8), np.int64)
        self._tiles[:, 0] = [routine.address for routine in routines]
        self._routines = routines
        # See `sweep.py`: called by its entry alone, always worth a helper, one array of bytes.
        woken = 0 if wakes else _NEVER
        self._record = np.array([_routines_address(), 0, 0, 0, 1, woken, 0, 1, 1], np.int64)
        self._arrays = np.array([memory.address(self._tiles)], np.int64)
        self._scratch = np.zeros(TABLE, np.uint8)  # where tiles are taken as they lie, no more
        record, arrays, scratch = self._record, self._arrays, self._scratch
        self._addresses = memory.address(record), memory.address(arrays), memory.address(scratch)

    def __len__(self) -> int:
        return len(self._routines)

    def __call__(self, helpers: int) -> None:
        """Do them, with the help of so many hands, if there are that many; without the GIL."""
        helpers = min(helpers, hands.ready()) if helpers else 0
        size = TILE * len(self._routines)
        hands.native_share()(*self._addresses, DIRECT, 0, size, helpers)


@cache
def _routines_address() -> int:
    return assembled("routines", 4, _routines)


def _routines(code: Assembler, kernel: Word, arrays: Word, numbers: Word, count: Word) -> None:
    tiles = code.load(arrays)
    with code.loop(code.word(0), count, code.word(TILE)) as start:
        words = code.load(tiles + start)
        with code.loop(code.word(0), code.load(words)) as k:
            step = words + (k * _STEP + 1) * 8
            arguments = [code.load(step, 1 + place) for place in range(_MOST_ARGUMENTS)]
            code.call(code.load(step), arguments)
    code.give(0)
