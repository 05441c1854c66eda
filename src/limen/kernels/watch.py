"""Waiting a moment for another thread without going to sleep: to be woken takes longer.

A sleeping thread takes about 50 microseconds to wake where the CPU has gone to sleep with it, as on
virtual machines. So whoever expects a task, or the end of one, first looks at a word of memory for
about as long, without the GIL and with the CPU told that this is waiting; only then it sleeps.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from time import perf_counter

__all__ = ["Signal", "is_asked_for", "looks", "prepare"]

_PATIENCE = 1e-4  # seconds
_TIMED, _TRIALS = 300, 5  # looks, and how often so many


class Signal:
    """A number that one thread changes while others watch it."""

    def __init__(self) -> None:
        self._word = ctypes.c_int64(0)
        self._address = ctypes.addressof(self._word)

    @property
    def number(self) -> int:
        """What it says now."""
        return self._word.value

    @number.setter
    def number(self, number: int) -> None:
        self._word.value = number

    def watch(self, seen: int) -> None:
        """Returns when the number is another than the one seen, or after a moment."""
        if self._word.value == seen and _prepared is not None:
            look, looks = _prepared
            look(self._address, seen, looks)


_Look = Callable[[int, int, int], None]
_prepared: tuple[_Look, int] | None = None
_asked_for = False


def is_asked_for() -> bool:
    """Whether signals can be watched, or soon: until then, whoever waits sleeps at once."""
    return _asked_for


def prepare() -> None:
    """Compiles what watches, and measures how many looks take a moment; once."""
    global _prepared, _asked_for
    if _asked_for:
        return
    _asked_for = True
    look = _native_look()
    _prepared = look, _looks(look)


def looks() -> int:
    """How many looks take a moment; 0 before they have been measured."""
    return 0 if _prepared is None else _prepared[1]


def _native_look() -> _Look:
    """Looks at the word at an address, so many times at most; it releases the GIL."""
    # Only now: threads are also asked for by those who have no use for a compiler.
    from limen.kernels.machine import Assembler, Word, assembled

    def write(code: Assembler, address: Word, seen: Word, looks: Word) -> None:
        with code.loop(code.word(0), looks):
            with code.when(code.load_shared(address).differs(seen)):
                code.give(0)
            code.pause()
        code.give(0)

    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(assembled("watch", 3, write))


def _looks(look: _Look) -> int:
    """How many looks take as long as it may take to be woken."""
    word = ctypes.c_int64(0)

    def seconds() -> float:
        begun = perf_counter()
        look(ctypes.addressof(word), 0, _TIMED)
        return perf_counter() - begun

    # The shortest of a few: any of them may have waited for the GIL, or for a CPU.
    return max(1, int(_PATIENCE / min(seconds() for _ in range(_TRIALS)) * _TIMED))
