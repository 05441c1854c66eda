"""Checks the checker: faults are seeded into a kernel, and each that matters must be caught.

The faults go into the machine's own code: the compiled kernel is read back as LLVM instructions,
one of its constants (a coefficient, a threshold), comparisons or choices is changed, and the result
is compiled again. Further faults are in the numbers a kernel is called with (limits, parameters),
in what it does to special values, and in single inputs among many.

A mutant is caught if its certificate does not show 1 ULP. It is missed if it passes although one of
its results, beside the kernel's own, breaks that bound; the slow tier says whether it does. Else
it is harmless: a last bit that no float32 shows, or a branch that no input takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from limen.certify import exhaustive
from limen.certify.judge import judge
from limen.certify.line import Line
from limen.certify.measure import format_of
from limen.certify.pieces import Stretch
from limen.certify.splice import Variant, variants
from limen.certify.sweep import Kernel
from limen.function import ActivationFunction

__all__ = ["Row", "self_test", "thinned"]

_BOUND = 1.0
_SAMPLE = 96  # inputs at each end, and in the middle, of every piece
_SINGLE = 200  # single wrong results among all of bfloat16, and of each thinned piece


@dataclass(slots=True)
class Row:
    """What became of the faults of one kind."""

    seeded: int = 0
    caught: int = 0
    harmless: int = 0
    missed: int = 0


def self_test(
    function: ActivationFunction,
    progress: Callable[[int, int], object] | None = None,
    *,
    every: int = 1,
) -> dict[str, Row]:
    """Seeds hundreds of faults into the float32 kernels of a function's value and derivative.

    Args:
        function: a function of one input.
        progress: is told how many mutants are done, and of how many.
        every: only every so-many-th mutant, for a quick look.

    Returns:
        A row for each kind of fault.
    """
    report: dict[str, Row] = {}
    trials = [_Trial(function, order) for order in (0, 1)]
    mutants = [(trial, m) for trial in trials for m in list(trial.mutants())[::every]]
    for done, (trial, (kind, kernel)) in enumerate(mutants):
        row = report.setdefault(kind, Row())
        row.seeded += 1
        verdict = trial.verdict(kernel)
        setattr(row, verdict, getattr(row, verdict) + 1)
        if progress is not None:
            progress(done + 1, len(mutants))
    return report


class _Trial:
    """One kernel, what it gives on a thinned line, and its mutants."""

    def __init__(self, function: ActivationFunction, order: int) -> None:
        self._function = function
        self._order = order
        self._format = format_of("float32")
        self._line = Line(self._format)
        self._reference = exhaustive.reference_of(function, order)
        self._stretches = thinned(exhaustive.pieces_of(function, order, self._format))
        parts = [self._line.numbers(s.first, s.stop, s.negative) for s in self._stretches]
        special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], np.float32)
        self._x = np.concatenate([*parts, special])
        self._true = self._results(exhaustive.kernel_of(function, order))

    def mutants(self) -> Iterator[tuple[str, Kernel | Variant]]:
        """Kinds of faults, each with a kernel that has one."""
        yield from variants(self._function.derivative(self._order), self._format.name)
        own = exhaustive.kernel_of(self._function, self._order)
        for fault in (_flushed, _unsigned, _quiet, _capped, _swapped):
            yield "special values", _after(own, fault)
        finite = self._x[np.isfinite(self._x)]
        random = np.random.default_rng(self._order)
        for x in random.choice(finite, _SINGLE // 4, replace=False):
            yield "single inputs", _after(own, _off_at(x))

    def verdict(self, kernel: Kernel | Variant) -> str:
        """Whether a mutant is caught, harmless, or missed."""
        run = kernel.made() if isinstance(kernel, Variant) else kernel
        certificate = exhaustive.check(
            self._function, self._order, "float32", run, stretches=self._stretches
        )
        if not certificate.holds(_BOUND):
            return "caught"
        return "missed" if self._breaks(self._results(run)) else "harmless"

    def _results(self, kernel: Kernel) -> npt.NDArray[np.float32]:
        results = np.empty_like(self._x)
        kernel(self._x, results)
        return results

    def _breaks(self, results: npt.NDArray[np.float32]) -> bool:
        """Whether a result breaks the bound, beside the kernel's own or by the slow tier."""
        is_nan, was_nan = np.isnan(results), np.isnan(self._true)
        if (is_nan != was_nan).any() or (np.isinf(results) != np.isinf(self._true)).any():
            return True
        steps = np.abs(_ordinals(results) - _ordinals(self._true))
        (apart,) = np.nonzero((steps > 1) & ~is_nan)
        return any(_is_off(self, i, results) for i in apart[np.argsort(-steps[apart])][:64])


def _is_off(trial: _Trial, i: int, results: npt.NDArray[np.float32]) -> bool:
    x, result = float(trial._x[i]), float(results[i])
    if not math.isfinite(x):
        return True
    return judge(trial._reference, trial._format, x, result).error > _BOUND


def thinned(stretches: Sequence[Stretch], count: int = _SAMPLE) -> list[Stretch]:
    """The ends and the middle of each piece, as many inputs of each."""
    thin = []
    for s in stretches:
        if s.size <= 3 * count:
            thin.append(s)
            continue
        middle = (s.first + s.stop) // 2
        for first in (s.first, middle, s.stop - count):
            thin.append(replace(s, first=first, stop=first + count))
    return thin


def _ordinals(numbers: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """The places of numbers on the line of float32."""
    patterns = numbers.view(np.int32).astype(np.int64)
    return np.where(patterns < 0, -(patterns & 0x7FFFFFFF), patterns)


# --- Faults in results --------------------------------------------------------------------------

Fault = Callable[[npt.NDArray, npt.NDArray], None]


def _after(kernel: Kernel, fault: Fault) -> Kernel:
    """The kernel with a fault in what it writes."""

    def run(x: npt.NDArray, out: npt.NDArray) -> None:
        kernel(x, out)
        fault(x, out)

    return run


def _flushed(x: npt.NDArray, out: npt.NDArray) -> None:
    """Subnormal results are 0."""
    out[np.abs(out) < np.finfo(np.float32).tiny] = 0


def _unsigned(x: npt.NDArray, out: npt.NDArray) -> None:
    """Zeros and small numbers lose their sign."""
    small = np.abs(out) < np.float32(1e-30)
    out[small] = np.abs(out[small])


def _quiet(x: npt.NDArray, out: npt.NDArray) -> None:
    """NaN becomes 0."""
    out[np.isnan(x)] = 0


def _capped(x: npt.NDArray, out: npt.NDArray) -> None:
    """Infinite inputs give what the largest numbers give, and one more bit."""
    out[np.isinf(x)] = np.float32(0.75)


def _swapped(x: npt.NDArray, out: npt.NDArray) -> None:
    """The limits change sides."""
    out[np.isinf(x)] = -x[np.isinf(x)]


def _off_at(x0: np.float32) -> Fault:
    """Two numbers too far at a single input."""

    def fault(x: npt.NDArray, out: npt.NDArray) -> None:
        at = x == x0
        out[at] = np.nextafter(np.nextafter(out[at], np.float32(np.inf)), np.float32(np.inf))

    return fault
