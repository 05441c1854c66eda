"""Tries a tuned kernel on float32 numbers by the hundred million: errors, and speed.

The general tier is within a hair of half an ULP. Where the tuned kernel gives the same number,
there is nothing to look at; where it gives another, the float64 kernel, which computes in pairs,
says how far it is from the exact value. A trial is no certificate: it finds out which tables are
worth one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.kernels.cache import Kernel
from limen.kernels.tuned.table import Table
from limen.tuning.target import Target, spacing

__all__ = ["Speed", "Trial", "Tried", "largest_product_error", "measure_speed", "try_inputs"]

Singles = NDArray[np.float32]
Progress = Callable[[float], None]

_BLOCK = 1 << 19
_SIGN = 1 << 31
_SMALL = 2.0**-30  # below, functions are their first term: few numbers tell as much as all
_SPARSE = 61  # every so many of those, and of what is left to the general tier or a tail


@dataclass(frozen=True, slots=True)
class Tried:
    """What a trial found.

    Attributes:
        inputs: how many float32 were tried.
        max_ulp: the largest error where the tiers differ; at least the general tier's own.
        worst_input: where it is.
        differing: how many results differ from the general tier's.
    """

    inputs: int
    max_ulp: float
    worst_input: float
    differing: int


@dataclass(frozen=True, slots=True)
class Trial:
    """The kernels of one direction, called on x alone."""

    target: Target
    general: Kernel
    tuned: Kernel
    numbers: tuple[float, ...]
    is_backward: bool

    def call(self, kernel: Kernel, x: Singles, out: Singles, grad: Singles) -> None:
        """Runs a kernel; a backward one with this gradient."""
        inputs = (grad, x) if self.is_backward else (x,)
        kernel(*inputs, out, *self.numbers)


def try_inputs(
    trial: Trial, table: Table, *, step: int = 1, progress: Progress | None = None
) -> Tried:
    """Compares the tiers where the table is at work, and here and there elsewhere.

    Args:
        trial: the kernels.
        table: what the tuned one computes with.
        step: 1 for every float32, more for every so many.
        progress: called with the share of inputs that are done.

    Returns:
        What was found; it ends with the first block in which an error is above 1 ULP.
    """
    worst, where, differing, done = 0.5, 0.0, 0, 0
    blocks = list(_blocks(table, step))
    for place, made in enumerate(blocks):
        x = made()
        general, tuned, one = np.empty_like(x), np.empty_like(x), np.ones_like(x)
        trial.call(trial.general, x, general, one)
        trial.call(trial.tuned, x, tuned, one)
        done += x.size
        other = np.flatnonzero(general.view(np.uint32) != tuned.view(np.uint32))
        other = other[~(np.isnan(general[other]) & np.isnan(tuned[other]))]
        if other.size:
            errors = _errors(trial.target, x[other], tuned[other], general[other])
            at = int(np.argmax(errors))
            differing += other.size
            if errors[at] > worst:
                worst, where = float(errors[at]), float(x[other[at]])
        if worst > 1.0:
            break
        if progress is not None:
            progress((place + 1) / len(blocks))
    return Tried(done, worst, where, differing)


def _blocks(table: Table, step: int) -> Iterator[Callable[[], Singles]]:
    """The inputs of a trial, block by block of bit patterns, each made when its turn comes."""
    ends = np.array([_SMALL, max(table.highest, -table.lowest)], np.float32).view(np.uint32)
    first, last = int(ends[0]), int(ends[1]) + _BLOCK
    for sign in (0, _SIGN):
        for start in range(0, _SIGN, _BLOCK):
            stride = step * (1 if first <= start < last else _SPARSE)
            yield partial(_numbers, sign + start, stride)


def _numbers(start: int, stride: int) -> Singles:
    return np.arange(start, start + _BLOCK, stride, dtype=np.int64).astype(np.uint32).view("f4")


def _errors(target: Target, x: Singles, tuned: Singles, general: Singles) -> NDArray[np.float64]:
    exact = target(x.astype(np.float64))
    with np.errstate(invalid="ignore", over="ignore"):
        errors = np.abs(tuned.astype(np.float64) - exact) / spacing(exact)
    is_special = ~np.isfinite(tuned) | ~np.isfinite(general) | ((tuned == 0) & (general == 0))
    # Where either is infinite, NaN, or 0 with another sign, only the general tier's bits will do.
    errors[is_special | np.isnan(errors)] = np.inf
    return errors


def largest_product_error(trial: Trial, count: int = 1 << 22) -> float:
    """The largest error in ULP of grad_output * f'(x), on random gradients and inputs."""
    random = np.random.default_rng(0)
    x = (2.5 * random.standard_normal(count)).astype(np.float32)
    grad = np.ldexp(random.uniform(-2, 2, count), random.integers(-40, 40, count))
    grad = grad.astype(np.float32)
    out = np.empty_like(x)
    trial.call(trial.tuned, x, out, grad)
    exact = grad.astype(np.float64) * trial.target(x.astype(np.float64))
    return float(np.max(np.abs(out - exact) / spacing(exact)))


# --- Speed -----------------------------------------------------------------------------------

_SIZE = 1 << 18  # numbers: more than a CPU learns the branches of by heart
_REPEATS = 9
_TIMES = 3  # in a round


@dataclass(frozen=True, slots=True)
class Speed:
    """Nanoseconds to an element, in cache, on one thread.

    Attributes:
        tuned, general: for normal inputs of standard deviation 1.
        tuned_wide, general_wide: of standard deviation 3.
        copy: a plain copy of the array.
    """

    tuned: float
    general: float
    tuned_wide: float
    general_wide: float
    copy: float

    @property
    def pays(self) -> bool:
        """Whether the tuned tier is faster on ordinary inputs, and no slower on wide ones."""
        return self.tuned < 0.9 * self.general and self.tuned_wide <= self.general_wide


def measure_speed(trial: Trial) -> Speed:
    """Measures both tiers and a copy side by side, the best of several rounds each."""
    random = np.random.default_rng(0)
    x = random.standard_normal(_SIZE, np.float32)
    wide = 3 * x
    grad = random.standard_normal(_SIZE, np.float32)
    out = np.empty_like(x)

    def run(kernel: Kernel, data: Singles) -> Callable[[], Any]:
        return lambda: trial.call(kernel, data, out, grad)

    timed = [
        run(trial.tuned, x),
        run(trial.general, x),
        run(trial.tuned, wide),
        run(trial.general, wide),
        lambda: np.copyto(out, x),
    ]
    best = [np.inf] * len(timed)
    for _ in range(_REPEATS):
        for place, function in enumerate(timed):
            best[place] = min(best[place], _seconds(function))
    return Speed(*(round(seconds / _SIZE * 1e9, 4) for seconds in best))


def _seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    for _ in range(_TIMES):
        function()
    return (time.perf_counter() - start) / _TIMES
