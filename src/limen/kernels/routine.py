"""Native calls one after the other, by one call from Python and without the GIL.

A training step calls the same functions on the same arrays again and again. From Python each such
call costs a microsecond or two and, on several threads, the wait for a GIL that another thread
holds. What is called is known from the first step on: here it is written down once, as words, and
done as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen import memory
from limen.kernels.builtin import DATA, builtin, is_open, succeed
from limen.kernels.machine import Assembler, Word, python_function

__all__ = ["Call", "Routine", "is_open"]

Array = NDArray[Any]
Argument = int | Array | tuple[Array, ...]

_MOST_ARGUMENTS = 13
"""As many as a matrix product has. A function that takes fewer does not see the others: by the
calling conventions of all 64-bit systems, the caller clears them away."""

_STEP = 1 + _MOST_ARGUMENTS  # words: the function, and its arguments


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
    """Calls that are done in order, by calling it.

    Args:
        calls: what they are; where nothing else says so, their arrays stay as they lie.
        start: the array in `calls` (the very object) that may be another one each time.
    """

    def __init__(self, calls: Sequence[Call], start: Array) -> None:
        tables: dict[int, Array] = {}
        words = [len(calls)]
        moving: list[tuple[int, int]] = []
        for call in calls:
            arguments = [0] * _MOST_ARGUMENTS
            for place, argument in enumerate(call.arguments):
                at = len(words) + 1 + place
                if isinstance(argument, tuple):
                    table = np.array([memory.address(array) for array in argument], np.int64)
                    moving += [(at, k) for k, array in enumerate(argument) if array is start]
                    tables[at] = table
                    arguments[place] = memory.address(table)
                elif isinstance(argument, int):
                    arguments[place] = argument
                else:
                    moving += [(at, -1)] if argument is start else []
                    arguments[place] = memory.address(argument)
            words += [call.function, *arguments]
        self._run = builtin(_routine, words, (calls, tables))
        own: Array = self._run.__self__  # type: ignore[attr-defined]
        # Where the address of `start` is written.
        self._moving = [(own, at) if k < 0 else (tables[at], k) for at, k in moving]

    def begin_with(self, start: Array) -> None:
        """Take another array, laid out as the first one, in the place of `start`."""
        address = memory.address(start)
        for words, at in self._moving:
            words[at] = address

    def __call__(self) -> None:
        """Do the calls."""
        self._run()


def _routine(code: Assembler, self: Word, objects: Word, count: Word) -> None:
    words = code.load(self, DATA)
    state = code.call(python_function("PyEval_SaveThread"), [])
    with code.loop(code.word(0), code.load(words)) as k:
        step = words + (k * _STEP + 1) * 8
        arguments = [code.load(step, 1 + place) for place in range(_MOST_ARGUMENTS)]
        code.call(code.load(step), arguments)
    code.call(python_function("PyEval_RestoreThread"), [state])
    succeed(code)
