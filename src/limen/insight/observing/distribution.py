"""How numbers are distributed, from a stream of them, in constant memory.

The sketch is a histogram over the leading bits of a float32: sign, exponent and `MANTISSA_BITS` of
the mantissa, so every cell is as wide as a fixed share of its numbers. A quantile is therefore
right to a relative error, not an absolute one, as in DDSketch (Masson, Rim and Lee, "DDSketch: A
Fast and Fully-Mergeable Quantile Sketch with Relative-Error Guarantees", VLDB 2019), whose
logarithm is here one shift of the bits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RELATIVE_ERROR", "Distribution", "Sketch"]

Array = NDArray[Any]

MANTISSA_BITS = 5  # one more would halve the error and double the memory, 128 KiB a sketch
RELATIVE_ERROR = 2.0 ** -(MANTISSA_BITS + 1)
"""A quantile of the sketch is at most this share of it away from the true one."""

_SHIFT = 23 - MANTISSA_BITS  # a float32 has 23 bits of mantissa
_CELLS = 1 << (32 - _SHIFT)
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Distribution:
    """The numbers that a stream held, as far as a sketch remembers them.

    Moments are of the finite numbers. An empty distribution has NaN for all of them.

    Attributes:
        count: how many finite numbers there were.
        mean: their mean.
        spread: their standard deviation.
        low: the smallest.
        high: the largest.
        sparsity: the share of exact zeros among them.
        not_finite: how many infinities and NaN there were beside them.
        cells: `(cells, 2)`: where each cell of the sketch that holds a number begins and ends.
        counts: `(cells,)`: how many numbers each holds.

    Example:
        >>> import numpy as np
        >>> from limen.insight.observing import Distribution
        >>> Distribution.of(np.array([0.0, 0.0, 1.0, 3.0]))
        <4 numbers: mean 1, spread 1.22, from 0 to 3, 50.0% zeros>
    """

    count: int
    mean: float
    spread: float
    low: float
    high: float
    sparsity: float
    not_finite: int
    cells: Array = field(repr=False, compare=False)
    counts: Array = field(repr=False, compare=False)

    @classmethod
    def of(cls, numbers: Any) -> Distribution:
        """The distribution of one array."""
        sketch = Sketch()
        sketch.add(np.asarray(numbers))
        return sketch.distribution()

    def quantile(self, q: Any) -> Any:
        """The number below which a share `q` of them lies, to `RELATIVE_ERROR` of it.

        Args:
            q: a share from 0 to 1, or an array of them.
        """
        if not self.count:
            return np.full(np.shape(q), np.nan)[()]
        positions, below = self._staircase()
        return np.clip(np.interp(np.multiply(q, self.count), below, positions), self.low, self.high)

    def histogram(
        self, bins: int = 64, span: tuple[float, float] | None = None
    ) -> tuple[Array, Array]:
        """Bins of one width: what a picture shows.

        Args:
            bins: how many.
            span: where the first begins and the last ends; the smallest and the largest number
                if left out.

        Returns:
            The edges, `(bins + 1,)`, and the density, `(bins,)`: its integral is the share of the
            numbers that lie in the span.
        """
        low, high = span if span is not None else (self.low, self.high)
        if not self.count and span is None:
            low, high = 0.0, 1.0
        if not low < high:
            low, high = low - 0.5, low + 0.5
        edges = np.linspace(low, high, bins + 1)
        if not self.count:
            return edges, np.zeros(bins)
        positions, below = self._staircase()
        reached = np.interp(edges, positions, below, left=0.0, right=self.count)
        reached[0] = 0.0 if low <= self.low else reached[0]
        reached[-1] = self.count if high >= self.high else reached[-1]
        return edges, np.diff(reached) / (self.count * np.diff(edges))

    def _staircase(self) -> tuple[Array, Array]:
        """Numbers, and how many lie below each: rising within cells, flat between them."""
        after = np.cumsum(self.counts)
        below = np.stack([after - self.counts, after], axis=1)
        return self.cells.ravel(), below.ravel().astype(float)

    def __repr__(self) -> str:
        strange = f", and {self.not_finite:,} not finite" if self.not_finite else ""
        if not self.count:
            return f"<no numbers{strange}>"
        return (
            f"<{self.count:,} numbers: mean {self.mean:.3g}, spread {self.spread:.3g}, "
            f"from {self.low:.3g} to {self.high:.3g}, {self.sparsity:.1%} zeros{strange}>"
        )


class Sketch:
    """What is kept of a stream of numbers: 128 KiB, however long it is.

    Numbers beyond the range of float32 are counted in its last cells.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(_CELLS, np.int64)
        self.count = self.zeros = self.not_finite = 0
        self.mean = self.squares = 0.0  # the mean, and the sum of squared distances to it
        self.low, self.high = np.inf, -np.inf

    def add(self, numbers: Array) -> None:
        """Takes in an array of any shape and floating dtype."""
        finite = numbers.ravel()
        which = np.isfinite(finite)
        if not which.all():
            self.not_finite += finite.size - int(np.count_nonzero(which))
            finite = finite[which]
        if not finite.size:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(finite.mean(dtype=np.float64))
            self._move(finite.size, mean, float(finite.var(dtype=np.float64)) * finite.size)
        self.low, self.high = min(self.low, finite.min()), max(self.high, finite.max())
        self.zeros += finite.size - int(np.count_nonzero(finite))
        single = finite if finite.dtype == np.float32 else _as_float32(finite)
        keys = single.view(np.uint32) >> _SHIFT
        self.counts += np.bincount(keys.view(np.int32), minlength=_CELLS)

    def merge(self, other: Sketch) -> None:
        """Takes in what another sketch has taken in."""
        self.not_finite += other.not_finite
        if not other.count:
            return
        self._move(other.count, other.mean, other.squares)
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.zeros += other.zeros
        self.counts += other.counts

    def _move(self, size: int, mean: float, squares: float) -> None:
        """Merges means and squares (Chan, Golub and LeVeque 1979): no digits are lost."""
        together, apart = self.count + size, mean - self.mean
        with np.errstate(over="ignore", invalid="ignore"):
            self.mean += apart * size / together
            self.squares += squares + apart * apart * self.count * size / together
        self.count = together

    def distribution(self) -> Distribution:
        """What is known so far."""
        counts = _ascending(self.counts)
        held = np.flatnonzero(counts)
        count, nothing = self.count, not self.count
        return Distribution(
            count=count,
            mean=np.nan if nothing else self.mean,
            spread=np.nan if nothing else float(np.sqrt(self.squares / count)),
            low=np.nan if nothing else float(self.low),
            high=np.nan if nothing else float(self.high),
            sparsity=np.nan if nothing else self.zeros / count,
            not_finite=self.not_finite,
            cells=_cells()[held],
            counts=counts[held],
        )


def _as_float32(numbers: Array) -> Array:
    if numbers.dtype == np.float64:
        numbers = np.clip(numbers, -_LARGEST, _LARGEST)
    return numbers.astype(np.float32)


def _ascending(cells: Array) -> Array:
    """Cells in the order of their numbers: the bits of negative ones count downwards."""
    half = _CELLS // 2
    return np.concatenate([cells[half:][::-1], cells[:half]])


@cache
def _cells() -> Array:
    """Where each cell begins and ends, in ascending order."""
    sizes = (np.arange(_CELLS // 2 + 1, dtype=np.uint32) << _SHIFT).view(np.float32)
    with np.errstate(invalid="ignore"):
        sizes = np.nan_to_num(sizes.astype(np.float64), nan=_LARGEST, posinf=_LARGEST)
    positive = np.stack([sizes[:-1], sizes[1:]], axis=1)
    positive[0] = 0.0  # the cell of zero holds subnormal numbers too
    return np.concatenate([-positive[::-1, ::-1], positive])
