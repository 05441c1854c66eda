"""The backward pass of a function from its output, and from which side of its extrema it was on.

Between two extrema a function never turns, so its output says where it was, and hence the slope.
The next layer keeps the output as well: it costs nothing. What it costs is digits: the output has
been rounded, and the slope is read off a table.
"""

from __future__ import annotations

import math
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from limen.function import ActivationFunction
from limen.kernels.code_loops import CODES, PER_BYTE, flow_by_output, pack_pieces, wide

__all__ = ["Inverse"]

_FAR = 32.0  # where the table ends: beyond, the slope is taken to be what it is there
_FARTHEST = 2.0**64  # where the error is measured last: it goes to a limit, as the slope does
_STEPS = 1 << 11  # points in a unit of x that the table is made from
_CELLS, _MOST_PARTS = 1 << 8, 1 << 10
_CLOSE = 2.0**-23  # of the largest slope: so far a line between two entries may be off
_TRIED = 200_001  # points where the error is measured, few of them the table's own
_BESIDE = 4e-3  # of an extremum: there the rounding of the output costs most

Array = NDArray[Any]


class _Tables(NamedTuple):
    """The slopes of all pieces, by place; a piece is a stretch from one bound to the next.

    The places of a piece are cut into cells of equal width, and each of these into as many equal
    parts as its slopes need: finding one takes two steps, however steep they are.

    Attributes:
        turns: for each piece the value at its extremum; NaN without one. Beside it the slope goes
            as the root of the distance from that value, and so do the places.
        origins: the first place of each piece.
        scales: how many cells there are for a unit of place.
        starts: where the slopes of each cell begin, the cells of all pieces in a row.
        parts: how many parts each cell has.
        slopes: the derivative at the edges of the parts, cell by cell.
    """

    turns: Array
    origins: Array
    scales: Array
    starts: Array
    parts: Array
    slopes: Array


class Inverse:
    """The slope of a function as a function of its output.

    Args:
        function: a function of one input.
    """

    keeps_output = True

    def __init__(self, function: ActivationFunction) -> None:
        self._function = function

    def is_possible(self) -> bool:
        """Whether it turns a few times only, and its slope has limits."""
        f = self._function
        if f.surrogate_function is not None or not isinstance(f.extrema, tuple):
            return False
        ends = (*f.derivative().limits, f.derivative().lipschitz)
        if f.kinks or not all(isinstance(end, float) and math.isfinite(end) for end in ends):
            return False
        return len(self._bounds) < CODES

    @property
    def keeps_codes(self) -> bool:
        """Whether there is more than one piece."""
        return len(self._bounds) > 0

    @property
    def describes(self) -> str:
        """What is kept, and what it costs."""
        kept = "the output and 2 bits kept an element" if self.keeps_codes else "the output kept"
        within = f"within {_rounded_up(self.error)} of the largest slope in float32"
        return f"compact: {kept}, gradient {within}"

    @cached_property
    def error(self) -> float:
        """The largest error of a slope in float32, as a share of the largest slope."""
        beside = [t + np.linspace(-_BESIDE, _BESIDE, _TRIED) for t in self._turns]
        beyond = np.geomspace(_FAR, _FARTHEST, _TRIED)
        x = np.concatenate([np.linspace(-_FAR, _FAR, _TRIED), *beside, -beyond, beyond])
        x = x.astype(np.float32)
        exact = self._function.derivative()(x.astype(np.float64))
        found, held = np.empty_like(x), np.empty(-(-x.size // PER_BYTE), np.uint8)
        self.keep(x, held)
        self.hand_on(np.ones_like(x), held, self._function(x), found)
        return float(np.abs(found - exact).max() / np.abs(exact).max())

    @cached_property
    def _bounds(self) -> Array:
        """Where one piece ends and the next begins: extrema, and a place between any two."""
        turns = self._turns
        return np.sort([*turns, *(turns[:-1] + turns[1:]) / 2])

    @cached_property
    def _turns(self) -> Array:
        extrema = self._function.extrema
        return np.array([e.x for e in extrema]) if isinstance(extrema, tuple) else np.array([])

    @cached_property
    def _tables(self) -> _Tables:
        ends = [-_FAR, *self._bounds, _FAR]
        turns, places, slopes = zip(*(self._piece(a, b) for a, b in pairwise(ends)), strict=True)
        cells = [cell for piece in zip(places, slopes, strict=True) for cell in _cells(*piece)]
        return _Tables(
            turns=np.array(turns),
            origins=np.array([p[0] for p in places]),
            scales=np.array([_CELLS / (p[-1] - p[0]) for p in places]),
            starts=np.cumsum([0, *(cell.size for cell in cells[:-1])]),
            parts=np.array([cell.size - 1.0 for cell in cells]),
            slopes=np.concatenate(cells),
        )

    def _piece(self, start: float, stop: float) -> tuple[float, Array, Array]:
        """Its turn, its places, increasing, and its slopes."""
        x = np.linspace(start, stop, int((stop - start) * _STEPS) + 2)
        turn = next((self._function(t) for t in (start, stop) if t in self._turns), math.nan)
        y = self._function(x)
        places = y if math.isnan(turn) else np.sqrt(np.abs(y - turn))
        order = np.argsort(places, kind="stable")
        return turn, places[order], self._function.derivative()(x)[order]

    def keep(self, x: Array, held: NDArray[np.uint8]) -> None:
        """Writes down which piece each element is on."""
        bounds = np.full(CODES - 1, np.inf)
        bounds[: len(self._bounds)] = self._bounds
        pack_pieces((wide(x), bounds, held))

    def hand_on(self, flow: Array, held: NDArray[np.uint8], y: Array | None, out: Array) -> None:
        """The flow through the slopes that outputs and pieces stand for."""
        assert y is not None, "the output is kept"
        flow, y = wide(flow), wide(y)
        found = out if out.dtype == flow.dtype else np.empty_like(flow)
        flow_by_output((flow, held, y, *self._tables, found))
        if found is not out:
            out[...] = found


def _rounded_up(share: float) -> str:
    """One digit of it, and no less than it."""
    text = f"{share:.0e}"
    digit, exponent = text.split("e")
    return f"{float(text if float(text) >= share else f'{int(digit) + 1}e{exponent}'):g}"


def _cells(places: Array, slopes: Array) -> list[Array]:
    """The slopes in each cell of a piece, at the edges of as many parts as bring them close."""
    edges = np.linspace(places[0], places[-1], _CELLS + 1)
    close = _CLOSE * np.abs(slopes).max()
    found: list[Array] = [np.empty(0)] * _CELLS
    left, parts = np.arange(_CELLS), 1
    while left.size:
        halves = np.linspace(edges[left], edges[left + 1], 2 * parts + 1, axis=1)
        at = np.interp(halves, places, slopes)
        off = np.abs(at[:, 1::2] - (at[:, :-2:2] + at[:, 2::2]) / 2).max(axis=1)
        done = (off <= close) | (parts == _MOST_PARTS)
        for cell, row in zip(left[done], at[done], strict=True):
            found[cell] = row[::2]
        left, parts = left[~done], 2 * parts
    return found
