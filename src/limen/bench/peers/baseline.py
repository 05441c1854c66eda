"""What everyone is measured against: a plain copy, or bare matrix products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.bench.case import Case, Elementwise, Step
from limen.bench.training import products

__all__ = ["make"]

_TRIES = 5
_LEAST = 1 << 14  # elements to a thread: below, handing over costs more than the copy


class Baseline:
    """A copy on one thread or on all of them, whichever is faster here."""

    version = np.__version__

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._used = 1
        self._pool = ThreadPoolExecutor(threads)

    def bind(self, case: Case) -> Callable[[], Any]:
        self._used = 1
        if isinstance(case, Step):
            bare: Callable[[], Any] = products(case)
            return bare
        count = copied_elements(case)
        source, target = np.ones(count, np.float32), np.empty(count, np.float32)
        alone = partial(np.copyto, target, source)
        if self._threads == 1 or count < _LEAST * self._threads:
            return alone
        slabs = [
            partial(np.copyto, to, of)
            for to, of in zip(
                np.array_split(target, self._threads),
                np.array_split(source, self._threads),
                strict=True,
            )
        ]
        together = partial(self._together, slabs)
        if _fastest(together) < _fastest(alone):
            self._used = self._threads
            return together
        return alone

    def spelling(self, case: Case) -> str:
        if isinstance(case, Step):
            return "numpy.matmul"
        return f"numpy.copyto, {self._used} thread{'s' * (self._used > 1)}"

    def fetch(self, result: Any) -> list[NDArray[Any]]:
        return []

    def _together(self, slabs: Sequence[Callable[[], None]]) -> None:
        wait([self._pool.submit(slab) for slab in slabs])


def copied_elements(case: Elementwise) -> int:
    """How long a copied array is that moves the bytes of a case: half are read, half written."""
    count = len(case.function().inputs)
    moved = count + 1 if case.direction == "forward" else 2 * count + 1
    return moved * case.elements // 2


def _fastest(call: Callable[[], Any]) -> float:
    times = []
    for _ in range(_TRIES):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return min(times)


def make(threads: int) -> Baseline:
    """The baseline of this process."""
    return Baseline(threads)
