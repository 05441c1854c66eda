"""The fast tier at work: a kernel runs over the whole line on all threads, piece by piece."""

from __future__ import annotations

import heapq
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from limen.certify.compare import TILE, Finding, compare
from limen.certify.line import Line
from limen.certify.pieces import Nowhere, Open, Overflow, Piece, Stretch
from limen.certify.profile import Profile
from limen.certify.waves import Wave

__all__ = ["Found", "Kernel", "Progress", "Sweep"]

Kernel = Callable[[npt.NDArray, npt.NDArray], object]
"""Reads its first array and writes its second."""

Progress = Callable[[int, int], object]
"""Told how many inputs are done, and of how many."""

_TASK = 1 << 21  # inputs a thread takes at a time
_FEW_OPEN = 256  # inputs that no piece covers, of one stretch, that the slow tier judges
_WORST = 1 << 10  # candidates for the largest error


class Sweep:
    """One pass of a kernel over stretches of the line.

    Args:
        line: the numbers of the format.
        kernel: what to run.
        threads: on how many threads.
        progress: is told how many inputs are done, and of how many.
    """

    def __init__(self, line: Line, kernel: Kernel, threads: int, progress: Progress | None) -> None:
        self._line = line
        self._kernel = kernel
        self._threads = threads
        self._progress = progress or (lambda done, of: None)
        self._stop = threading.Event()
        self._local = threading.local()

    def over(self, stretches: Sequence[Stretch]) -> Found:
        """Runs the kernel over the stretches, and compares."""
        total = sum(s.size for s in stretches)
        found, done = Found(), 0
        with ThreadPoolExecutor(self._threads, thread_name_prefix="limen-certify") as executor:
            try:
                for finding in _in_flight(executor, self._check, _tasks(stretches), self._threads):
                    found.add(finding)
                    done += finding.finding.inputs + finding.skipped
                    self._progress(done, total)
            except BaseException:
                self._stop.set()
                raise
        return found

    def _check(self, stretches: list[Stretch]) -> Found:
        found = Found()
        for stretch in stretches:
            if self._stop.is_set():
                break
            if isinstance(stretch, Open):
                self._sample(stretch, found)
                continue
            for first in range(stretch.first, stretch.stop, TILE):
                stop = min(first + TILE, stretch.stop)
                x = self._line.numbers(first, stop, stretch.negative)
                self._compare(stretch, x, found)
        return found

    def _compare(self, stretch: Stretch, x: npt.NDArray, found: Found) -> None:
        results = self._run(x)
        wide, bounds = self._wide(x), self._buffer("bounds", np.dtype(np.float64))
        if isinstance(stretch, Piece | Wave):
            found.take(compare(stretch, self._line.format, wide, self._wide(results), bounds))
        else:
            found.take(_against_one_result(stretch, wide, self._wide(results)))

    def _sample(self, stretch: Open, found: Found) -> None:
        """Hands inputs that no piece covers to the slow tier: all of a few, some of many."""
        if stretch.size <= _FEW_OPEN:
            at = np.arange(stretch.first, stretch.stop)
        else:
            random = np.random.default_rng(stretch.first)
            at = random.integers(stretch.first, stretch.stop, _FEW_OPEN)
            at = np.unique(np.append(at, [stretch.first, stretch.stop - 1]))
        x = self._line.at(at, stretch.negative)
        results = self._run(x)
        numbers = zip(self._wide(x).tolist(), self._wide(results).tolist(), strict=True)
        found.take(Finding(len(x), open=[(at, result, math.inf) for at, result in numbers]))
        found.skipped += stretch.size - len(x)

    def _run(self, x: npt.NDArray) -> npt.NDArray:
        results = self._buffer("results", x.dtype)[: len(x)]
        self._kernel(x, results)
        return results

    def _wide(self, numbers: npt.NDArray) -> npt.NDArray[np.float32]:
        return numbers.astype(np.float32, copy=False)

    def _buffer(self, name: str, dtype: np.dtype[Any]) -> npt.NDArray:
        """A tile's working space, kept by the thread."""
        kept = self._local.__dict__
        if name not in kept:
            kept[name] = np.empty(TILE, dtype)
        found: npt.NDArray = kept[name]
        return found


@dataclass(slots=True)
class Found:
    """What a pass has found: sums, and the inputs that may be the worst.

    Attributes:
        finding: the sums, with all inputs in doubt.
        skipped: how many inputs were passed over.
        worst: for the tiles with the largest bounds: the bound, the input, and the result; a heap.
        profile: the worst error along the line.
    """

    finding: Finding = field(default_factory=Finding)
    skipped: int = 0
    worst: list[tuple[float, float, float]] = field(default_factory=list)
    profile: Profile = field(default_factory=Profile)

    def take(self, finding: Finding) -> None:
        """Takes a tile's findings in."""
        self.finding.add(finding)
        if not math.isnan(finding.at[0]):
            self._candidates([(finding.largest, *finding.at)])
            self.profile.take(finding.at[0], finding.largest)

    def add(self, other: Found) -> None:
        """Takes another pass's findings in."""
        self.finding.add(other.finding)
        self.skipped += other.skipped
        self._candidates(other.worst)
        self.profile.add(other.profile)

    def _candidates(self, more: Sequence[tuple[float, float, float]]) -> None:
        for candidate in more:
            if len(self.worst) < _WORST:
                heapq.heappush(self.worst, candidate)
            elif candidate > self.worst[0]:
                heapq.heapreplace(self.worst, candidate)


def _tasks(stretches: Sequence[Stretch]) -> Iterator[list[Stretch]]:
    """The stretches in portions of about `_TASK` inputs."""
    portion: list[Stretch] = []
    size = 0
    for stretch in stretches:
        step = _TASK if not isinstance(stretch, Open) else stretch.size
        for first in range(stretch.first, stretch.stop, step):
            stop = min(first + step, stretch.stop)
            portion.append(replace(stretch, first=first, stop=stop))
            size += 1 if isinstance(stretch, Open) else stop - first
            if size >= _TASK:
                yield portion
                portion, size = [], 0
    if portion:
        yield portion


def _in_flight(
    executor: ThreadPoolExecutor,
    work: Callable[[list[Stretch]], Found],
    tasks: Iterator[list[Stretch]],
    threads: int,
) -> Iterator[Found]:
    """The results of tasks as they come, never more than a few tasks waiting."""
    waiting: set[Future[Found]] = set()
    for task in tasks:
        waiting.add(executor.submit(work, task))
        if len(waiting) > 2 * threads:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    for future in waiting:
        yield future.result()


def _against_one_result(
    stretch: Stretch, x: npt.NDArray[np.float32], results: npt.NDArray[np.float32]
) -> Finding:
    """Inputs that all have one right result: an infinity, or NaN off the formula's domain."""
    if isinstance(stretch, Overflow):
        is_right = results == np.float32(stretch.sign * np.inf)
    else:
        is_a_derivative = isinstance(stretch, Nowhere) and stretch.order > 0
        is_right = np.isnan(results) | is_a_derivative
    right = int(np.count_nonzero(is_right))
    finding = Finding(len(x), correct=right, wrong=len(x) - right)
    if finding.wrong:
        worst = int(np.argmin(is_right))
        finding.largest = math.inf
        finding.at = float(x[worst]), float(results[worst])
    return finding
