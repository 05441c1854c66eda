"""A small pool of threads for kernels, which fork and which callers may share.

OpenMP kills a forked child and spins against BLAS; Numba's own queue is not safe for concurrent
callers. Kernels release the GIL, so plain threads over slabs of the array are enough: they watch
for the next call for a moment and then sleep, a forked child starts its own, and any number of
callers may use them at once.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue

from limen.kernels import watch
from limen.kernels.placement import Apart
from limen.kernels.undisturbed import undisturbed
from limen.kernels.watch import Signal

__all__ = [
    "VARIABLE",
    "alone",
    "at_most",
    "available",
    "is_in_task",
    "run",
    "wanted",
]

Task = Callable[[], None]

VARIABLE = "LIMEN_NUM_THREADS"


def is_in_task() -> bool:
    """Whether this thread does a task, beside others or alone."""
    return getattr(_local, "is_in_task", False)


def available() -> int:
    """How many threads kernels may use here: as many as `wanted`, no more than `at_most` says.

    One, within a task: its fellows have the others.
    """
    if is_in_task():
        return 1
    most: int | None = getattr(_local, "most", None)
    return wanted() if most is None else min(most, wanted())


def wanted() -> int:
    """How many threads there may be: $LIMEN_NUM_THREADS, else the CPUs of this process."""
    said = os.environ.get(VARIABLE, "")
    if said.isdecimal() and int(said) > 0:
        return int(said)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_local = threading.local()


@contextmanager
def at_most(most: int) -> Iterator[None]:
    """What this thread calls in here takes no more threads: those of a framework, say."""
    before, _local.most = getattr(_local, "most", None), most
    try:
        yield
    finally:
        _local.most = before


def alone(task: Task) -> None:
    """Runs a task that asks for no threads: in the pool, it would wait for those that wait for it.

    Beside a BLAS whose threads spin, it would wait for a CPU.
    """
    before, _local.is_in_task = is_in_task(), True
    try:
        task()
    finally:
        _local.is_in_task = before


class _Call:
    """One caller's tasks in flight: counts down, keeps the first error, wakes the caller.

    Ctrl-C may come between any two of the caller's instructions. So tasks are handed out under a
    lock, and the end is a bare lock: `threading.Event` could be left with one of its own held.
    """

    def __init__(self, tasks: list[Task], place: Apart) -> None:
        self._place = place
        self.is_over = False  # plain: asking `_ended` is a call, after which Ctrl-C may come
        self.error: BaseException | None = None
        self._waiting = tasks
        self._left = len(tasks)
        self._lock = threading.Lock()
        self._ended = Signal()
        self._done = threading.Lock()
        self._done.acquire()

    def serve(self) -> None:
        """Does the next task, if one is waiting."""
        with self._lock:
            task = self._waiting.pop() if self._waiting else None
        if task is None:
            return
        error: BaseException | None = None
        try:
            self._place.help()
            alone(task)
        except BaseException as found:
            error = found
        del task  # the arrays it holds must not live as long as the call
        self._count_down(1, error)

    def abandon(self, error: BaseException) -> None:
        """Takes back the tasks that nobody has begun."""
        with self._lock:
            taken_back, self._waiting = self._waiting, []
        self._count_down(len(taken_back), error)

    def _count_down(self, tasks: int, error: BaseException | None) -> None:
        with self._lock:
            self._left -= tasks
            self.error = self.error or error
            if self._left == 0 and not self.is_over:
                self.is_over = True
                self._ended.number = 1
                self._done.release()

    def wait(self) -> None:
        """Waits for the last task, unless interrupted."""
        self._ended.watch(0)
        self._done.acquire()


class _Workers:
    """Daemon threads that serve calls from one queue; started when first needed."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[_Call] = SimpleQueue()
        self._submitted = Signal()
        self._lock = threading.Lock()
        self._count = 0

    def start(self, wanted: int) -> bool:
        """Whether there is anyone to serve: fewer than wanted where the system gives no more."""
        with self._lock, suppress(RuntimeError):
            while self._count < min(wanted, available()):
                # Not `threading.Thread`: Ctrl-C within its `start` could leave locks of its held.
                _thread.start_new_thread(self._serve, ())
                self._count += 1
        return self._count > 0

    def submit(self, call: _Call, tasks: int) -> None:
        """Asks for so many workers for a call."""
        for _ in range(tasks):
            self._queue.put(call)
        self._submitted.number += 1  # a count that two callers might tear, but it changes

    def _serve(self) -> None:
        while True:
            seen = self._submitted.number
            if self._queue.empty():
                self._submitted.watch(seen)
            self._queue.get().serve()


_workers = _Workers()


def _forget() -> None:
    """A forked child has none of its parent's threads, and perhaps its locks held."""
    global _workers
    _workers = _Workers()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def run(tasks: list[Task]) -> None:
    """Runs the tasks at once, the last in the calling thread; returns when all are done.

    Raises:
        BaseException: the first error of any task, after all have ended.
    """
    *others, own = tasks
    if not others:
        own()
        return
    if sys.is_finalizing():  # called by someone's `__del__`: Python's end stops all other threads
        for task in tasks:
            alone(task)
        return
    if not watch.is_asked_for():
        undisturbed(watch.prepare)
    hands = len(others)
    if not _workers.start(hands):
        for task in tasks:
            alone(task)
        return
    place = Apart(len(tasks))
    call = _Call(others, place)
    try:
        place.stay()
        _workers.submit(call, hands)
        alone(own)
    except BaseException as error:
        call.abandon(error)
    while not call.is_over or place.is_kept:  # whatever happens: tasks write to its arrays
        try:
            if not call.is_over:
                call.wait()
            if place.is_kept:
                place.leave()
        except BaseException as error:
            call.error = call.error or error
    found = call.error
    if found is not None:
        try:
            raise found
        finally:
            del found, call  # an error that its own traceback leads to would keep the arrays
