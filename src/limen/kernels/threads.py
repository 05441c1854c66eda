"""A small pool of threads for kernels, which fork and which callers may share.

OpenMP kills a forked child and spins against BLAS; Numba's own queue is not safe for concurrent
callers. Kernels release the GIL, so plain threads over slabs of the array are enough: they watch
for the next call for a moment and then sleep, a forked child starts its own, and any number of
callers may use them at once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

from limen.kernels.watch import Signal

__all__ = ["alone", "available", "run", "undisturbed"]

Task = Callable[[], None]
Result = TypeVar("Result")


def available() -> int:
    """How many threads kernels may use: $LIMEN_NUM_THREADS, else the CPUs of this process.

    One, within a task: its fellows have the others.
    """
    if getattr(_local, "is_in_task", False):
        return 1
    wanted = os.environ.get("LIMEN_NUM_THREADS", "")
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_local = threading.local()


def alone(task: Task) -> None:
    """Runs a task that asks for no threads: in the pool, it would wait for those that wait for it.

    Beside a BLAS whose threads spin, it would wait for a CPU.
    """
    before, _local.is_in_task = getattr(_local, "is_in_task", False), True
    try:
        task()
    finally:
        _local.is_in_task = before


class _Call:
    """One caller's tasks in flight: counts down, keeps the first error, wakes the caller."""

    def __init__(self, tasks: int) -> None:
        self._left = tasks
        self._ended = Signal()
        self._lock = threading.Lock()
        self._done = threading.Event()
        self.error: BaseException | None = None

    def finish(self, error: BaseException | None) -> None:
        with self._lock:
            self._left -= 1
            self.error = self.error or error
            if self._left == 0:
                self._done.set()
                self._ended.number = 1

    def wait(self) -> None:
        """Waits for the last task whatever happens: they write to the caller's arrays."""
        interruption: BaseException | None = None
        self._ended.watch(0)
        while not self._done.is_set():
            try:
                self._done.wait()
            except BaseException as error:
                interruption = error
        found = self.error or interruption
        if found is not None:
            raise found


class _Workers:
    """Daemon threads that take tasks from one queue; started when first needed."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[Task, _Call]] = SimpleQueue()
        self._submitted = Signal()
        self._lock = threading.Lock()
        self._count = 0

    def submit(self, tasks: list[Task]) -> _Call:
        call = _Call(len(tasks))
        self._start(len(tasks))
        for task in tasks:
            self._queue.put((task, call))
        self._submitted.number += 1  # a count that two callers might tear, but it changes
        return call

    def _start(self, wanted: int) -> None:
        with self._lock:
            while self._count < min(wanted, available()):
                self._count += 1
                name = f"limen-kernel-{self._count}"
                threading.Thread(target=self._serve, name=name, daemon=True).start()

    def _serve(self) -> None:
        while True:
            seen = self._submitted.number
            if self._queue.empty():
                self._submitted.watch(seen)
            task, call = self._queue.get()
            error: BaseException | None = None
            try:
                alone(task)
            except BaseException as found:
                error = found
            del task  # the arrays it holds must not live until the next one comes
            call.finish(error)
            del call, error


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
    call = _workers.submit(others) if others else None
    try:
        if others:
            alone(own)
        else:
            own()
    finally:
        if call is not None:
            call.wait()


def undisturbed(work: Callable[[], Result]) -> Result:
    """Does work that must not be torn by Ctrl-C: the caller is interrupted, the work ends.

    Signals reach the main thread alone, so from there the work goes to another.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    outcome: Future[Result] = Future()

    def do() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=do, name="limen-compiler").start()
    return outcome.result()
