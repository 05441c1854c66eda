"""Keeps the threads of a call on CPUs of their own, where it has as many as there are CPUs.

Linux likes to wake a thread where its waker is. Two threads that hand Python's lock to and fro end
up on one CPU, and each waits for it half of the time: after a pause, a training step of 1,024
samples and width 256 took 8.8 milliseconds on two threads, so 5.8. Where CPUs are to spare, Linux
finds them by itself.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache

__all__ = ["Apart"]


@cache
def _current_cpu() -> Callable[[], int] | None:
    """A function that says on which CPU the calling thread is; None where there is no way."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    with suppress(AttributeError, OSError, TypeError):
        return ctypes.PYFUNCTYPE(ctypes.c_int)(("sched_getcpu", ctypes.CDLL(None)))
    return None


class Apart:
    """The caller stays where it is, and helpers stay away from there.

    Ctrl-C may come between any two of the caller's instructions: whoever has called `stay` calls
    `leave` until it `is_kept` no more.

    Args:
        threads: how many there are, the caller among them.
    """

    __slots__ = ("_cpus", "_own", "_threads")

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._cpus: set[int] = set()
        self._own = -1

    @property
    def is_kept(self) -> bool:
        """Whether the caller may be on one CPU alone."""
        return self._own >= 0

    def stay(self) -> None:
        """Keeps the calling thread on its CPU, if all are taken."""
        current = _current_cpu()
        if current is None:
            return
        self._cpus, own = os.sched_getaffinity(0), current()
        if len(self._cpus) == self._threads and own in self._cpus:
            self._own = own
            with suppress(OSError):
                os.sched_setaffinity(0, {own})

    def leave(self) -> None:
        """Lets it go where it could before."""
        with suppress(OSError):
            os.sched_setaffinity(0, self._cpus)
        self._own = -1

    def help(self) -> None:
        """To be called by a helper's thread, which is limen's own, when it begins."""
        own = self._own
        if own >= 0:
            with suppress(OSError):
                os.sched_setaffinity(0, self._cpus - {own})
