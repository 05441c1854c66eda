"""Work that Ctrl-C must not tear: a compiler's own tables, threads that are half started."""

from __future__ import annotations

import _thread
import atexit
import os
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["undisturbed"]

Result = TypeVar("Result")

_unfinished: set[threading.Lock] = set()
"""Held until work that is not to be disturbed has ended."""


def undisturbed(work: Callable[[], Result]) -> Result:
    """Does work that must not be torn by Ctrl-C: the caller is interrupted, the work ends.

    Signals reach the main thread alone, so from there the work goes to another.
    """
    if threading.current_thread() is not threading.main_thread() or sys.is_finalizing():
        return work()
    results: list[Result] = []
    errors: list[BaseException] = []
    ended = threading.Lock()
    ended.acquire()

    def do() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            _unfinished.discard(ended)
            ended.release()

    _unfinished.add(ended)
    try:
        _thread.start_new_thread(do, ())
    except RuntimeError:  # the system gives no thread
        do()
    ended.acquire()
    if errors:
        raise errors.pop()
    return results.pop()


if hasattr(os, "register_at_fork"):  # a forked child has none of its parent's threads
    os.register_at_fork(after_in_child=_unfinished.clear)


@atexit.register
def _finish() -> None:
    """A compiler that goes on while Python takes itself apart could crash."""
    for ended in list(_unfinished):
        ended.acquire()
