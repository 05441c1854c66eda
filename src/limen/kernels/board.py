"""The words that callers and hands share: whose turn it is, what there is to do, who is asleep.

Hands (`hands.py`) are threads that do nothing but native work, without Python. One call at a time
has them; whoever finds the board taken works alone. Work in Python that has threads of its own, or
wants none, takes it too (`taken`), so that the kernels within ask for no more.

The locks are CPython's own (`PyThread_allocate_lock`): native code and Python can take the same
one.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable

from limen.kernels import threads

__all__ = ["BOARD", "taken"]

MOST = 64
"""How many threads may share a call, the caller among them."""

# Words of the board, in lines of eight: what several threads write is in a line of its own.
STATE = 0
TURN, STARTED, ALLOWED, VARIABLE, PATIENCE, YIELD, CREDIT, CALLS = range(8, 16)
RECORD, ARRAYS, HOW, SUMS, SIZE, PARTS, PART, PIECE = range(16, 24)
NEXT = 24  # for each part: the first element that nobody has taken
_HANDS = NEXT + 8 * MOST
ASLEEP, LOCK, THREAD = _HANDS, _HANDS + 1, _HANDS + 2  # for each hand
CPUS = _HANDS + 8 * MOST  # one bit for each CPU that hands may be on
CPU_WORDS = 16
_WORDS = CPUS + CPU_WORDS

# The state: how many hands are at work; whether there is work; the number of the work.
COUNT, OPEN, TICKET = (1 << 16) - 1, 1 << 16, 1 << 17

MOST_CREDIT = 4

_LINE = 64
_ENVIRONMENT = 32  # bytes of the variable that are compared: more is no number of threads


def _function(name: str, result: type | None, *arguments: type) -> Callable[..., int]:
    return ctypes.PYFUNCTYPE(result, *arguments)((name, ctypes.pythonapi))


_new_lock = _function("PyThread_allocate_lock", ctypes.c_void_p)
_acquire = _function("PyThread_acquire_lock", ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
_release = _function("PyThread_release_lock", None, ctypes.c_void_p)


class _Board:
    """The words, at an address that native code knows as a constant."""

    def __init__(self) -> None:
        self._memory = ctypes.create_string_buffer(8 * _WORDS + _LINE)
        self.address = -(-ctypes.addressof(self._memory) // _LINE) * _LINE
        self.words = (ctypes.c_int64 * _WORDS).from_address(self.address)
        self._variable = ctypes.create_string_buffer(_ENVIRONMENT)
        self._is_closed = False
        self.clear()

    def clear(self) -> None:
        """Nobody works and nobody waits: at first, and in a forked child, which has no hands."""
        patience, leave = self.words[PATIENCE], self.words[YIELD]
        ctypes.memset(self.address, 0, 8 * _WORDS)
        self.words[PATIENCE], self.words[YIELD] = patience, leave
        self.words[TURN], self.words[CREDIT] = _locked(False), MOST_CREDIT
        self.words[VARIABLE] = ctypes.addressof(self._variable)

    def add_hand(self) -> int:
        """The number of a further hand, which begins asleep."""
        number = self.words[STARTED]
        self.words[LOCK + 8 * number] = _locked(True)
        self.words[ASLEEP + 8 * number] = 1
        self.words[STARTED] = number + 1
        return int(number)

    def let_on(self, cpus: Iterable[int]) -> None:
        """Says on which CPUs hands may be."""
        masks = [0] * CPU_WORDS
        for cpu in cpus:
            if cpu < 64 * CPU_WORDS:
                masks[cpu // 64] |= 1 << cpu % 64
        for index, mask in enumerate(masks):
            self.words[CPUS + index] = ctypes.c_int64(mask).value

    def allow(self) -> int:
        """How many hands a call may have here. The quick way then allows all that are wanted."""
        said = os.environ.get(threads.VARIABLE, "").encode()[: _ENVIRONMENT - 1]
        self._variable.value = said
        if self._is_closed:
            return 0
        self.words[ALLOWED] = min(threads.wanted(), MOST) - 1
        return min(threads.available(), MOST) - 1

    def close(self) -> None:
        """No call has hands any more, and those that are awake go to sleep."""
        self._is_closed = True
        self.words[ALLOWED] = self.words[PATIENCE] = 0

    def are_asleep(self) -> bool:
        """Whether all hands are."""
        return all(self.words[ASLEEP + 8 * k] for k in range(self.words[STARTED]))

    def take(self) -> int:
        """Takes the turn, if nobody has it: then the lock, by which it is given back; else 0."""
        lock = int(self.words[TURN])
        return lock if _acquire(lock, 0) else 0

    def give_back(self, lock: int) -> None:
        """Ends the turn: that of this process, should a forked child end its parent's."""
        _release(lock)


def _locked(is_taken: bool) -> int:
    lock: int | None = _new_lock()
    if not lock:
        raise MemoryError("the system gives no lock")
    if is_taken:
        _acquire(lock, 0)
    return lock


BOARD = _Board()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=BOARD.clear)


class taken:  # noqa: N801 - as `contextlib.suppress`: it is used like a function
    """Within it, kernels find the hands engaged: the work has threads of its own, or wants none."""

    __slots__ = ("_lock",)

    def __enter__(self) -> None:
        self._lock = BOARD.take()

    def __exit__(self, *error: object) -> None:
        if self._lock:
            BOARD.give_back(self._lock)
