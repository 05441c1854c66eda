"""Tries a tuned kernel on float32 numbers by the hundred million: errors, and speed.

The general tier is within a hair of half an ULP. Where the tuned kernel gives the same number,
there is nothing to look at; where it gives another, the float64 kernel, which computes in pairs,
says how far it is from the exact value. A trial is no certificate: it finds out which tables are
worth one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limen.formula.definition import GATED, PLAIN
from limen.kernels.cache import Kernel
from limen.kernels.tuned.powers import Tuned
from limen.tuning.target import Target, spacing, worst_factors

__all__ = ["Speed", "Trial", "Tried", "largest_product_error", "measure_speed", "try_inputs"]

Singles = NDArray[np.float32]
Progress = Callable[[float], None]

_BLOCK = 1 << 19
_SIGN = 1 << 31
_SMALL = 2.0**-30  # below, functions are their first term: few numbers tell as much as all
_LEAST_SHORT, _MOST_SHORT = 2.0**-22, 2.0**-6  # of factors: see `worst_factors`
_LARGEST = float(np.finfo(np.float32).max)
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
    """The kernels of one direction, called on x, and on what the function is multiplied with.

    Attributes:
        target: the function, which the first output is, or is a multiple of.
        general, tuned: the kernels of both tiers.
        numbers: what they are called with.
        inputs: the names of the arrays they read.
        outputs: how many arrays they write.
    """

    target: Target
    general: Kernel
    tuned: Kernel
    numbers: tuple[float, ...]
    inputs: tuple[str, ...]
    outputs: int = 1

    @property
    def factors(self) -> int:
        """How many of the inputs the function is multiplied with: gradients, and gates' values."""
        return len(self.inputs) - 1

    def call(
        self, kernel: Kernel, x: Singles, outputs: Sequence[Singles], factors: Sequence[Singles]
    ) -> None:
        """Runs a kernel."""
        left = iter(factors)
        arrays = [x if name in (PLAIN[0], GATED[0]) else next(left) for name in self.inputs]
        kernel(*arrays, *outputs, *self.numbers)


def try_inputs(
    trial: Trial, table: Tuned, *, step: int = 1, progress: Progress | None = None
) -> Tried:
    """Compares the tiers where the table is at work, and here and there elsewhere.

    Args:
        trial: the kernels, of x alone.
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
        general, tuned = np.empty_like(x), np.empty_like(x)
        trial.call(trial.general, x, [general], [])
        trial.call(trial.tuned, x, [tuned], [])
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


def _blocks(table: Tuned, step: int) -> Iterator[Callable[[], Singles]]:
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


def largest_product_error(
    trial: Trial, table: Tuned, *, step: int = 1, progress: Progress | None = None
) -> float:
    """The largest error in ULP of a product with the function, where errors count most.

    It is tried on the inputs of `try_inputs`, and ends as that does.

    Args:
        trial: the kernels, of x and of factors.
        table: what the tuned one computes with.
        step: 1 for every float32, more for every so many.
        progress: called with the share of inputs that are done.
    """
    random = np.random.default_rng(0)
    worst = 0.0
    blocks = list(_blocks(table, step))
    for place, made in enumerate(blocks):
        with np.errstate(invalid="ignore", over="ignore", under="ignore"):
            worst = max(worst, _product_error(trial, made(), random))
        if worst > 1.0:
            break
        if progress is not None:
            progress((place + 1) / len(blocks))
    return worst


def _product_error(trial: Trial, x: Singles, random: np.random.Generator) -> float:
    exact = trial.target(x.astype(np.float64))
    factors: list[Singles] = []
    for left in range(trial.factors, 0, -1):
        # All but the last are anything; it decides where the product lies.
        beside = exact if left == 1 else random.uniform(0.5, 1.0, x.size)
        factors.append(worst_factors(beside, random.uniform(_LEAST_SHORT, _MOST_SHORT, x.size)))
        exact = factors[-1].astype(np.float64) * exact
    results = [np.empty_like(x) for _ in range(trial.outputs)]
    trial.call(trial.tuned, x, results, factors)
    # At infinity a function of two inputs has no limit to give.
    counts = np.isfinite(x) & (np.abs(exact) <= _LARGEST) & (exact != 0)
    errors = np.abs(results[0][counts] - exact[counts]) / spacing(exact[counts])
    return float(np.max(np.nan_to_num(errors, nan=np.inf), initial=0.0))


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
    factors = [random.standard_normal(_SIZE, np.float32) for _ in range(trial.factors)]
    outputs = [np.empty_like(x) for _ in range(trial.outputs)]

    def run(kernel: Kernel, data: Singles) -> Callable[[], Any]:
        return lambda: trial.call(kernel, data, outputs, factors)

    timed = [
        run(trial.tuned, x),
        run(trial.general, x),
        run(trial.tuned, wide),
        run(trial.general, wide),
        lambda: np.copyto(outputs[0], x),
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
