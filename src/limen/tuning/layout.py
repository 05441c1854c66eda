"""Lays 32 segments over the cells of a table, so that they serve as many inputs as can be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from limen.kernels.tuned.table import SEGMENTS, Table
from limen.tuning.root import fit_multiple_root
from limen.tuning.segment import (
    Form,
    Segment,
    fit_regular,
    fit_root,
    fit_tail,
    largest_error,
)
from limen.tuning.target import Reals, Target

__all__ = ["Grid", "Layout", "lay"]

# How inputs are spread: mostly as normalised layers have them, some wider.
_SPREADS = ((0.5, 1.0), (0.4, 3.0), (0.1, 6.0))
_SAMPLES = 48  # float32 numbers of each cell that a segment is tried on
_MANY = 6000  # and of one that is chosen
_MORE = 0.1  # ULP more than the tolerance that these may show
_CLOSE = 1e-30  # so near to a root at 0 it is tried as well


@dataclass(frozen=True, slots=True)
class Grid:
    """Equal cells over the line of numbers; the outer two reach to infinity."""

    count: int
    first: float
    scale: float

    @classmethod
    def over(cls, low: float, high: float, count: int, *, zero_is_edge: bool = False) -> Grid:
        """Cells of which all but the outer two lie between low and high, about."""
        width = (high - low) / (count - 2)
        first = 0 if low == 0 else max(1, round(-low / width) + 1)
        if zero_is_edge:
            return cls(count, first + 0.5, float(np.float32(1 / width)))
        return cls(count, first, float(np.float32(1 / width)))

    def edge(self, cell: int) -> float:
        """Where a cell begins."""
        return (cell - self.first - 0.5) / self.scale

    def weight(self, cell: int, is_folded: bool) -> float:
        """The share of all inputs that lies in a cell."""
        low = -math.inf if cell == 0 else self.edge(cell)
        high = math.inf if cell == self.count - 1 else self.edge(cell + 1)
        if is_folded:
            low = max(low, 0.0)
        share = sum(part * (_below(high / s) - _below(low / s)) for part, s in _SPREADS)
        return 2 * share if is_folded else share


def _below(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2


@dataclass(frozen=True, slots=True)
class Layout:
    """A table with what is expected of it.

    Attributes:
        table: the table.
        error: the largest error in ULP on the inputs that segments were tried on.
        share: the share of inputs that it serves.
    """

    table: Table
    error: float
    share: float


@dataclass(frozen=True, slots=True)
class _Run:
    """A segment over the cells from `start` to before `stop`."""

    start: int
    stop: int
    segment: Segment
    error: float


def lay(
    target: Target, grid: Grid, form: Form, tolerance: float, *, is_thorough: bool = True
) -> Layout:
    """The table that serves the largest share of inputs within an error.

    Args:
        target: the function.
        grid: the cells.
        form: the computation.
        tolerance: the error in ULP that segments may have.
        is_thorough: whether chosen segments are tried on many more inputs, and others chosen
            where those show more than the tolerance and a bit.
    """
    runs = list(_runs(target, grid, form, tolerance))
    weights = [grid.weight(cell, target.parity != "none") for cell in range(grid.count)]
    passed: set[_Run] = set()
    while True:
        chosen = _best_cover(runs, weights, SEGMENTS - 1)
        fresh = [run for run in chosen if run not in passed] if is_thorough else []
        doubtful = {r for r in fresh if _dense_error(target, grid, form, r) > tolerance + _MORE}
        passed.update(set(fresh) - doubtful)
        if not doubtful:
            break
        runs = [run for run in runs if run not in doubtful]
    served = sum(weights[cell] for run in chosen for cell in range(run.start, run.stop))
    table = _table(target, grid, form, chosen)
    first = min((run.start for run in chosen), default=0)
    if table.is_folded and first:
        table = replace(table, root=fit_multiple_root(target, grid.edge(first)))
        served += sum(weights[:first]) if table.root else 0.0
    return Layout(table, max((run.error for run in chosen), default=0.0), served)


def _runs(target: Target, grid: Grid, form: Form, tolerance: float) -> Iterator[_Run]:
    """Every run of cells with a segment that is good enough."""
    yield from _tails(target, grid, form, tolerance)
    lowest = 0 if target.parity != "none" else 1
    samples = {c: _samples(target, grid, c, _SAMPLES) for c in range(lowest, grid.count - 1)}
    values = {c: target(y) for c, y in samples.items()}
    for start in samples:
        for stop in range(start + 1, grid.count):
            run = _fitted(target, grid, form, start, stop)
            y = np.concatenate([samples[c] for c in range(start, stop)])
            value = np.concatenate([values[c] for c in range(start, stop)])
            error = np.inf if run is None else largest_error(run, form, y, value)
            if run is None or error > tolerance:
                # Beside a root, a run may have to reach over it before it is any good.
                if not any(grid.edge(start) < r < grid.edge(stop + 4) for r in target.roots):
                    break
                if stop - start > 12:
                    break
                continue
            yield _Run(start, stop, run, error)


def _tails(target: Target, grid: Grid, form: Form, tolerance: float) -> Iterator[_Run]:
    last = grid.count - 1
    right = fit_tail(target, grid.edge(last), 1.0, form, tolerance)
    if right is not None:
        yield _Run(last, last + 1, right, 0.0)
    if target.parity == "none":
        left = fit_tail(target, grid.edge(1), -1.0, form, tolerance)
        if left is not None:
            yield _Run(0, 1, left, 0.0)


def _fitted(target: Target, grid: Grid, form: Form, start: int, stop: int) -> Segment | None:
    low, high = grid.edge(start), grid.edge(stop)
    if target.parity != "none":
        low = max(low, 0.0)
    inside = [root for root in target.roots if low <= root <= high]
    if not inside:
        return fit_regular(target, low, high, form)
    return fit_root(target, inside[0], low, high, form) if len(inside) == 1 else None


def _dense_error(target: Target, grid: Grid, form: Form, run: _Run) -> float:
    """The largest error of a run on many more inputs."""
    if run.stop == grid.count or (run.start == 0 and target.parity == "none"):
        return 0.0  # a tail was tried out to infinity
    y = np.concatenate([_samples(target, grid, c, _MANY) for c in range(run.start, run.stop)])
    return largest_error(run.segment, form, y, target(y))


def _samples(target: Target, grid: Grid, cell: int, count: int) -> Reals:
    """Some float32 of a cell: evenly spread, at its ends, and ever closer to a root."""
    low, high = grid.edge(cell), grid.edge(cell + 1)
    if target.parity != "none":
        low = max(low, 0.0)
    random = np.random.default_rng(cell)
    spread = [np.linspace(low, high, 9), random.uniform(low, high, count)]
    for root in target.roots:
        if low <= root <= high:
            steps = np.geomspace(max(_CLOSE, abs(root) * 2.0**-24), high - low, 2 * count)
            spread += [root + steps, root - steps]
    y = np.concatenate(spread)
    y = np.unique(y[(low <= y) & (y <= high)].astype(np.float32)).astype(np.float64)
    nonzero: Reals = y[target(y) != 0]
    return nonzero


def _best_cover(runs: list[_Run], weights: list[float], most: int) -> list[_Run]:
    """At most so many runs, apart from one another, over the largest weight.

    Equal weights are settled by the smaller largest error.
    """
    total = np.concatenate([[0.0], np.cumsum(weights)])
    by_stop: dict[int, list[_Run]] = {}
    for run in runs:
        by_stop.setdefault(run.stop, []).append(run)
    none: tuple[float, float, tuple[_Run, ...]] = (0.0, 0.0, ())
    best = [[none] * (most + 1)]
    for stop in range(1, len(weights) + 1):
        row = list(best[-1])
        for run in by_stop.get(stop, ()):
            gain = float(total[run.stop] - total[run.start])
            for used in range(most):
                weight, worst, chosen = best[run.start][used]
                offer = (weight + gain, min(worst, -run.error), (*chosen, run))
                if offer[:2] > row[used + 1][:2]:
                    row[used + 1] = offer
        for used in range(most):
            row[used + 1] = max(row[used + 1], row[used], key=lambda entry: entry[:2])
        best.append(row)
    return list(best[-1][most][2])


def _table(target: Target, grid: Grid, form: Form, chosen: list[_Run]) -> Table:
    """The table of these runs; every other cell is left to the general tier."""
    blank = Segment(0.0, (math.nan, *[0.0] * form.degree))
    segments = [run.segment for run in chosen] + [blank] * (SEGMENTS - len(chosen))
    cells = [len(chosen)] * grid.count
    for place, run in enumerate(chosen):
        cells[run.start : run.stop] = [place] * (run.stop - run.start)
    return Table(
        parity=target.parity,
        scale=grid.scale,
        first=grid.first,
        cells=tuple(cells),
        centres=tuple(s.centre for s in segments),
        coefficients=tuple(zip(*(s.coefficients for s in segments), strict=True)),
        rests=tuple(s.rest for s in segments) if form.has_rests else None,
        offsets=tuple(s.offset for s in segments) if form.has_offsets else None,
        is_compensated=form.is_compensated,
        is_flow=form.is_flow,
        is_zero_unsigned=target.is_zero_unsigned,
    )
